"""The fit: determinism, refits without compilation, files, interruption, ArviZ."""

import json
import subprocess
import sys
import textwrap
import time
import warnings

import arviz as az
import numpy as np
import pytest
import xarray as xr

import bayesmed as bm
from bayesmed.effects.estimands import contrasts
from bayesmed.posterior import density as compiled
from bayesmed.posterior.nuts import keep_complete
from tests.support.models import BOTH, FRAMING, SIGMA, quiet_model
from tests.support.models import JOBS as PLAIN

JOBS = {**PLAIN, "priors": BOTH}
SHORT = {"draws": 1000, "tune": 1000, "chains": 4, "random_seed": 7, "progress": False}


@pytest.fixture(scope="session")
def short_fit(jobs):
    return bm.MediationModel(jobs, **JOBS).fit(**SHORT)


def test_same_seed_same_draws_whatever_the_cores(jobs, short_fit):
    again = bm.MediationModel(jobs, **JOBS).fit(**SHORT, cores=2)
    xr.testing.assert_identical(again.posterior, short_fit.posterior)


def test_another_seed_gives_other_draws(jobs, short_fit):
    other = bm.MediationModel(jobs, **JOBS).fit(**{**SHORT, "random_seed": 8})
    assert not np.array_equal(
        other.posterior["mediator_sigma"], short_fit.posterior["mediator_sigma"]
    )


@pytest.mark.fit
def test_seed_is_drawn_kept_and_reported(jobs):
    fit = bm.MediationModel(jobs, **JOBS).fit(**{**SHORT, "random_seed": None})
    seed = fit.about["settings"]["random_seed"]
    assert isinstance(seed, int)
    assert f"seed {seed}" in fit.report()


def test_refit_at_other_rho_data_or_columns_compiles_nothing(jobs, short_fit):
    before = compiled.compilations
    at_half = bm.MediationModel(jobs, **JOBS).with_rho(0.5).fit(**SHORT)
    half = bm.MediationModel(jobs.iloc[:400], **JOBS)
    half.fit(**SHORT)
    half.with_data(jobs.iloc[400:]).fit(**SHORT)
    fewer = {**JOBS, "mediator": "job_seek ~ treat", "outcome": "depress2 ~ treat + job_seek"}
    bm.MediationModel(jobs, **fewer).fit(**SHORT)
    assert compiled.compilations == before
    # The data say nothing about rho: the regression's draws are the same, the structural not.
    np.testing.assert_array_equal(
        at_half.posterior["outcome_coef_rho0"], short_fit.posterior["outcome_coef_rho0"]
    )
    assert not np.allclose(at_half.posterior["outcome_coef"], short_fit.posterior["outcome_coef"])


def test_curve_at_a_rho_equals_the_effects_of_a_fit_there(jobs, short_fit):
    fit = bm.MediationModel(jobs, **JOBS, rho=-0.35).fit(**SHORT)
    curve = short_fit.sensitivity([-0.35, 0.0]).draws
    for name in ("acme", "ade", "total"):
        np.testing.assert_allclose(
            curve[name].sel(rho=-0.35), fit.effects().draws[name], rtol=1e-9, atol=1e-12
        )
        xr.testing.assert_equal(
            curve[name].sel(rho=0.0, drop=True).drop_vars("rho", errors="ignore"),
            short_fit.effects().draws[name],
        )
    assert curve["how"].to_numpy().tolist() == ["exact map", "fitted"]


def test_total_is_constant_in_rho(framing_fit):
    total = framing_fit.sensitivity([-0.8, -0.2, 0.4, 0.95]).draws["total"]
    np.testing.assert_allclose(total.std("rho"), 0.0, atol=1e-12)


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


def test_contrasts_of_known_cells():
    cells = np.array([[1.0, 3.0], [4.0, 8.0]])[:, :, None, None]
    po = xr.DataArray(
        cells, dims=("arm", "mediator_arm", "chain", "draw"),
        coords={"arm": ["control", "treated"], "mediator_arm": ["control", "treated"]},
    )  # fmt: skip
    found = contrasts(po)
    assert found["acme"].to_numpy().ravel().tolist() == [2.0, 4.0, 3.0]
    assert found["ade"].to_numpy().ravel().tolist() == [3.0, 5.0, 4.0]
    assert found["total"].item() == 7.0
    assert found["prop_mediated"].to_numpy().ravel() == pytest.approx([2 / 7, 4 / 7, 3 / 7])


