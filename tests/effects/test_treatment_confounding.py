"""Confounding of a numeric treatment: the map against the joint law and against simulation."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesmed as bm
from bayesmed.effects import treatment_confounding
from bayesmed.effects.treatment_confounding import treatment_map
from bayesmed.effects.treatment_equation import (
    TreatmentEquation,
    treatment_covariates,
    treatment_equation,
)
from tests.support.handmade import hand_fit, point_fit, value
from tests.support.models import quiet_model

N, S = 50, 6
R = np.array([[1.0, 0.3, -0.25], [0.3, 1.0, 0.4], [-0.25, 0.4, 1.0]])  # of T, M, Y
GIVEN = {"rho_tm": 0.3, "rho_ty": -0.25, "rho_my": 0.4}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(6)
    x, z = rng.normal(size=(2, N))
    t = 1.0 + 0.5 * x + rng.normal(size=N)
    m = 0.4 * t + rng.normal(size=N)
    y = 0.5 * m + rng.normal(size=N)
    return pd.DataFrame({
        "t": t, "x": x, "z": z, "m": m, "y": y, "p": (y > 0).astype(int),
        "two": np.where(t > 1, 3.0, 2.0), "g": pd.Categorical(np.array(list("abc"))[np.arange(N) % 3]),
        "count": rng.poisson(2.0, N),
    })  # fmt: skip


def build(data, right="m + t + x", outcome="y", mediator="t + x", **arguments):
    family = {"y": "gaussian", "p": "probit"}[outcome]
    return quiet_model(
        data, mediator=f"m ~ {mediator}", outcome=f"{outcome} ~ {right}",
        **{"treatment": "t", "control": 0, "treated": 1, "outcome_family": family, **arguments},
    )  # fmt: skip


def made(model, seed=4):
    """A fit with draws at random."""
    rng = np.random.default_rng(seed)
    beta, coef = (0.4 * rng.normal(size=(S, len(d.terms))) for d in model.designs)
    arrays = {"mediator_coef": beta, "mediator_sigma": np.linspace(0.9, 1.2, S),
              "outcome_coef": coef}  # fmt: skip
    if model.families["outcome"].latent == "free":
        arrays["outcome_sigma"] = np.linspace(0.8, 1.1, S)
    return hand_fit(model, **arrays)


# -- the joint law of treatment, mediator and outcome -------------------------------------------

MATRICES = [np.eye(3), R, np.array([[1, -0.7, 0.5], [-0.7, 1, -0.8], [0.5, -0.8, 1.0]]),
            np.array([[1, 0, 0.6], [0, 1, 0.5], [0.6, 0.5, 1.0]])]  # fmt: skip


def structural(found, matrix, sigma_t, alpha, eta_m, eta_y):
    """The structural equations as functions of t, m and the covariate, by the module's text."""
    shift, (by_t, by_m) = found.mediator_shift[0], found.outcome_shifts

    def f_m(t, x):
        return eta_m(t, x) - shift * (t - alpha(x))

    def f_y(t, m, x):
        return eta_y(t, m, x) - by_t[0] * (t - alpha(x)) - by_m[0] * (m - f_m(t, x))

    return f_m, f_y


@pytest.mark.parametrize("matrix", MATRICES)
def test_the_law_of_all_three_does_not_change_along_the_map(matrix):
    """Row log-likelihoods of (T, M, Y): trivariate normal residuals against three regressions."""
    rng = np.random.default_rng(1)
    x, t, m, y = 1.5 * rng.normal(size=(4, 60))
    sigmas = 0.7, 1.2, 0.9

    def alpha(x):
        return 0.3 + 0.5 * x

    def eta_m(t, x):
        return 0.2 + 0.6 * t - 0.3 * x + 0.2 * t * x + 0.1 * t**2

    def eta_y(t, m, x):
        return -0.1 + 0.4 * m - 0.2 * t + 0.3 * t * m + 0.1 * m * x + 0.2 * x + 0.1 * m**2

    found = treatment_map(
        tuple(np.array([s]) for s in sigmas),
        tuple(np.array([matrix[i, j]]) for i, j in ((0, 1), (0, 2), (1, 2))),
    )
    f_m, f_y = structural(found, matrix, sigmas[0], alpha, eta_m, eta_y)
    sds = np.array([sigmas[0], found.mediator_sigma[0], found.outcome_sigma[0]])
    covariance = sds[:, None] * matrix * sds
    residuals = np.column_stack([t - alpha(x), m - f_m(t, x), y - f_y(t, m, x)])
    joint = stats.multivariate_normal(np.zeros(3), covariance).logpdf(residuals)
    regressions = (
        stats.norm.logpdf(t, alpha(x), sigmas[0])
        + stats.norm.logpdf(m, eta_m(t, x), sigmas[1])
        + stats.norm.logpdf(y, eta_y(t, m, x), sigmas[2])
    )
    np.testing.assert_allclose(joint, regressions, atol=1e-10)
    # A 0/1 outcome is Y > 0: its probability given T and M, from the normal law of e_y given both.
    across = covariance[2, :2] @ np.linalg.inv(covariance[:2, :2])
    mean = f_y(t, m, x) + residuals[:, :2] @ across
    left = np.sqrt(covariance[2, 2] - across @ covariance[:2, 2])
    np.testing.assert_allclose(
        stats.norm.logcdf(mean / left), stats.norm.logcdf(eta_y(t, m, x) / sigmas[2]), atol=1e-10
    )


