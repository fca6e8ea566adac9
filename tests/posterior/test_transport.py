"""Transport along rho: exact where it must be, close to refits elsewhere, and honest about how."""

import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayesmed as bm
from bayesmed.posterior import density as compiled
from bayesmed.posterior import transport
from bayesmed.sensitivity import carry, sweep
from tests.support.models import JOBS, quiet_model

BINARY = {
    "mediator": "job_dich ~ treat + econ_hard + sex + age",
    "outcome": "depress2 ~ treat + job_dich + econ_hard + sex + age",
    "treatment": "treat",
    "mediator_family": "probit",
}
WORK = {
    "outcome": "work1 ~ treat + job_dich + econ_hard + sex + age",
    "outcome_family": "probit",
}
LOGIT = {
    "mediator": "job_seek ~ treat + econ_hard + sex + age",
    "outcome": "work1 ~ treat + job_seek + econ_hard + sex + age",
    "treatment": "treat",
    "outcome_family": "logit",
}
SHORT = {"draws": 1000, "tune": 500, "chains": 4, "random_seed": 11, "progress": False}


@pytest.fixture(scope="session")
def jobs_work(jobs):
    return jobs.assign(work1=(jobs["work1"] == "psyemp").astype(int))


@pytest.fixture(scope="session")
def binary_fit(jobs):
    return bm.MediationModel(jobs, **BINARY).fit(**SHORT)


def curve(fit, rho, **asked):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bm.IdentificationWarning)
        return fit.sensitivity(rho, progress=False, **asked)


def assert_close(mine, theirs):
    """Means within 0.1 posterior sd, ends of 95% intervals within 0.25, for every effect."""
    for name in ("acme", "ade", "total"):
        a, b = (
            d[name].stack(sample=("chain", "draw")).transpose("sample", ...) for d in (mine, theirs)
        )
        a, b = a.to_numpy(), b.to_numpy()
        sd = b.std(axis=0)
        ends = np.quantile(a, [0.025, 0.975], axis=0) - np.quantile(b, [0.025, 0.975], axis=0)
        assert np.all(np.abs(a.mean(axis=0) - b.mean(axis=0)) < 0.1 * sd)
        assert np.all(np.abs(ends) < 0.25 * sd)


def ordered(jobs):
    levels = pd.cut(jobs["depress2"], [0, 1.5, 2, 3, 6], labels=["a", "b", "c", "d"])
    return jobs.assign(mood=levels)


UNIFORM = bm.Prior("Uniform", lower=-0.5, upper=0.5)
BOUNDED = {"outcome": {"treat": bm.Prior("HalfNormal", sigma=1.0)}}
STRUCTURES = {
    "binary mediator": BINARY,
    "bounded coefficient": {**BINARY, "priors": BOUNDED},
    "transform of other variables": {**JOBS, "priors_on": "structural", "rho": UNIFORM},
    "cutpoints": {
        **BINARY,
        "outcome": "mood ~ treat + job_dich + econ_hard",
        "outcome_family": "ordered_probit",
    },
    "log sigma": {**BINARY, "outcome_sigma": "~ treat"},
}


@pytest.mark.each(2)
@pytest.mark.parametrize("name", STRUCTURES)
def test_unconstrain_inverts_constrain(jobs, name):
    model = quiet_model(ordered(jobs), **STRUCTURES[name])
    start = compiled.start_point(model)
    points = start + np.random.default_rng(1).uniform(-1.0, 1.0, (2, 3, start.size))
    values = compiled.constrain(model, points)
    np.testing.assert_allclose(compiled.unconstrain(model, values), points, rtol=1e-9, atol=1e-9)


def normal(mode, precision):
    """A normal log-density in the form of a compiled one."""

    def at(x):
        gap = x - mode
        return -0.5 * gap @ precision @ gap, -precision @ gap

    def batch(points):
        values, gradients = zip(*map(at, points), strict=True)
        return np.array(values), np.stack(gradients)

    return SimpleNamespace(at=at, batch=batch, start=np.zeros(len(mode)), size=1)


def test_mode_and_curvature_of_a_normal_density():
    mode, precision = np.array([1.0, -2.0]), np.array([[4.0, 1.9], [1.9, 1.0]])
    found = transport.laplace(normal(mode, precision), np.zeros(2), np.array([1.0, 3.0]))
    np.testing.assert_allclose(found.mode, mode, rtol=1e-8)
    np.testing.assert_allclose(found.precision, precision, rtol=1e-8)


@pytest.mark.parametrize("precision", [np.diag([1.0, -1.0]), np.diag([1.0, 0.0]), np.zeros((2, 2))])
def test_no_mode_where_the_surface_has_none(precision):
    found = transport.laplace(normal(np.zeros(2), precision), np.array([0.3, 0.2]), np.ones(2))
    assert found is None