def test_arviz_takes_the_tree(short_fit):
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
    other = bm.MediationModel(jobs, **JOBS).fit(**{**SHORT, "random_seed": 9})
    with pytest.raises(ValueError, match="paired"):
        short_fit.effects() - other.effects()


def test_population_average(framing_fit):
    sample = framing_fit.effects().draws["acme"].sel(arm="average")
    population = framing_fit.effects(average="population").draws["acme"].sel(arm="average")
    assert float(population.mean()) == pytest.approx(float(sample.mean()), abs=1e-3)
    assert float(population.std()) >= 0.99 * float(sample.std())
    with pytest.raises(ValueError, match="average"):
        framing_fit.effects(average="everyone")


def test_save_and_load(jobs, short_fit, tmp_path):
    path = tmp_path / "fit.nc"
    short_fit.save(path)
    loaded = bm.load(path)
    assert loaded.effects().summary().equals(short_fit.effects().summary())
    xr.testing.assert_identical(loaded.posterior, short_fit.posterior)
    xr.testing.assert_allclose(
        loaded.sensitivity([0.2]).draws["acme"], short_fit.sensitivity([0.2]).draws["acme"]
    )
    assert loaded.report() == short_fit.report()
    with pytest.raises(ValueError, match=r"bm\.load"):
        loaded.effects(at={"age": 30})
    model = bm.MediationModel(jobs, **JOBS)
    with_model = bm.load(path, model=model)
    assert with_model.effects(at={"age": 30}).summary() is not None
    with pytest.raises(
        ValueError, match=r"not the one .* different: priors; n|different: n \(saved"
    ):
        bm.load(path, model=bm.MediationModel(jobs.iloc[1:], **JOBS))
    with pytest.raises(
        ValueError, match=r"different: rho \(saved fixed at 0, given fixed at 0.3\)"
    ):
        bm.load(path, model=bm.MediationModel(jobs, **JOBS, rho=0.3))


def test_formula_of_a_file_is_never_evaluated(short_fit, tmp_path):
    """A hostile file: its formula would write a file if it were run."""
    path, trap = tmp_path / "fit.nc", tmp_path / "trap"
    hostile = bm.MediationFit(short_fit.tree.copy())
    about = hostile.about
    about["formulas"] = {k: f"y ~ {{open({str(trap)!r}, 'w')}}" for k in about["formulas"]}
    hostile.tree.attrs["bayesmed"] = json.dumps(about)
    hostile.save(path)
    loaded = bm.load(path)
    loaded.effects()
    loaded.sensitivity([0.1])
    loaded.report()
    assert not trap.exists()


def test_damaged_files(short_fit, tmp_path):
    path = tmp_path / "fit.nc"
    short_fit.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="not a complete fit"):
        bm.load(path)
    path.write_text("nothing")
    with pytest.raises(ValueError, match="not a complete fit"):
        bm.load(path)
    with pytest.raises(FileNotFoundError, match="no file"):
        bm.load(tmp_path / "absent.nc")


def test_failed_save_leaves_the_old_file(short_fit, tmp_path, monkeypatch):
    path = tmp_path / "fit.nc"
    short_fit.save(path)
    before = path.read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="still in memory"):
        short_fit.save(path)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["fit.nc"]


def test_interrupted_run_keeps_common_draws():
    points = np.full((3, 400, 2), np.nan)
    points[0], points[1, :150], points[2, :20] = 1.0, 2.0, 3.0
    kept, stats = keep_complete(points, {"diverging": np.zeros((3, 400), bool)})
    assert kept.shape == (2, 150, 2)
    assert np.isfinite(kept).all()
    assert stats["diverging"].shape == (2, 150)
    with pytest.raises(RuntimeError, match="interrupted too early"):
        keep_complete(points[2:], {})


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


def test_prior_predictive(framing):
    model = bm.MediationModel(framing, **FRAMING)
    first, again = (model.prior_predictive(50, random_seed=5) for _ in range(2))
    xr.testing.assert_identical(first.draws, again.draws)
    data = first.tree["prior_predictive"]
    assert data["mediator"].dims == ("chain", "draw", "obs")
    assert set(np.unique(data["outcome"])) == {0.0, 1.0}
    assert "prior, no data" in repr(first)