@pytest.mark.parametrize("matrix", MATRICES)
def test_structural_paths_come_back_from_their_regressions(data, matrix, monkeypatch):
    """a, b and c' are chosen; the regressions follow from the covariance of (T, M, Y) given x."""
    a, b, direct, sds = 0.6, 0.5, -0.2, np.array([0.8, 1.1, 0.7])
    # Structural: (I - B) (T, M, Y) = e, and no covariates, whose place is the constant.
    path = np.linalg.inv(np.eye(3) - np.array([[0, 0, 0], [a, 0, 0], [direct, b, 0.0]]))
    covariance = path @ (sds[:, None] * matrix * sds) @ path.T
    on_t = covariance[1, 0] / covariance[0, 0]
    s_m = np.sqrt(covariance[1, 1] - on_t * covariance[1, 0])
    on_tm = np.linalg.solve(covariance[:2, :2], covariance[:2, 2])
    s_y = np.sqrt(covariance[2, 2] - on_tm @ covariance[:2, 2])
    model = quiet_model(data, mediator="m ~ t", outcome="y ~ m + t", treatment="t", control=0.5,
                        treated=2.5)  # fmt: skip
    terms = list(model.designs[1].terms)
    coef = np.zeros((2, 3))
    coef[:, terms.index("t")], coef[:, terms.index("m")] = on_tm
    fit = hand_fit(model, mediator_coef=np.array([[0.0, on_t]] * 2), outcome_coef=coef,
                   mediator_sigma=np.full(2, s_m), outcome_sigma=np.full(2, s_y))  # fmt: skip
    known = TreatmentEquation(np.zeros((2, 1)), np.full(2, sds[0]))
    monkeypatch.setattr(treatment_confounding, "treatment_equation", lambda *_: known)
    draws = fit.effects_with_treatment_confounding(matrix[0, 1], matrix[0, 2], matrix[1, 2]).draws
    np.testing.assert_allclose(draws["acme"], 2.0 * a * b, rtol=1e-10)
    np.testing.assert_allclose(draws["ade"], 2.0 * direct, rtol=1e-10)
    np.testing.assert_allclose(draws["total"], 2.0 * (a * b + direct), rtol=1e-10)


# -- simulation ---------------------------------------------------------------------------------


def population(n, seed, interaction):
    rng = np.random.default_rng(seed)
    e = np.linalg.cholesky(R) @ rng.standard_normal((3, n))
    x, z = rng.standard_normal((2, n))
    t = 1.0 + 0.5 * x - 0.3 * z + 0.7 * e[0]

    def mediator(t):
        return 0.5 * t + 0.4 * x + 0.2 * z + 0.8 * e[1]

    def outcome(t, m):
        return 0.3 * t + 0.6 * m + interaction * t * m + 0.2 * x + 1.1 * e[2]

    return t, x, z, mediator, outcome