def test_move_takes_one_normal_to_the_other_in_any_coordinates():
    rng = np.random.default_rng(2)
    base, target, change = (rng.normal(size=(3, 6)) for _ in range(3))
    base, target = (part @ part.T for part in (base, target))
    modes = rng.normal(size=(2, 3))
    first, second = transport.Laplace(modes[0], base), transport.Laplace(modes[1], target)
    points = rng.normal(size=(20, 3))
    moved = transport.move(points, first, second)
    origin = transport.move(np.zeros((1, 3)), first, second)
    matrix = (transport.move(np.eye(3), first, second) - origin).T
    np.testing.assert_allclose(matrix @ np.linalg.inv(base) @ matrix.T, np.linalg.inv(target))
    # Another linear coordinate system: y = C x.
    change = change[:, :3]
    back = np.linalg.inv(change)
    first, second = (
        transport.Laplace(change @ part.mode, back.T @ part.precision @ back)
        for part in (first, second)
    )
    again = transport.move(points @ change.T, first, second)
    np.testing.assert_allclose(again, moved @ change.T, rtol=1e-8, atol=1e-9)


def whole(fit):
    """Positions of all draws."""
    return np.arange(np.prod(fit.shape)).reshape(fit.shape)


def test_transport_to_the_own_rho_is_the_identity(binary_fit):
    ready = transport.prepare(binary_fit, np.array([0.5]), whole(binary_fit))
    points = ready.to(ready.base)
    np.testing.assert_allclose(points, ready.points, rtol=1e-9, atol=1e-12)
    index, pareto_k = ready.resample(ready.log_ratio(points, 0.0))
    assert index.tolist() == list(range(len(ready.points)))
    assert pareto_k == float("-inf")
    draws, own = ready.draws(points, 0.0), binary_fit.draws
    for key in ("mediator", "outcome"):
        found, right = getattr(draws, key), getattr(own, key)
        np.testing.assert_allclose(found.coef, right.coef, rtol=1e-8, atol=1e-10)
        for name, values in right.parameters.items():
            np.testing.assert_allclose(found.parameters[name], values, rtol=1e-8, atol=1e-10)


def test_log_density_at_zero_is_that_of_two_regressions(binary_fit):
    ready = transport.prepare(binary_fit, np.array([0.5]), whole(binary_fit))
    alone = compiled.log_density(binary_fit.model)
    mine = ready.density.at_rho(0.0).values(ready.points[:50])
    np.testing.assert_allclose(mine, alone.values(ready.points[:50]), rtol=1e-10)


@pytest.mark.slow
def test_transport_agrees_with_refits(jobs, binary_fit):
    found = curve(binary_fit, [-0.6, 0.0, 0.6])
    assert found.draws["how"].to_numpy().tolist() == ["transport", "fitted", "transport"]
    assert np.all(found.draws["pareto_k"].sel(rho=[-0.6, 0.6]) < 0.5)
    assert np.isnan(found.draws["pareto_k"].sel(rho=0.0))
    for rho in (-0.6, 0.6):
        again = binary_fit.model.with_rho(rho).fit(**SHORT).effects().draws
        assert_close(found.draws.sel(rho=rho), again)


def test_same_seed_same_curve_and_nothing_compiled(binary_fit):
    first = curve(binary_fit, [-0.3, 0.3, 0.9])
    before = compiled.compilations
    again = curve(binary_fit, [-0.3, 0.3, 0.9])
    assert compiled.compilations == before
    xr.testing.assert_identical(again.draws, first.draws)
    xr.testing.assert_identical(again.rho_zero, first.rho_zero)


@pytest.fixture(scope="session")
def logit_fit(jobs_work):
    own = {**SHORT, "method": "laplace"}
    return bm.MediationModel(jobs_work, **LOGIT).fit(**own)


GRID = np.linspace(-0.9, 0.9, 19)


@pytest.mark.fit
@pytest.mark.parametrize(
    "name",
    ["binary_fit", pytest.param("logit_fit", marks=pytest.mark.slow)],  # minutes of integrals
)
def test_a_curve_is_that_of_every_value_by_itself(request, name):
    """Few values of rho carry it: within 0.02 posterior sd, and as good weights."""
    fit = request.getfixturevalue(name)
    quick, right = (curve(fit, GRID, accuracy=one) for one in ("posterior", "exact"))
    assert set(quick.draws["how"].to_numpy()) == {"fitted", "transport"}
    for effect in ("acme", "ade"):
        mine, theirs = (c.draws[effect] for c in (quick, right))
        gap = abs(mine.mean(("chain", "draw")) - theirs.mean(("chain", "draw")))
        assert float((gap / theirs.std(("chain", "draw"))).max()) < 0.02
    # Of weights that are nearly equal, by the fit's own rho, k-hat is that of their rounding.
    k = [c.draws["pareto_k"].to_numpy()[abs(GRID) > 0.25] for c in (quick, right)]
    np.testing.assert_allclose(k[0], k[1], atol=0.02)
    mine, theirs = (c.draws["acme"].sel(rho=0.0, method="nearest") for c in (quick, right))
    assert float(abs(mine - theirs).max() / theirs.std()) < 2e-3  # draw by draw, at the fit's own


