"""Simulated truth is recovered in all nine pairs, rho given. Slow."""

import warnings

import pytest

import bayesmed as bm
from bayesmed.means.means import mediator_effect

FAMILIES = ("gaussian", "probit", "logit")
ARMS = [(name, arm) for name in ("acme", "ade") for arm in ("control", "treated")]


@pytest.mark.fit
@pytest.mark.slow
@pytest.mark.parametrize("outcome", FAMILIES)
@pytest.mark.parametrize("mediator", FAMILIES)
def test_truth_is_recovered(mediator, outcome):
    """One compiled structure a pair; effects within four posterior sds of the truth."""
    for seed, rho in enumerate((-0.5, 0.0, 0.5)):
        simulated = bm.simulate(
            3000,
            mediator_family=mediator,
            outcome_family=outcome,
            rho=rho,
            a=0.8,
            b=0.7,
            interaction=0.3,
            random_seed=10 + seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # two short chains
            fit = bm.fit(
                simulated.data,
                mediator="m ~ treat + x",
                outcome="y ~ m * treat + x",
                treatment="treat",
                mediator_family=mediator,
                outcome_family=outcome,
                rho=rho,
                draws=400,
                tune=400,
                chains=2,
                random_seed=seed,
                progress=False,
            )
        effects = fit.effects().draws
        found = {f"{name}_{arm}": effects[name].sel(arm=arm) for name, arm in ARMS}
        found["total"] = effects["total"]
        for name, draws in found.items():
            sd = float(draws.std())
            assert abs(float(draws.mean()) - simulated.truth[name]) < 4 * sd, (rho, name)
            assert sd < 0.08, (rho, name)


@pytest.mark.fit
@pytest.mark.slow
def test_wrong_rho_gives_a_wrong_answer():
    """The test above has teeth: with the sign of rho turned the truth is missed."""
    simulated = bm.simulate(3000, rho=0.5, a=0.8, b=0.7, random_seed=1)
    fit = bm.fit(
        simulated.data, mediator="m ~ treat + x", outcome="y ~ m + treat + x", treatment="treat",
        rho=-0.5, random_seed=1, progress=False,
    )  # fmt: skip
    acme = fit.effects().draws["acme"].sel(arm="treated")
    assert abs(float(acme.mean()) - simulated.truth["acme_treated"]) > 4 * float(acme.std())


@pytest.mark.fit
@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["pymc", "numpyro"])
def test_other_samplers_agree(sampler):
    import importlib.util

    if importlib.util.find_spec(sampler) is None:
        pytest.skip(f"{sampler} is not installed here; it is optional")
    simulated = bm.simulate(500, random_seed=3)
    model = bm.MediationModel(
        simulated.data, mediator="m ~ treat + x", outcome="y ~ m + treat + x", treatment="treat"
    )
    own = model.fit(random_seed=1, progress=False).effects().draws["acme"].sel(arm="average")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = model.fit(random_seed=1, progress=False, sampler=sampler)
    drawn = other.effects().draws["acme"].sel(arm="average")
    assert abs(float(own.mean() - drawn.mean())) < 0.1 * float(own.std())
    assert float(drawn.std()) == pytest.approx(float(own.std()), rel=0.1)


@pytest.mark.fit
@pytest.mark.slow
def test_sweep_of_a_pair_that_is_not_closed(jobs):
    """Probit mediator: the sweep warns, says how, and its rho* agrees with its curve and a fit."""
    own = {
        "mediator": "job_dich ~ treat + age",
        "outcome": "depress2 ~ treat + job_dich + age",
        "treatment": "treat",
        "mediator_family": "probit",
    }
    settings = {"draws": 2000, "tune": 1000, "random_seed": 4, "progress": False}
    fit = bm.MediationModel(jobs, **own).fit(**settings)
    with pytest.warns(bm.IdentificationWarning, match="no evidence about confounding"):
        found = fit.sensitivity([-0.6, -0.3, 0.0, 0.3], progress=False)
    assert found.draws["how"].to_numpy().tolist() == [
        "transport", "transport", "fitted", "transport"
    ]  # fmt: skip
    again = bm.MediationModel(jobs, **own, rho=0.3).fit(**settings).effects().draws["acme"]
    carried = found.draws["acme"].sel(rho=0.3)
    for arm in ("control", "treated", "average"):
        mine, theirs = carried.sel(arm=arm), again.sel(arm=arm)
        assert abs(float(mine.mean() - theirs.mean())) < 0.1 * float(theirs.std())
    # The curve falls where the effect a on the mediator is positive, as in all but few draws:
    # P(rho* > r) = P(ACME(r) / a > 0).
    effect = mediator_effect(fit.draws, fit.counterfactuals())
    zero = found.tipping_point()["rho_zero"].sel(arm="average")
    share = float((found.draws["acme"].sel(arm="average", rho=-0.3) > 0).mean())
    assert abs(float((zero > -0.3).mean()) - share) < float((effect < 0).mean()) + 0.005
    with pytest.raises(ValueError, match="paired"):
        found.at(0.3) - found.at(0.0)


@pytest.mark.fit
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:NOT converged")  # rho mixes slowly where form identifies it
def test_rho_prior_with_two_binary_families():
    """rho sampled in a probit-probit pair: it runs, warns, and covers the truth."""
    simulated = bm.simulate(
        600, mediator_family="probit", outcome_family="probit", rho=0.3, random_seed=5
    )
    with pytest.warns(bm.IdentificationWarning, match="not evidence about confounding"):
        fit = bm.fit(
            simulated.data, mediator="m ~ treat + x", outcome="y ~ m + treat + x",
            treatment="treat", mediator_family="probit", outcome_family="probit",
            rho=bm.Prior("Uniform", lower=-0.9, upper=0.9), draws=300, tune=500,
            random_seed=1, progress=False, target_accept=0.95,
        )  # fmt: skip
    rho = fit.posterior["rho"]
    assert float(rho.quantile(0.01)) < 0.3 < float(rho.quantile(0.99))