@pytest.mark.slow
@pytest.mark.parametrize(
    ("outcome", "interaction"), [("y", 0.0), ("y", 0.3), ("p", 0.0), ("p", 0.3)]
)
def test_the_truth_is_found_in_a_large_sample(outcome, interaction):
    """Against the counterfactuals of the very units, n = 200 000.

    The slopes in T and M have standard errors near 1.1 / (0.7 sqrt(n)) = 0.0035 and
    1.1 / (0.8 sqrt(n)) = 0.0031, more with the interaction and for 0/1 outcomes, whose effects
    are about a third as large; 0.02 and 0.01 are some four of them.
    """
    t, x, z, mediator, of = population(200_000, 12, interaction)
    m = mediator(t)
    y = of(t, m)
    frame = pd.DataFrame({"t": t, "x": x, "z": z, "m": m, "y": y, "p": (y > 0).astype(int)})
    right = f"m {'*' if interaction else '+'} t + x + z"
    fit = point_fit(build(frame, right, outcome, "t + x + z"))
    found = fit.effects_with_treatment_confounding(**GIVEN).draws
    naive = fit.effects().draws

    def mean(a, b):
        value = of(a, mediator(b))
        return (value > 0).mean() if outcome == "p" else value.mean()

    cells = {(a, b): mean(a, b) for a in (0, 1) for b in (0, 1)}
    tolerance = 0.01 if outcome == "p" else 0.02
    for arm, s in (("control", 0), ("treated", 1)):
        acme, ade = cells[s, 1] - cells[s, 0], cells[1, s] - cells[0, s]
        assert value(found, "acme", arm) == pytest.approx(acme, abs=tolerance)
        assert value(found, "ade", arm) == pytest.approx(ade, abs=tolerance)
        assert abs(value(naive, "acme", arm) - acme) > 5 * tolerance  # what was mended
    assert value(found, "total") == pytest.approx(cells[1, 1] - cells[0, 0], abs=tolerance)


# -- what it reduces to -------------------------------------------------------------------------

RIGHTS = ["m + t + x", "m * t + x", "m * x + t * x", "x + t + m + z"]


@pytest.mark.each(2)
@pytest.mark.parametrize("right", RIGHTS)
@pytest.mark.parametrize("outcome", ["y", "p"])
def test_without_correlations_it_is_the_effects_and_with_rho_my_the_curve(data, outcome, right):
    fit = made(build(data, right, outcome))
    none = fit.effects_with_treatment_confounding().draws
    for name, wanted in fit.effects().draws.items():
        np.testing.assert_allclose(none[name], wanted, rtol=1e-9, atol=1e-12)
    for rho in (-0.6, 0.4):
        found = fit.effects_with_treatment_confounding(rho_my=rho).draws
        curve = fit.sensitivity([rho]).draws.isel(rho=0)
        for name in ("acme", "ade", "total"):
            np.testing.assert_allclose(found[name], curve[name], rtol=1e-8, atol=1e-10)


def test_offsets_and_covariate_values_go_into_the_means(data):
    fit = made(build(data, "m * t + x + z", "p", "t + x + z", mediator_data={"offset": "z"}))
    for at in (None, {"x": 1.0}):
        found = fit.effects_with_treatment_confounding(at=at).draws
        for name, wanted in fit.effects(at=at).draws.items():
            np.testing.assert_allclose(found[name], wanted, rtol=1e-9, atol=1e-12)
    moved = made(build(data, outcome_data={"offset": "z"}))
    np.testing.assert_allclose(
        moved.effects_with_treatment_confounding(0.2, 0.1, 0.1).draws["acme"],
        made(build(data)).effects_with_treatment_confounding(0.2, 0.1, 0.1).draws["acme"],
        rtol=1e-10,
    )


def test_a_fit_at_another_rho_starts_from_its_regression(data):
    """The same regression, written at rho = 0.4: b_m falls by rho s / (k s_m)."""
    plain = build(data, "m + t + x")
    base = made(plain)
    flat = {name: base.posterior[name].to_numpy().reshape(S, -1) for name in base.posterior}
    s, s_m, k = flat["outcome_sigma"][:, 0], flat["mediator_sigma"][:, 0], np.sqrt(1 - 0.4**2)
    terms, step, coef = (
        list(plain.designs[1].terms),
        0.4 * s / (k * s_m),
        flat["outcome_coef"].copy(),
    )
    coef[:, terms.index("m")] -= step
    for j, term in enumerate(plain.designs[0].terms):
        coef[:, terms.index(term)] += step * flat["mediator_coef"][:, j]
    fit = hand_fit(build(data, rho=0.4), mediator_coef=flat["mediator_coef"], mediator_sigma=s_m,
                   outcome_coef=coef, outcome_sigma=s / k)  # fmt: skip
    np.testing.assert_allclose(
        fit.effects_with_treatment_confounding(**GIVEN).draws["acme"],
        base.effects_with_treatment_confounding(**GIVEN).draws["acme"], rtol=1e-9,
    )  # fmt: skip


def test_a_correlation_of_treatment_and_outcome_alone_spares_the_acme(data):
    """With rho_tm = rho_my = 0 the mediator's slope is right; the direct effect is not."""
    fit = made(build(data))
    found, plain = fit.effects_with_treatment_confounding(rho_ty=0.5).draws, fit.effects().draws
    np.testing.assert_allclose(found["acme"], plain["acme"], rtol=1e-10)
    assert (found["ade"] < plain["ade"] - 0.05).all()


