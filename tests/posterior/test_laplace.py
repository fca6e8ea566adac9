"""Draws around the mode, and likelihoods over fewer rows, against what they replace."""

import warnings

import numpy as np
import pandas as pd
import pytest

import bayesmed as bm
from bayesmed.means.along_rho import curve_cells
from bayesmed.posterior import density as compiled
from bayesmed.posterior.graphs import condensed_graph_of
from bayesmed.posterior.laplace import laplace_draws
from bayesmed.system import condensed as condense
from tests.support.handmade import hand_rows, pair_of
from tests.support.models import BOTH, FRAMING, JOBS, flat_priors, quiet_model
from tests.support.reference import assert_same_posterior, draws_of, reference

EXACT = reference("exact_posteriors")


@pytest.fixture(scope="module")
def laplace_fit(framing):
    model = bm.MediationModel(framing, **FRAMING, priors=flat_priors(framing, **FRAMING))
    return model.fit(method="laplace", draws=5000, random_seed=3)


def test_effects_are_those_of_the_exact_posterior(laplace_fit):
    effects = laplace_fit.effects().draws
    for row, expected in EXACT["framing_probit"]["rows"].items():
        assert_same_posterior(draws_of(effects, row), expected, row)


def test_curve_follows_from_the_same_draws(laplace_fit):
    curve = EXACT["framing_probit_curve"]["rho"]
    some = {rho: rows for rho, rows in curve.items() if abs(float(rho)) <= 0.51}
    found = laplace_fit.sensitivity([float(rho) for rho in some])
    for rho, rows in some.items():
        for row, expected in rows.items():
            draws = draws_of(found.draws.sel(rho=float(rho), method="nearest"), row)
            assert_same_posterior(draws, expected, (rho, row))


def test_tells_how_the_posterior_was_drawn(laplace_fit, tmp_path):
    assert laplace_fit.about["sampler"] == "laplace" and laplace_fit.about["pareto_k"] < 0.5
    assert "Laplace" in repr(laplace_fit) and "warm-up" not in laplace_fit.report()
    assert "k-hat" in laplace_fit.report() and "divergent" not in laplace_fit.report()
    laplace_fit.save(tmp_path / "fit.nc")
    again = bm.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(
        again.effects().draws["acme"], laplace_fit.effects().draws["acme"]
    )


@pytest.mark.fit
def test_same_seed_same_draws(jobs):
    model = quiet_model(jobs, **JOBS, priors=BOTH)
    first, second, other = (
        model.fit(method="laplace", random_seed=seed, draws=200).posterior["mediator_coef"]
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


@pytest.mark.fit
@pytest.mark.filterwarnings("ignore:NOT converged")  # few draws serve here
def test_poor_proposals_give_way_to_nuts_and_say_so(jobs, monkeypatch):
    """Proposals half as wide as the posterior have weights without a variance."""
    from bayesmed.posterior import laplace

    wide = laplace.find_mode
    monkeypatch.setattr(laplace, "_FREEDOM", 500)

    def narrow(density, rows):
        found = wide(density, rows)
        return laplace.Laplace(found.mode, 6.0 * found.precision)

    monkeypatch.setattr(laplace, "find_mode", narrow)
    model = quiet_model(jobs, **JOBS, priors=BOTH)
    with pytest.warns(UserWarning, match="cannot be trusted.*k-hat.*NUTS"):
        fit = model.fit(method="laplace", draws=300, tune=300, random_seed=1, progress=False)
    assert fit.about["sampler"] == "nutpie" and fit.about["pareto_k"] is None
    monkeypatch.setattr(laplace, "find_mode", lambda density, rows: None)
    with pytest.warns(UserWarning, match="no mode"):
        model.fit(method="laplace", draws=300, tune=300, random_seed=1, progress=False)


def test_acceptance_keeps_the_target(jobs):
    """Where weights are equal every proposal is taken."""
    from bayesmed.posterior.laplace import _accept

    rng = np.random.default_rng(1)
    index, accepted = _accept(np.zeros(4 * 250), np.arange(1000), rng, (4, 250))
    assert accepted.all() and len(np.unique(index)) == index.size
    # Two values of which one is three times as likely.
    high = rng.integers(0, 2, 4 * 20_050)
    index, _ = _accept(np.log(1.0 + 2.0 * high), np.arange(high.size), rng, (4, 20_050))
    assert np.mean(high[index]) == pytest.approx(0.75, abs=0.01)


def test_unknown_method_is_refused(jobs):
    with pytest.raises(ValueError, match=r"method='map'.*'laplace'"):
        quiet_model(jobs, **JOBS).fit(method="map")


# --- fewer rows, the same likelihood --------------------------------------------------------


@pytest.fixture(scope="module")
def discrete():
    rng = np.random.default_rng(5)
    n = 4000
    data = pd.DataFrame({"t": rng.integers(0, 2, n), "g": rng.choice(list("abc"), n)})
    data["m"] = (rng.random(n) < 0.3 + 0.2 * data["t"]).astype(int)
    data["k"] = rng.poisson(1.0 + data["m"])
    data["z"] = 0.5 * data["t"] + rng.normal(size=n)
    data["y"] = 0.4 * data["z"] + rng.normal(size=n)
    data["hours"] = 1.0 + rng.integers(0, 2, n)
    return data


def log_densities(model):
    """The model's log-density at some points, condensed and row by row, without compiling."""
    found = []
    for graph in (condensed_graph_of(model), model.build()):
        function = graph.compile_fn(graph.logp(), mode="FAST_COMPILE", random_seed=None)
        rng = np.random.default_rng(2)
        points = []
        for _ in range(3):
            start = graph.initial_point(random_seed=1)
            points.append({k: v + 0.1 * rng.normal(size=np.shape(v)) for k, v in start.items()})
        found.append([float(function(point)) for point in points])
    return found


@pytest.mark.each(1)
@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        ({"mediator": "z ~ t + g", "outcome": "y ~ z * t + g"}, (6, 8)),
        ({"mediator": "z ~ t + g", "outcome": "y ~ z + t + g", "rho": 0.4,
          "priors_on": "structural"}, (12, 12)),
        ({"mediator": "m ~ t + g", "outcome": "k ~ m * t + g", "mediator_family": "logit",
          "outcome_family": "poisson", "outcome_data": {"exposure": "hours"}}, (12, 200)),
        ({"mediator": "z ~ t + g", "outcome": "m ~ z + t + g", "outcome_family": "probit"},
         (6, None)),
    ],
    ids=["gaussian", "gaussian at rho", "counts", "half"],
)  # fmt: skip
def test_condensed_rows_have_the_likelihood_of_all(discrete, arguments, rows):
    model = quiet_model(discrete, **arguments, treatment="t")
    for found, most in zip(condense.condense(model).values(), rows, strict=True):
        assert found is None if most is None else len(found.values) <= most
        if found is not None:
            assert found.weights.sum() == len(discrete)
    few, all_rows = log_densities(model)
    np.testing.assert_allclose(few, all_rows, rtol=1e-12)