def test_another_scale_of_the_last_curve_computes_nothing(logit_fit, monkeypatch):
    plain = curve(logit_fit, GRID)
    with monkeypatch.context() as patch:
        patch.setattr(carry, "node_at", lambda *_: pytest.fail("computed again"))
        found = curve(logit_fit, GRID, scale="odds_ratio")
        for other in ({"on": "treated"}, {"m": np.linspace(1.0, 5.0, 3)}, {"at": {"age": 40.0}}):
            with pytest.raises(pytest.fail.Exception):
                curve(logit_fit, GRID, scale="odds_ratio", **other)
    xr.testing.assert_identical(found.po, plain.po)
    odds = plain.po / (1.0 - plain.po)
    right = odds.sel(arm="treated", mediator_arm="treated") / odds.sel(
        arm="treated", mediator_arm="control"
    )
    np.testing.assert_allclose(found.draws["acme"].sel(arm="treated"), right, rtol=1e-12)


def test_draws_without_a_weight_are_never_kept(binary_fit, monkeypatch):
    own = transport.Transport.log_ratio

    def some_without(self, points, rho):
        return np.where(np.arange(len(points)) < 7, -np.inf, own(self, points, rho))

    resample, kept = transport.Transport.resample, []

    def noted(self, log_ratio):
        kept.append(resample(self, log_ratio)[0])
        return resample(self, log_ratio)

    monkeypatch.setattr(transport.Transport, "log_ratio", some_without)
    monkeypatch.setattr(transport.Transport, "resample", noted)
    curve(binary_fit, GRID[:9])
    assert len(kept) > 9 and all(index.min() >= 7 for index in kept)


def test_output_says_how_and_that_form_identifies(binary_fit):
    with pytest.warns(bm.IdentificationWarning, match="functional form"):
        found = binary_fit.sensitivity([0.0, 0.4], progress=False)
    table = found.summary()
    assert table["how"].tolist() == ["fitted", "transport"]
    assert np.isfinite(table["pareto_k"].loc[0.4])
    assert "functional form" in repr(found)
    assert "at rho 0.4" in found.at(0.4).about["fit"]  # these draws pair with no others


@pytest.mark.slow
def test_large_k_leads_to_a_refit_that_says_so(binary_fit, monkeypatch):
    """Draws that stay where they are get weights that no one may trust."""
    monkeypatch.setattr(transport, "move", lambda points, base, target: points)
    found = curve(binary_fit, [0.8])
    assert found.draws["how"].to_numpy().tolist() == ["refit"]
    assert float(found.draws["pareto_k"][0]) > 0.7
    own = binary_fit.model.with_rho(0.8).fit(**SHORT).effects().draws
    np.testing.assert_array_equal(found.draws["acme"].sel(rho=0.8), own["acme"])


def test_no_mode_leads_to_a_refit(binary_fit, monkeypatch):
    monkeypatch.setattr(transport, "laplace", lambda *arguments: None)
    found = curve(binary_fit, [-0.2, 0.0])
    assert found.draws["how"].to_numpy().tolist() == ["refit", "fitted"]
    assert np.isnan(found.draws["pareto_k"]).all()


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_interruption_keeps_the_values_done(binary_fit, monkeypatch, error):
    right = carry.carried_point

    def failing(ready, rows, rho, target, poor):
        if rho == -0.4:
            raise error
        return right(ready, rows, rho, target, poor)

    monkeypatch.setattr(carry, "carried_point", failing)
    # The nearest to the fit's rho come first, on both sides.
    with pytest.warns(UserWarning, match=r"stopped at rho = -0.4 .*; the 3 values"):
        found = curve(binary_fit, [-0.4, -0.2, 0.1, 0.3, 0.7])
    assert found.draws["rho"].to_numpy().tolist() == [-0.2, 0.1, 0.3]
    with pytest.raises(error):
        curve(binary_fit, [-0.4])


