"""The fit: determinism, schema, interruption, ArviZ."""

import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest
import xarray as xr

import bayesmed as bm
from tests.support.models import BOTH, JOBS, JOBS_SIGMA, QUICK, SIGMA, quiet_model


def test_same_seed_same_draws_whatever_the_cores(jobs, short_fit):
    again = bm.MediationModel(jobs, **JOBS_SIGMA).fit(**QUICK, cores=2)
    xr.testing.assert_identical(again.posterior, short_fit.posterior)


def test_another_seed_gives_other_draws(jobs, short_fit):
    other = bm.MediationModel(jobs, **JOBS_SIGMA).fit(**{**QUICK, "random_seed": 8})
    assert not np.array_equal(
        other.posterior["mediator_sigma"], short_fit.posterior["mediator_sigma"]
    )


@pytest.mark.fit
def test_seed_is_drawn_kept_and_reported(jobs):
    fit = bm.MediationModel(jobs, **JOBS_SIGMA).fit(**{**QUICK, "random_seed": None})
    seed = fit.about["settings"]["random_seed"]
    assert isinstance(seed, int)
    assert f"seed {seed}" in fit.report()


def test_schema(short_fit):
    effects, curve = short_fit.effects().draws, short_fit.sensitivity([-0.5, 0.5])
    for name in ("acme", "ade", "prop_mediated"):
        assert effects[name].dims == ("arm", "chain", "draw")
        assert curve.draws[name].dims == ("rho", "arm", "chain", "draw")
    assert effects["total"].dims == ("chain", "draw")
    assert effects["arm"].to_numpy().tolist() == ["control", "treated", "average"]
    assert curve.tipping_point()["rho_zero"].dims == ("arm", "chain", "draw")
    assert set(curve.draws.data_vars) >= {"pareto_k", "how"}
    posterior = short_fit.tree["posterior"]
    assert posterior["mediator_coef"].dims == ("chain", "draw", "mediator_term")
    assert posterior["outcome_coef"].dims == ("chain", "draw", "outcome_term")
    assert "outcome_coef_rho0" in posterior
    assert set(short_fit.tree.children) == {
        "posterior", "sample_stats", "observed_data", "constant_data",
    }  # fmt: skip


def test_effects_identities(short_fit):
    draws = short_fit.effects().draws
    acme, ade, total = draws["acme"], draws["ade"], draws["total"]
    parts = [("treated", "control"), ("control", "treated")]
    for of_acme, of_ade in parts:
        both = acme.sel(arm=of_acme, drop=True) + ade.sel(arm=of_ade, drop=True)
        np.testing.assert_allclose(both, total, atol=1e-12)


def test_arviz_takes_the_tree(short_fit):
    import arviz as az

    assert "mediator_sigma" in az.summary(short_fit.tree).index
    short_fit.add_log_likelihood()
    group = short_fit.tree["log_likelihood"]
    assert group["outcome"].dims == ("chain", "draw", "obs")
    assert np.isfinite(az.loo(short_fit.tree, var_name="outcome").elpd)
    # Normal densities of both regressions at rho = 0, by hand.
    posterior, data = short_fit.posterior, short_fit.tree["constant_data"]
    for name, design in (("mediator", "mediator_design"), ("outcome", "outcome_design")):
        mean = (posterior[f"{name}_coef"] * data[design]).sum(f"{name}_term")
        sigma = posterior[f"{name}_sigma"]
        e = (short_fit.tree["observed_data"][name] - mean) / sigma
        by_hand = -0.5 * e**2 - np.log(sigma) - 0.5 * np.log(2 * np.pi)
        np.testing.assert_allclose(
            group[name], by_hand.transpose("chain", "draw", "obs"), rtol=1e-9, atol=1e-9
        )
    plots = az.plot_trace_dist(short_fit.tree, var_names=["mediator_sigma"])
    assert plots is not None


def test_conditional_effects_are_paired(short_fit):
    young, old = short_fit.effects(at={"age": 20}), short_fit.effects(at={"age": 60})
    gap = young - old
    # Without interactions a linear model has the same effects everywhere.
    np.testing.assert_allclose(gap.draws["acme"], 0.0, atol=1e-12)
    assert "age = 20 minus age = 60" in repr(gap)
    with pytest.raises(ValueError, match="not a variable"):
        short_fit.effects(at={"nobody": 1})


def test_effects_of_two_fits_are_not_subtracted(jobs, short_fit):
    other = bm.MediationModel(jobs, **JOBS_SIGMA).fit(**{**QUICK, "random_seed": 9})
    with pytest.raises(ValueError, match="paired"):
        short_fit.effects() - other.effects()


def test_population_average(framing_fit):
    sample = framing_fit.effects().draws["acme"].sel(arm="average")
    population = framing_fit.effects(average="population").draws["acme"].sel(arm="average")
    assert float(population.mean()) == pytest.approx(float(sample.mean()), abs=1e-3)
    assert float(population.std()) >= 0.99 * float(sample.std())
    with pytest.raises(ValueError, match="average"):
        framing_fit.effects(average="everyone")