@pytest.mark.slow
def test_rows_that_belong_together_are_kept_where_residuals_correlate(discrete):
    model = quiet_model(
        discrete, mediator="m ~ t + g", outcome="y ~ m + t + g", treatment="t",
        mediator_family="probit", rho=0.3,
    )  # fmt: skip
    assert condense.condense(model) == {"mediator": None, "outcome": None}
    joint, by_equation = log_densities(model)
    np.testing.assert_allclose(joint, by_equation, rtol=1e-10)


def test_equal_counterfactual_rows_are_merged(discrete):
    model = quiet_model(
        discrete, mediator="m ~ t + g", outcome="k ~ m * t + g", treatment="t",
        mediator_family="logit", outcome_family="poisson",
    )  # fmt: skip
    rows = model.counterfactuals
    merged = rows.merged
    assert merged.n == 3 and merged.weights.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(
        merged.average(merged.outcome.base[1]), rows.average(rows.outcome.base[1])
    )
    assert rows.take(np.arange(100)).merged.n == 3
    apart = rows.changed("mediator", offset=np.linspace(0.0, 1.0, len(discrete)))
    assert apart.merged is apart


def test_missing_limits_tell_rows_apart_like_other_values():
    """A tobit outcome has NaN where a row has no limit."""
    n = 6000
    base = np.stack([np.column_stack([np.ones(n), np.arange(n) % 3])] * 2)
    limits = np.where(np.arange(n) % 2, np.nan, 1.0)
    merged = hand_rows(
        pair_of("gaussian", "tobit"), base, base=base, slope=0.0 * base,
        columns={"lower": limits, "upper": np.full(n, np.nan)},
    ).merged  # fmt: skip
    assert merged.n == 6
    np.testing.assert_allclose(merged.weights, 1.0 / 6.0)
    assert np.isnan(merged.outcome.columns["lower"]).sum() == 3


@pytest.mark.fit
@pytest.mark.slow
@pytest.mark.parametrize("outcome", ["probit", "poisson"])
def test_many_rows_agree_with_nuts(outcome):
    """Issue target at n = 1e5: means within 0.1 sd, interval ends within 0.2."""
    data = bm.simulate(
        100_000, outcome_family=outcome, random_seed=4, truth_size=100
    ).data  # fmt: skip
    own = {"mediator": "m ~ treat + x", "outcome": "y ~ m * treat + x", "treatment": "treat"}
    model = quiet_model(data, **own, outcome_family=outcome)
    # Draws enough that interval ends have an error of a few hundredths of an sd themselves.
    quick = model.fit(method="laplace", draws=4000, random_seed=1)
    full = model.fit(draws=2000, tune=500, random_seed=1, progress=False)
    for name in ("mediator_coef", "outcome_coef"):
        a, b = (fit.posterior[name].stack(s=("chain", "draw")) for fit in (quick, full))
        sd = b.std("s")
        assert np.all(np.abs(a.mean("s") - b.mean("s")) < 0.1 * sd), name
        for level in (0.025, 0.975):
            gap = a.quantile(level, "s") - b.quantile(level, "s")
            assert np.all(np.abs(gap) < 0.2 * sd), (name, level)


def test_nodes_made_part_by_part_are_those_of_all_rows(framing_fit, monkeypatch):
    from bayesmed.means import normal as latent_cells
    from bayesmed.sensitivity.sweep import regression_draws

    model = framing_fit.model
    index = np.tile(np.arange(265), 20)
    rows = model.counterfactuals.take(index)
    regression = regression_draws(framing_fit).block(np.arange(0, 4000, 100))
    rho = np.array([-0.5, 0.0, 0.4])
    by_parts = curve_cells(regression, rows, rho)
    monkeypatch.setattr(latent_cells, "_PART", 10**9)
    whole = curve_cells(regression, rows, rho)
    once = curve_cells(regression, model.counterfactuals, rho)
    np.testing.assert_allclose(by_parts, whole, atol=1e-9)
    np.testing.assert_allclose(by_parts, once, atol=1e-9)


@pytest.mark.fit
def test_a_laplace_fit_compiles_what_nuts_compiled(jobs):
    model = quiet_model(jobs, **JOBS, priors=BOTH)
    laplace_draws(model, {"chains": 2, "draws": 50, "random_seed": 1})
    before = compiled.compilations
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(draws=100, tune=100, chains=2, random_seed=1, progress=False)
    assert compiled.compilations == before