def test_interrupted_refits_keep_what_was_carried(binary_fit, monkeypatch):
    """Values by transport come first; refits of the others follow, and may be stopped."""
    right = carry.carried_point

    def poor_above(ready, rows, rho, target, poor):
        if rho > 0.0:
            poor[rho] = 0.9
            return None
        return right(ready, rows, rho, target, poor)

    def failing(fit, rows, rho, failed):
        if rho == 0.5:
            raise KeyboardInterrupt
        return sweep.fitted_point(fit, rows, sweep.REFIT)

    monkeypatch.setattr(carry, "carried_point", poor_above)
    monkeypatch.setattr(sweep, "refit_point", failing)
    with pytest.warns(UserWarning, match="stopped at rho = 0.5"):
        found = curve(binary_fit, [-0.5, 0.2, 0.5, 0.6])
    assert found.draws["rho"].to_numpy().tolist() == [-0.5, 0.2]
    assert found.draws["how"].to_numpy().tolist() == ["transport", "refit"]
    assert found.draws["pareto_k"][1] == 0.9


@pytest.mark.slow
def test_rho_of_the_fit_need_not_be_zero_nor_fixed(jobs, binary_fit):
    at_half = binary_fit.model.with_rho(0.5).fit(**SHORT)
    found = curve(at_half, [0.0])
    assert found.draws["how"].to_numpy().tolist() == ["transport"]
    assert_close(found.draws.sel(rho=0.0), binary_fit.effects().draws)
    found = curve(binary_fit, [0.5])
    assert_close(found.draws.sel(rho=0.5), at_half.effects().draws)


@pytest.mark.slow
def test_a_fit_with_a_prior_on_rho_is_refitted_once(binary_fit):
    """At the middle of the grid; the other values are carried from there."""
    few = {**SHORT, "draws": 150, "chains": 2}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the posterior of rho has too few draws
        uncertain = binary_fit.model.with_rho(UNIFORM).fit(**few)
        found = curve(uncertain, [-0.2, 0.1, 0.5])
    assert found.draws["how"].to_numpy().tolist() == ["transport", "refit", "transport"]
    own = binary_fit.model.with_rho(0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = own.fit(**few)
    np.testing.assert_array_equal(found.draws["acme"].sel(rho=0.1), fitted.effects().draws["acme"])
    xr.testing.assert_equal(
        found.draws["acme"].sel(rho=0.5), curve(fitted, [0.5]).draws["acme"].sel(rho=0.5)
    )


def test_a_loaded_fit_needs_its_model(binary_fit, tmp_path):
    path = tmp_path / "fit.nc"
    binary_fit.save(path)
    with pytest.raises(ValueError, match=r"bm\.load\(path, model=model\)"):
        curve(bm.load(path), [0.2])
    loaded = curve(bm.load(path, model=binary_fit.model), [0.2])
    xr.testing.assert_allclose(loaded.draws["acme"], curve(binary_fit, [0.2]).draws["acme"])


@pytest.mark.fit
@pytest.mark.slow
@pytest.mark.parametrize("own", [BINARY, {**BINARY, **WORK}, LOGIT], ids=["pg", "pp", "gl"])
def test_pairs_agree_with_refits_along_rho(jobs_work, own):
    """Pairs that are not closed, at five values of rho."""
    settings = {**SHORT, "draws": 2000, "tune": 1000}
    model = bm.MediationModel(jobs_work, **own)
    grid = [-0.9, -0.5, 0.2, 0.5, 0.9]
    found = curve(model.fit(**settings), grid).draws
    assert set(found["how"].to_numpy()) == {"transport"}
    assert np.all(found["pareto_k"] < 0.7)
    for rho in grid:
        again = model.with_rho(rho).fit(**{**settings, "random_seed": 12}).effects().draws
        assert_close(found.sel(rho=rho), again)


@pytest.mark.fit
@pytest.mark.slow
@pytest.mark.parametrize("outcome", ["gaussian", "probit"])
def test_effects_under_a_rho_prior_are_those_of_a_fit_that_samples_rho(outcome):
    """Issue target: within 0.05 sd; interval ends, noisier, within 0.1."""
    data = bm.simulate(300, outcome_family=outcome, random_seed=8, truth_size=100).data
    own = {"mediator": "m ~ treat + x", "outcome": "y ~ m * treat + x", "treatment": "treat"}
    prior = bm.Prior("TruncatedNormal", mu=-0.2, sigma=0.3, lower=-0.8, upper=0.8)
    settings = {"draws": 10_000, "random_seed": 2, "progress": False}
    given = quiet_model(data, **own, outcome_family=outcome).fit(**settings)
    sampled = quiet_model(data, **own, outcome_family=outcome, rho=prior).fit(**settings)
    quick, full = given.effects(rho=prior, m=0.5).draws, sampled.effects(m=0.5).draws
    for name in ("acme", "ade", "total", "cde"):
        a, b = (d[name].isel(arm=-1) if "arm" in d[name].dims else d[name] for d in (quick, full))
        assert abs(float(a.mean() - b.mean())) < 0.05 * float(b.std()), name
        for level in (0.025, 0.975):
            gap = float(a.quantile(level) - b.quantile(level))
            assert abs(gap) < 0.1 * float(b.std()), (name, level)