def test_prior_predictive_follows_the_stated_priors(jobs):
    """Prior draws of every coefficient have the moments that were stated."""
    prior = {"outcome": {"job_seek": bm.Prior("Normal", mu=2.0, sigma=0.1)}}
    model = bm.MediationModel(jobs, **PLAIN, priors=prior)
    drawn = model.prior_predictive(1000, random_seed=2).tree["prior"]["outcome_coef"]
    values = drawn.sel(outcome_term="job_seek")
    assert float(values.mean()) == pytest.approx(2.0, abs=4 * 0.1 / np.sqrt(1000))
    assert float(values.std()) == pytest.approx(0.1, rel=0.1)
    # The intercept's prior is stated at the means of the columns.
    centred = (drawn * model.designs[1].matrix.mean(axis=0)).sum("outcome_term")
    own = model.priors_in_use["outcome"]["Intercept"].parameters
    assert float(centred.mean()) == pytest.approx(own["mu"], abs=4 * own["sigma"] / np.sqrt(1000))
    assert float(centred.std()) == pytest.approx(own["sigma"], rel=0.1)


def test_pymc_model_serves_pymc(jobs):
    import pymc as pm
    from pytensor.compile.mode import Mode

    graph = quiet_model(jobs, **JOBS).build()
    assert {v.name for v in graph.observed_RVs} == {"mediator", "outcome"}
    assert "rho" in graph.named_vars
    with graph, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        drawn = pm.sample_prior_predictive(
            draws=3, random_seed=1, compile_kwargs={"mode": Mode(linker="py", optimizer=None)}
        )
    assert drawn["prior_predictive"]["outcome"].shape == (1, 3, len(jobs))


@pytest.mark.fit
def test_sweep_that_fails_keeps_what_was_done(jobs, monkeypatch):
    from bayesmed.sensitivity import sweep

    fit = bm.MediationModel(
        jobs, **JOBS, rho=bm.Prior("Uniform", lower=-0.5, upper=0.5), priors_on="structural"
    ).fit(**SHORT)
    calls = []

    def failing(fit, rows, rho, failed):
        calls.append(rho)
        if len(calls) == 3:
            raise MemoryError("no memory")
        return sweep.fitted_point(fit, rows)

    monkeypatch.setattr(sweep, "refit_point", failing)
    with pytest.warns(UserWarning, match="2 values before it are kept"):
        found = fit.sensitivity([-0.4, -0.2, 0.2, 0.4], progress=False)
    assert found.draws["rho"].to_numpy().tolist() == [-0.4, -0.2]


@pytest.mark.fit
def test_structural_priors_pull_on_rho(jobs):
    """p(rho | data) under structural priors, by quadrature over fits at fixed rho.

    With a Gaussian outcome the Jacobian of the map is 1 / k, so relative to the prior
    p(rho | data) is k^-1 E0[prior(mapped) / prior(drawn)]; large rho needs large coefficients.
    """
    slope = {"job_seek": bm.Prior("Normal", mu=0.0, sigma=0.1)}
    tight = {"mediator": SIGMA, "outcome": {**SIGMA, **slope}}
    prior = bm.Prior("Uniform", lower=-0.9, upper=0.9)
    settings = {**SHORT, "draws": 2000}
    fit = bm.MediationModel(jobs, **PLAIN, rho=prior, priors=tight, priors_on="structural").fit(
        **settings
    )
    base = bm.MediationModel(jobs, **PLAIN, priors=tight).fit(**settings)
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
    other = bm.MediationModel(shuffled, **own).fit(**SHORT)
    mine, theirs = short_fit.effects().draws, other.effects().draws
    for name in ("acme", "ade"):
        a, b = mine[name].sel(arm="average"), theirs[name].sel(arm="average")
        error = float(a.std()) / np.sqrt(1000)
        assert abs(float(a.mean() - b.mean())) < 5 * error


def test_a_compilation_that_takes_long_is_told(capsys):
    with compiled.told_if_slow(True, after=0.01):
        time.sleep(0.2)
    assert "Compiling the model" in capsys.readouterr().err
    with compiled.told_if_slow(False, after=0.01):
        time.sleep(0.1)
    with compiled.told_if_slow(True, after=5.0):
        pass
    assert capsys.readouterr().err == ""


def test_priors_travel_between_processes():
    import pickle

    prior = bm.Prior("StudentT", nu=4, mu=0, sigma=2)
    assert pickle.loads(pickle.dumps(prior)) == prior