# -- the treatment equation ---------------------------------------------------------------------


def test_draws_of_the_treatment_equation_have_the_posterior_of_a_linear_regression():
    """Means and sds of 200 000 draws against Student t and inverse chi-square formulas."""
    rng = np.random.default_rng(5)
    n, size = 30, 200_000
    w = np.column_stack([np.ones(n), rng.normal(size=(n, 2)) * [1.0, 50.0]])
    t = w @ [1.0, 0.5, 0.02] + 0.8 * rng.normal(size=n)
    drawn = treatment_equation(t, w, size, np.random.default_rng(1))
    estimate, (left,), *_ = np.linalg.lstsq(w, t)
    df = n - 3
    spread = np.sqrt(np.diag(np.linalg.inv(w.T @ w)) * left / (df - 2))
    np.testing.assert_array_less(
        np.abs(drawn.coef.mean(axis=0) - estimate) / spread, 4 / np.sqrt(size)
    )
    np.testing.assert_allclose(drawn.coef.std(axis=0), spread, rtol=0.01)
    wanted = stats.chi2(df).ppf([0.9, 0.5, 0.1])
    np.testing.assert_allclose(
        np.quantile(drawn.sigma**2, [0.1, 0.5, 0.9]), left / wanted, rtol=0.01
    )


def test_covariates_are_the_union_of_both_equations_without_treatment_and_mediator(data):
    model = build(data, "m * t + C(g) * t + z + t:z", mediator="t * C(g)")
    found = treatment_covariates(model).observed(model)
    dummies = [(data["g"] == level).to_numpy(dtype=float) for level in "bc"]
    wanted = np.column_stack([np.ones(N), *dummies, data["z"]])
    assert found.shape == wanted.shape
    np.testing.assert_allclose(wanted @ np.linalg.lstsq(wanted, found)[0], found, atol=1e-10)
    none = build(data, "m + t", mediator="t")
    np.testing.assert_array_equal(treatment_covariates(none).observed(none), np.ones((N, 1)))


def test_a_treatment_that_covariates_determine_is_refused(data):
    frame = data.assign(double=2.0 * data["t"] + 1e-7 * data["z"])
    fit = made(build(frame, "m + t + double", mediator="t + double"))
    with pytest.raises(ValueError, match="determine the treatment"):
        fit.effects_with_treatment_confounding(0.1)


# -- priors and what is refused -----------------------------------------------------------------


@pytest.mark.slow
def test_priors_are_drawn_independently_of_the_data(data):
    """ACME = a b in the linear case; a = a0 - rho s_m / (sqrt(1 - rho^2) sigma_t), draw by draw."""
    model, size = build(data), 20_000
    coef = np.zeros(len(model.designs[1].terms))
    coef[list(model.designs[1].terms).index("m")] = 0.5
    beta = np.array([0.0, 0.4, 0.0])
    assert model.designs[0].terms[1] == "t"
    fit = hand_fit(model, mediator_coef=np.repeat(beta[None], size, 0),
                   mediator_sigma=np.ones(size), outcome_coef=np.repeat(coef[None], size, 0),
                   outcome_sigma=np.ones(size))  # fmt: skip
    prior = bm.Prior("Uniform", lower=-0.3, upper=0.5)
    effects = fit.effects_with_treatment_confounding(rho_tm=prior)
    acme = effects.draws["acme"].sel(arm="average").to_numpy()
    w = np.column_stack([np.ones(N), data["x"]])
    left = np.sum((data["t"] - w @ np.linalg.lstsq(w, data["t"])[0]) ** 2)
    points = stats.uniform(-0.3, 0.8).ppf((np.arange(2000) + 0.5) / 2000)
    # E[1 / sigma_t]: sigma_t = sqrt(left / chi2(N - 2)).
    inverse = stats.chi(N - 2).mean() / np.sqrt(left)
    wanted = 0.5 * (0.4 - (points / np.sqrt(1 - points**2)).mean() * inverse)
    assert acme.mean() == pytest.approx(wanted, abs=4 * acme.std() / np.sqrt(size))
    assert "rho_tm ~ Prior" in repr(effects)
    same = fit.effects_with_treatment_confounding(rho_tm=prior).draws["acme"]
    np.testing.assert_array_equal(same, effects.draws["acme"])
    other = fit.effects_with_treatment_confounding(rho_tm=prior, random_seed=9).draws["acme"]
    assert not np.array_equal(other, same)