@pytest.mark.fit
@pytest.mark.slow
def test_ctrl_c_keeps_the_draws(tmp_path):
    """A real interrupt of a real run, in a process of its own."""
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent("""
        import os, signal, threading, time, warnings
        import bayesmed as bm
        warnings.simplefilter("ignore")
        model = bm.MediationModel(
            bm.load_data("jobs"), mediator="job_seek ~ treat + age",
            outcome="depress2 ~ treat + job_seek + age", treatment="treat")
        model.fit(draws=20, tune=100, progress=False)  # compile first
        def stop():
            time.sleep(6)
            os.kill(os.getpid(), signal.SIGINT)
        threading.Thread(target=stop, daemon=True).start()
        fit = model.fit(draws=10_000_000, tune=200, chains=1, random_seed=1, progress=False)
        print("kept", fit.shape, fit.about["interrupted"], fit.effects().summary().shape)
    """)
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=180)
    assert "kept (1, " in done.stdout, done.stderr
    assert "True" in done.stdout


def test_pymc_model_serves_pymc(jobs):
    import pymc as pm
    from pytensor.compile.mode import Mode

    graph = quiet_model(jobs, **JOBS_SIGMA).build()
    assert {v.name for v in graph.observed_RVs} == {"mediator", "outcome"}
    assert "rho" in graph.named_vars
    with graph, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        drawn = pm.sample_prior_predictive(
            draws=3, random_seed=1, compile_kwargs={"mode": Mode(linker="py", optimizer=None)}
        )
    assert drawn["prior_predictive"]["outcome"].shape == (1, 3, len(jobs))


@pytest.mark.fit
def test_structural_priors_pull_on_rho(jobs):
    """p(rho | data) under structural priors, by quadrature over fits at fixed rho.

    With a Gaussian outcome the Jacobian of the map is 1 / k, so relative to the prior
    p(rho | data) is k^-1 E0[prior(mapped) / prior(drawn)]; large rho needs large coefficients.
    """
    slope = {"job_seek": bm.Prior("Normal", mu=0.0, sigma=0.1)}
    tight = {"mediator": SIGMA, "outcome": {**SIGMA, **slope}}
    prior = bm.Prior("Uniform", lower=-0.9, upper=0.9)
    settings = {**QUICK, "draws": 2000}
    fit = bm.MediationModel(jobs, **JOBS, rho=prior, priors=tight, priors_on="structural").fit(
        **settings
    )
    base = bm.MediationModel(jobs, **JOBS, priors=tight).fit(**settings)
    from bayesmed.posterior.weights import outcome_log_prior
    from bayesmed.sensitivity.sweep import regression_draws

    regression = regression_draws(base)
    priors = base.model.priors_in_use["outcome"]
    log_prior = outcome_log_prior(
        priors, list(base.model.designs[1].terms), base.model.prior_basis["outcome"]
    )
    grid = np.linspace(-0.9, 0.9, 61)
    log_weight = []
    for rho in grid:
        mapped = regression.at(rho)
        ratio = log_prior(mapped.outcome.coef, mapped.outcome.parameters["sigma"]) - log_prior(
            regression.draws.outcome.coef, regression.draws.outcome.parameters["sigma"]
        )
        log_weight.append(np.log(np.mean(np.exp(ratio))) - 0.5 * np.log(1 - rho**2))
    weight = np.exp(np.array(log_weight) - max(log_weight))
    mean = np.sum(weight * grid) / weight.sum()
    sd = np.sqrt(np.sum(weight * (grid - mean) ** 2) / weight.sum())
    drawn = fit.posterior["rho"].to_numpy()
    assert fit.convergence.divergences == 0
    assert drawn.mean() == pytest.approx(mean, abs=0.15 * sd)
    assert drawn.std() == pytest.approx(sd, rel=0.1)
    assert sd < 0.9 * 1.8 / np.sqrt(12), "the prior does pull on rho here"


def test_reordered_rows_and_columns_change_nothing_but_noise(jobs, short_fit):
    own = {
        "mediator": "job_seek ~ age + sex + econ_hard + treat",
        "outcome": "depress2 ~ sex + age + treat + econ_hard + job_seek",
        "treatment": "treat", "priors": BOTH,
    }  # fmt: skip
    shuffled = jobs.sample(frac=1.0, random_state=1)[jobs.columns[::-1]]
    other = bm.MediationModel(shuffled, **own).fit(**QUICK)
    mine, theirs = short_fit.effects().draws, other.effects().draws
    for name in ("acme", "ade"):
        a, b = mine[name].sel(arm="average"), theirs[name].sel(arm="average")
        error = float(a.std()) / np.sqrt(1000)
        assert abs(float(a.mean() - b.mean())) < 5 * error