def test_triples_that_are_no_correlations_are_drawn_again(data):
    """rho_tm = 0.8 and rho_ty = 0.8 leave rho_my above 0.28 = 0.8^2 - (1 - 0.8^2)."""
    prior = bm.Prior("Uniform", lower=0.0, upper=0.9)
    fit = made(build(data))
    size = 4000
    flat = {n: fit.posterior[n].to_numpy().reshape(S, -1) for n in fit.posterior}
    long = {n: np.resize(v, (size, v.shape[1])).squeeze() for n, v in flat.items()}
    fit = hand_fit(fit.model, **long)
    effects = fit.effects_with_treatment_confounding(0.8, 0.8, prior)
    share = effects.about["impossible"]
    wanted = 0.28 / 0.9
    assert share == pytest.approx(wanted, abs=4 * np.sqrt(wanted * (1 - wanted) / size))
    assert "had no positive definite matrix" in repr(effects)
    assert all(np.isfinite(v).all() for v in effects.draws.data_vars.values())
    low = bm.Prior("Uniform", lower=-0.9, upper=0.3)
    with pytest.raises(ValueError, match="those of no three variables"):
        fit.effects_with_treatment_confounding(0.8, 0.8, low)


def test_impossible_correlations_are_refused(data):
    fit = made(build(data))
    with pytest.raises(ValueError, match=r"rho_my=-0.5.*positive definite"):
        fit.effects_with_treatment_confounding(0.8, 0.8, -0.5)
    with pytest.raises(ValueError, match=r"rho_ty: .*strictly between"):
        fit.effects_with_treatment_confounding(rho_ty=1.0)
    with pytest.raises(ValueError, match=r"rho_tm: .*strictly between"):
        fit.effects_with_treatment_confounding(rho_tm=float("nan"))
    with pytest.raises(ValueError, match=r"rho_my: .*mass outside"):
        fit.effects_with_treatment_confounding(rho_my=bm.Prior("Normal", mu=0, sigma=0.1))
    with pytest.raises(TypeError, match="rho_tm"):
        fit.effects_with_treatment_confounding("0.3")
    with pytest.raises(ValueError, match="random_seed"):
        fit.effects_with_treatment_confounding(0.3, random_seed=-1)


@pytest.mark.each(3)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"treatment": "two", "control": 2, "treated": 3}, "two-valued"),
        ({"treatment": "g", "control": "a", "treated": "b"}, "categorical"),
        ({"right": "m + I(m**2) + t + x"}, "inside a function"),
        ({"right": "m + t"}, "closed pair"),
        ({"outcome_family": "student_t"}, "Gaussian or probit"),
        ({"mediator_family": "student_t"}, "Gaussian or probit"),
        ({"priors_on": "structural"}, "priors_on='regression'"),
    ],
)
def test_what_the_map_does_not_cover_is_refused(data, arguments, message):
    treatment = arguments.get("treatment", "t")
    given = {"right": f"m + {treatment} + x", "mediator": f"{treatment} + x", **arguments}
    model = build(data, **given)
    size = [len(design.terms) for design in model.designs]
    fit = hand_fit(
        model, mediator_coef=np.zeros((S, size[0])), outcome_coef=np.zeros((S, size[1])),
        **{name: np.ones(S) for name in ("mediator_sigma", "outcome_sigma", "outcome_nu", "mediator_nu")},
    )  # fmt: skip
    with pytest.raises(ValueError, match=message):
        fit.effects_with_treatment_confounding(0.2)


def test_a_loaded_fit_needs_its_model(data, tmp_path):
    fit = made(build(data))
    fit.save(tmp_path / "fit.nc")
    with pytest.raises(ValueError, match="equation of the treatment needs the formulas"):
        bm.load(tmp_path / "fit.nc").effects_with_treatment_confounding(0.2)
    again = bm.load(tmp_path / "fit.nc", model=fit.model)
    np.testing.assert_allclose(
        again.effects_with_treatment_confounding(**GIVEN).draws["acme"],
        fit.effects_with_treatment_confounding(**GIVEN).draws["acme"], rtol=1e-10,
    )  # fmt: skip


def test_schema_and_what_a_table_says(data):
    effects = made(build(data)).effects_with_treatment_confounding(**GIVEN)
    assert effects.draws["acme"].dims == ("arm", "chain", "draw")
    assert set(effects.draws.data_vars) == {"acme", "ade", "total", "prop_mediated"}
    first = repr(effects).splitlines()[0]
    assert "rho set to 0.4" in first
    assert "rho_tm set to 0.3, rho_ty set to -0.25, rho_my set to 0.4" in first
