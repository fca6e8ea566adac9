"""Measurement error of the mediator: the map against the joint law and against simulation."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesmed as bm
from bayesmed.effects.measurement_error import DEFAULT_RELIABILITIES, MOST_IMPOSSIBLE, error_map
from tests.support.handmade import hand_fit, point_fit, value
from tests.support.models import quiet_model

N, S = 60, 6
OUTCOMES = {
    "gaussian": {},
    "probit": {},
    "ordered_probit": {},
    "tobit": {"outcome_data": {"lower": -0.3}},
    "lognormal": {},
}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(8)
    t, x = np.arange(N) % 2, rng.normal(size=N)
    m = 0.5 * t + 0.4 * x + rng.normal(size=N)
    y = 0.5 * m + rng.normal(size=N)
    return pd.DataFrame({
        "t": t, "x": x, "m": m, "pm": np.exp(m), "gaussian": y, "probit": (y > 0).astype(int),
        "ordered_probit": np.digitize(y, [-1.0, 0.0, 1.0]), "tobit": np.maximum(y, -0.3),
        "lognormal": np.exp(y), "count": rng.poisson(2.0, N),
    })  # fmt: skip


def build(data, outcome="gaussian", right="m + t + x", **arguments):
    return quiet_model(
        data, mediator="m ~ t + x", outcome=f"{outcome} ~ {right}", treatment="t",
        **{"outcome_family": outcome, **OUTCOMES.get(outcome, {}), **arguments},
    )  # fmt: skip


def made(model, seed=4):
    """A fit with draws at random that leave room for error."""
    rng = np.random.default_rng(seed)
    beta, coef = (0.4 * rng.normal(size=(S, len(d.terms))) for d in model.designs)
    arrays = {"mediator_coef": beta, "mediator_sigma": np.linspace(0.9, 1.2, S),
              "outcome_coef": coef}  # fmt: skip
    if model.families["outcome"].latent == "free":
        arrays["outcome_sigma"] = np.linspace(0.8, 1.1, S)
    if model.equations["outcome"].response.levels:
        arrays["outcome_cutpoints"] = np.linspace(0.9, 1.1, S)[:, None] * [-0.9, 0.2, 1.1]
    return hand_fit(model, **arrays)


# -- the joint law of observed mediator and outcome ---------------------------------------------


@pytest.mark.parametrize("rho", [-0.6, 0.0, 0.7])
@pytest.mark.parametrize("share", [0.55, 0.8, 1.0])
def test_the_law_of_the_observed_does_not_change_along_the_map(rho, share):
    """Row log-likelihoods of (M*, Y), by the bivariate normal of the structural model."""
    g0, s, s_m, u = 0.5, 0.9, 1.1, (1.0 - share) * 1.1**2
    found = error_map(np.full((2, 1), g0), np.array([s]), np.array([s_m]), np.array([u]), rho)
    assert found.possible.all()
    g, sigma_m, sigma_y = found.slope[0, 0], found.mediator_sigma[0], found.outcome_sigma[0, 0]
    # Structural: M has mean a, Y has mean c + g M; both means are linear in (t, x), which are fixed.
    a, c0 = 0.3, -0.2
    c = c0 - (g - g0) * a
    e = stats.norm.rvs(size=(40, 2), random_state=1)
    m, y = a + 1.5 * e[:, 0], 2.0 * e[:, 1]
    across = g * sigma_m**2 + rho * sigma_m * sigma_y
    spread = g**2 * sigma_m**2 + 2.0 * g * rho * sigma_m * sigma_y + sigma_y**2
    joint = stats.multivariate_normal(
        [a, c + g * a], [[sigma_m**2 + u, across], [across, spread]]
    ).logpdf(np.column_stack([m, y]))  # fmt: skip
    regression = stats.norm.logpdf(m, a, s_m) + stats.norm.logpdf(y, c0 + g0 * m, s)
    np.testing.assert_allclose(joint, regression, atol=1e-10)
    # And of a 0/1 outcome: P(latent Y > 0 | M*), the latent residual of sd one.
    slope, intercept = g / sigma_y, c / sigma_y
    across = slope * sigma_m**2 + rho * sigma_m
    mean = intercept + slope * a + across / (sigma_m**2 + u) * (m - a)
    left = slope**2 * sigma_m**2 + 2.0 * slope * rho * sigma_m + 1.0 - across**2 / (sigma_m**2 + u)
    np.testing.assert_allclose(
        stats.norm.logcdf(mean / np.sqrt(left)), stats.norm.logcdf((c0 + g0 * m) / s), atol=1e-10
    )


def latent(fit, arm, rows, m, draw):
    """Mean and sd of the latent outcome given the observed mediator, as the fit has it."""
    posterior = fit.posterior.stack(sample=("chain", "draw")).isel(sample=draw)
    eta = (rows.outcome.base[arm] + m[:, None] * rows.outcome.slope[arm]) @ posterior[
        "outcome_coef"
    ].to_numpy()
    return eta, float(posterior["outcome_sigma"]) if "outcome_sigma" in posterior else 1.0


@pytest.mark.each(3)
@pytest.mark.parametrize("right", ["m + t + x", "m * t + x", "m * t + t * x"])
@pytest.mark.parametrize("outcome", ["gaussian", "probit", "ordered_probit", "tobit", "lognormal"])
def test_coefficients_of_every_outcome_keep_the_law_in_each_arm(data, outcome, right):
    """The structural draws imply the regression: E and Var of latent Y given M*, by linear algebra."""
    from bayesmed.effects.measurement_error import _observed

    model = build(data, outcome, right)
    fit, rho = made(model), np.full(S, 0.35)
    observed, rows = _observed(fit), model.counterfactuals
    share = 0.85
    found = observed.map(np.full(S, share), rho)
    assert found.possible.all()
    m = np.linspace(-2.0, 2.0, N)
    for draw in range(S):
        u = (1.0 - share) * data["m"].var()
        for arm in (0, 1):
            one = observed.structural(found, rho, arm)
            sigma_m = one.mediator.parameters["sigma"][draw]
            assert sigma_m**2 + u == pytest.approx(np.linspace(0.9, 1.2, S)[draw] ** 2, abs=1e-12)
            sigma_y = (
                one.outcome.parameters["sigma"][draw] if "sigma" in one.outcome.parameters else 1.0
            )
            g = rows.outcome.slope[arm] @ one.outcome.coef[draw]
            a = rows.mediator.design[arm] @ one.mediator.coef[draw]
            across = g * sigma_m**2 + rho[draw] * sigma_m * sigma_y
            mean = (
                rows.outcome.base[arm] @ one.outcome.coef[draw]
                + g * a
                + across / (sigma_m**2 + u) * (m - a)
            )
            left = (g * sigma_m) ** 2 + 2 * g * rho[draw] * sigma_m * sigma_y + sigma_y**2
            left = np.sqrt(left - across**2 / (sigma_m**2 + u))
            eta, s = latent(fit, arm, rows, m, draw)
            if outcome == "ordered_probit":
                cut = one.outcome.parameters["cutpoints"][:, draw]
                own = fit.posterior["outcome_cutpoints"].to_numpy().reshape(S, -1)[draw]
                np.testing.assert_allclose(
                    (cut[:, None] - mean) / left, own[:, None] - eta, atol=1e-10
                )
            elif outcome == "probit":
                np.testing.assert_allclose(mean / left, eta, atol=1e-10)
            else:
                np.testing.assert_allclose(mean, eta, atol=1e-10)
                np.testing.assert_allclose(left, s, atol=1e-10)


# -- what it reduces to -------------------------------------------------------------------------


@pytest.mark.each(2)
@pytest.mark.parametrize("right", ["m + t + x", "m * t + x"])
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_reliability_of_one_is_the_curve_along_rho(data, outcome, right):
    fit = made(build(data, outcome, right))
    # An ordered outcome's own curve takes another way, through weights.
    for rho in () if outcome == "ordered_probit" else (-0.5, 0.0, 0.6):
        curve = fit.sensitivity([rho], progress=False).draws.isel(rho=0)
        found = fit.effects_with_error(1.0, rho=rho).draws
        for name in ("acme", "ade", "total"):
            np.testing.assert_allclose(found[name], curve[name], rtol=1e-9, atol=1e-11)
    for name in ("acme", "ade", "total"):
        np.testing.assert_allclose(
            fit.effects_with_error(1.0).draws[name], fit.effects().draws[name], rtol=1e-10
        )


@pytest.mark.each(2)
@pytest.mark.parametrize("right", ["m + t + x", "m * t + x"])
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_total_effect_does_not_depend_on_the_reliability(data, outcome, right):
    fit = made(build(data, outcome, right))
    total = fit.effects().draws["total"]
    for share, rho in ((0.8, 0.0), (0.9, 0.5), (0.85, -0.4)):
        found = fit.effects_with_error(share, rho=rho).draws["total"]
        np.testing.assert_allclose(found, total, atol=1e-11)


def test_without_rho_the_gaussian_acme_is_divided_by_the_conditional_reliability(data):
    """ACME = a g0 / (1 - (1 - reliability) Var(M*) / s_m^2), the textbook correction."""
    fit = made(build(data))
    s_m = fit.posterior["mediator_sigma"]
    conditional = 1.0 - 0.2 * data["m"].var() / s_m**2
    before, after = fit.effects().draws["acme"], fit.effects_with_error(0.8).draws["acme"]
    np.testing.assert_allclose(after, (before / conditional).transpose(*after.dims), rtol=1e-10)


# -- simulation with a known error --------------------------------------------------------------


def simulated(rho, share, interaction, seed, n=400_000):
    """A large sample with a mediator measured at a known reliability."""
    rng = np.random.default_rng(seed)
    e_m, e_y = np.linalg.cholesky([[1.0, rho], [rho, 1.0]]) @ rng.standard_normal((2, n))
    t, x = np.arange(n) % 2, rng.standard_normal(n)
    m = 0.5 * t + 0.4 * x + 0.8 * e_m
    observed = m + np.sqrt(m.var() * (1.0 / share - 1.0)) * rng.standard_normal(n)
    y = 0.3 * t + 0.6 * m + interaction * t * m + 0.2 * x + 1.1 * e_y
    return pd.DataFrame({"t": t, "x": x, "m": observed, "y": y, "p": (y > 0).astype(int)})


def truth(frame, probit, rho, interaction):
    """Effects by simulating the counterfactuals of the structural model."""
    rng = np.random.default_rng(99)
    x = frame["x"].to_numpy()
    e_m, e_y = np.linalg.cholesky([[1.0, rho], [rho, 1.0]]) @ rng.standard_normal((2, len(x)))

    def mean(t, s):
        m = 0.5 * s + 0.4 * x + 0.8 * e_m
        y = 0.3 * t + 0.6 * m + interaction * t * m + 0.2 * x + 1.1 * e_y
        return (y > 0).mean() if probit else y.mean()

    cells = {(t, s): mean(t, s) for t in (0, 1) for s in (0, 1)}
    return {
        ("acme", "control"): cells[0, 1] - cells[0, 0],
        ("acme", "treated"): cells[1, 1] - cells[1, 0],
        ("ade", "control"): cells[1, 0] - cells[0, 0],
        ("ade", "treated"): cells[1, 1] - cells[0, 1],
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("outcome", "rho", "share", "interaction"),
    [
        ("y", 0.0, 0.7, 0.0), ("y", 0.4, 0.7, 0.0), ("y", 0.0, 0.8, 0.3), ("y", -0.5, 0.85, 0.0),
        ("p", 0.0, 0.7, 0.0), ("p", 0.4, 0.7, 0.0),
    ],
)  # fmt: skip
def test_the_truth_is_found_at_the_true_reliability_and_rho(outcome, rho, share, interaction):
    """Estimates of 400 000 rows: standard errors at most 0.004 for y and 0.002 for p.

    The slope in M has a standard error of 1.1 / (0.8 sqrt(n)) / 0.6, about 0.004, times a = 0.5;
    ADE and the arm means of a 0/1 outcome have some 0.0016. Four of each are allowed.
    """
    frame = simulated(rho, share, interaction, seed=int(100 * share) + len(outcome))
    right = "m * t + t * x" if interaction else "m + t + x"
    fit = point_fit(quiet_model(
        frame, mediator="m ~ t + x", outcome=f"{outcome} ~ {right}", treatment="t",
        outcome_family="gaussian" if outcome == "y" else "probit",
    ))  # fmt: skip
    draws, naive = fit.effects_with_error(share, rho=rho).draws, fit.effects().draws
    for (name, arm), wanted in truth(frame, outcome == "p", rho, interaction).items():
        assert value(draws, name, arm) == pytest.approx(
            wanted, abs=0.016 if outcome == "y" else 0.0065
        )
    if rho == 0.0:  # the error mattered: uncorrected, the ACME is far too small
        wanted = truth(frame, outcome == "p", rho, interaction)["acme", "treated"]
        assert value(naive, "acme", "treated") < 0.75 * wanted


# -- draws that have no solution ----------------------------------------------------------------


def test_a_draw_is_possible_where_both_residual_variances_are_positive():
    """sigma_u^2 < Var(M* | Y) of the regression, by the formula of a partial correlation."""
    rng = np.random.default_rng(2)
    g0, s, s_m = rng.normal(size=(1, 500)), rng.uniform(0.5, 2, 500), rng.uniform(0.5, 2, 500)
    u = rng.uniform(0.0, 3.0, 500)
    covariance = np.array([[s_m**2, g0[0] * s_m**2], [g0[0] * s_m**2, g0[0] ** 2 * s_m**2 + s**2]])
    given_y = covariance[0, 0] - covariance[0, 1] ** 2 / covariance[1, 1]
    found = error_map(np.repeat(g0, 2, 0), s, s_m, u, np.zeros(500))
    np.testing.assert_array_equal(found.possible, u < given_y)
    assert np.isnan(found.slope[:, ~found.possible]).all()
    assert np.isfinite(found.slope[:, found.possible]).all()
    assert (found.outcome_sigma[:, found.possible] > 0).all()


def spread_fit(data):
    """Forty draws whose least reliabilities differ: the residual sd of M falls."""
    rng = np.random.default_rng(1)
    size, model = 40, build(data)
    return hand_fit(
        model, mediator_coef=np.repeat([[0.1, 0.5, 0.3]], size, 0),
        mediator_sigma=np.linspace(1.3, 0.9, size) * data["m"].std(),
        outcome_coef=np.array([[0.1, 0.0, 0.2, 0.3]]) + 0.01 * rng.normal(size=(size, 4))
        * [1, 0, 1, 1],
        outcome_sigma=np.ones(size),
    )  # fmt: skip


def test_impossible_draws_are_left_out_and_counted(data):
    """The outcome does not hang on M, so a draw is possible iff (1 - reliability) V < s_m^2."""
    fit = spread_fit(data)
    least = 1.0 - (np.linspace(1.3, 0.9, 40)) ** 2
    share = float(np.sort(least)[-2] + 1e-9)  # one of 40 draws lies above
    effects = fit.effects_with_error(share)
    assert effects.about["impossible"] == pytest.approx(1 / 40)
    assert "2.50% of the draws have no solution" in repr(effects).splitlines()[0]
    assert all(np.isfinite(values).all() for values in effects.draws.data_vars.values())
    with pytest.raises(ValueError, match="paired"):
        effects - fit.effects()
    lower = float(np.sort(least)[-4] + 1e-9)  # three of 40
    with pytest.raises(ValueError, match=r"7\.5% of the posterior draws have no solution"):
        fit.effects_with_error(lower)
    curve = fit.reliability_curve([lower, share, 1.0])
    np.testing.assert_allclose(curve.draws["impossible"], [3 / 40, 1 / 40, 0.0])
    assert np.isnan(curve.draws["acme"].isel(reliability=0)).all()
    table = curve.summary()
    assert np.isnan(float(table["median"].iloc[0])) and np.isfinite(float(table["median"].iloc[1]))
    with pytest.raises(ValueError, match="have no solution; choose a larger"):
        curve.at(lower)
    with pytest.raises(ValueError, match="have no solution"):
        fit.reliability_curve([0.5 * lower, lower])


def test_the_message_names_a_reliability_that_works(data):
    fit = spread_fit(data)
    with pytest.raises(ValueError) as caught:
        fit.effects_with_error(0.01)
    named = float(str(caught.value).rsplit(" ", 1)[1].rstrip("."))
    assert fit.effects_with_error(named).about["impossible"] <= MOST_IMPOSSIBLE


# -- priors, the curve, and what is refused -----------------------------------------------------


@pytest.mark.slow
def test_a_prior_of_the_reliability_mixes_the_curve(data):
    """Draws of Beta(80, 20): with 40 000 of them the mean of a / conditional is that of the prior."""
    model, size = build(data), 40_000
    fit = hand_fit(model, **{
        name: np.repeat(values, size, 0) for name, values in {
            "mediator_coef": np.array([[0.1, 0.5, 0.3]]), "mediator_sigma": np.array([1.2]),
            "outcome_coef": np.array([[0.1, 0.4, 0.2, 0.3]]), "outcome_sigma": np.array([1.0]),
        }.items()
    })  # fmt: skip
    prior = bm.Prior("Beta", alpha=80, beta=20)
    effects = fit.effects_with_error(prior)
    assert effects.about["impossible"] == 0.0
    acme = effects.draws["acme"].sel(arm="average").to_numpy()
    points = stats.beta(80, 20).ppf((np.arange(20_000) + 0.5) / 20_000)
    wanted = 0.5 * 0.4 / (1.0 - (1.0 - points) * data["m"].var() / 1.2**2)
    assert acme.mean() == pytest.approx(wanted.mean(), abs=4 * wanted.std() / np.sqrt(size))
    assert np.std(acme) == pytest.approx(wanted.std(), rel=0.03)
    assert "reliability of m ~ Prior" in repr(effects)
    again = fit.effects_with_error(prior).draws["acme"]
    np.testing.assert_array_equal(again, effects.draws["acme"])
    other = fit.effects_with_error(prior, random_seed=5).draws["acme"]
    assert not np.array_equal(other, again)


def test_a_prior_of_rho_and_the_rho_of_the_fit(data):
    fit = made(build(data))
    prior = bm.Prior("Uniform", lower=-0.2, upper=0.2)
    drawn = fit.effects_with_error(0.9, rho=prior)
    ends = np.stack([fit.effects_with_error(0.9, rho=r).draws["acme"] for r in (0.2, -0.2)])
    acme = drawn.draws["acme"].to_numpy()
    assert ((acme >= ends.min(axis=0)) & (acme <= ends.max(axis=0))).all()
    assert "rho ~ Prior" in repr(drawn)


def test_the_curve_is_the_effects_at_each_value(data):
    fit = made(build(data, "probit"))
    curve = fit.reliability_curve([0.9, 0.8, 1.0], rho=0.2)
    assert curve.draws["acme"].dims == ("reliability", "arm", "chain", "draw")
    for share in (0.8, 0.9, 1.0):
        found = fit.effects_with_error(share, rho=0.2)
        for name in ("acme", "ade", "total", "prop_mediated"):
            np.testing.assert_allclose(curve.at(share).draws[name], found.draws[name], rtol=1e-12)
        assert repr(curve.at(share)) == repr(found)
    table = curve.summary(effect="ade", arm="treated", round_to=None)
    np.testing.assert_allclose(
        table["median"], curve.draws["ade"].sel(arm="treated").median(["chain", "draw"])
    )
    assert "impossible" in table and table.index.name == "reliability"
    with pytest.raises(ValueError, match="not on the grid"):
        curve.at(0.5)


def test_the_default_grid_and_effects_at_covariates(data):
    fit = made(build(data, "probit"))
    assert DEFAULT_RELIABILITIES[-1] == 1.0
    grid = fit.reliability_curve(at={"x": 1.0}).draws["reliability"]
    np.testing.assert_array_equal(grid, DEFAULT_RELIABILITIES)
    at = fit.effects_with_error(1.0, at={"x": 1.0}).draws["acme"]
    np.testing.assert_allclose(at, fit.effects(at={"x": 1.0}).draws["acme"], rtol=1e-10)


def test_the_plot_draws_what_there_is(data):
    ax = spread_fit(data).reliability_curve([0.05, 0.3, 1.0]).plot()
    assert ax.get_xlabel() == "Reliability of m"
    drawn = ax.lines[0].get_ydata()
    assert np.isnan(drawn[0]) and np.isfinite(drawn[1:]).all()


@pytest.mark.each(4)
@pytest.mark.parametrize("bad", [0, 0.0, -0.1, 1.0001, float("nan"), float("inf")])
def test_reliabilities_outside_of_zero_to_one_are_refused(data, bad):
    fit = made(build(data))
    with pytest.raises(ValueError, match=r"\(0, 1\]"):
        fit.effects_with_error(bad)
    with pytest.raises(ValueError, match=r"\(0, 1\]"):
        fit.reliability_curve([0.9, bad])


@pytest.mark.parametrize("bad", ["0.8", True, None, [0.8]])
def test_what_is_no_number_is_refused(data, bad):
    with pytest.raises(TypeError, match="number in"):
        made(build(data)).effects_with_error(bad)


@pytest.mark.parametrize(
    "prior",
    [bm.Prior("Normal", mu=0.8, sigma=0.05), bm.Prior("Uniform", lower=0.5, upper=1.1),
     bm.Prior("Uniform", lower=-0.1, upper=1.0), bm.Prior("HalfNormal", sigma=0.1)],
)  # fmt: skip
def test_priors_with_mass_outside_are_refused(data, prior):
    with pytest.raises(ValueError, match=r"has mass outside \(0, 1\]"):
        made(build(data)).effects_with_error(prior)


def test_differences_of_paired_draws_say_what_they_are(data):
    fit = made(build(data))
    gap = fit.effects_with_error(0.9) - fit.effects()
    assert "at as observed, reliability of m set to 0.9 minus as observed." in repr(gap)
    np.testing.assert_allclose(gap.draws["total"], 0.0, atol=1e-12)


def test_a_prior_below_what_the_data_allow_is_refused(data):
    prior = bm.Prior("Uniform", lower=0.01, upper=0.3)
    with pytest.raises(ValueError, match="have no solution"):
        made(build(data)).effects_with_error(prior)


@pytest.mark.parametrize("bad", [1.0, -1.5, float("nan")])
def test_rho_is_checked(data, bad):
    with pytest.raises(ValueError, match="rho"):
        made(build(data)).effects_with_error(0.8, rho=bad)


@pytest.mark.each(4)
@pytest.mark.parametrize(
    ("right", "arguments", "message"),
    [
        ("m * x + t", {}, "plain column"),
        ("m + I(m**2) + t + x", {}, "plain column"),
        ("m * t * x", {}, "plain column"),
        ("m + t", {}, "closed pair"),
        ("m + t + x", {"mediator_sigma": "~ t"}, "closed pair"),
        ("m + t + x", {"outcome_family": "student_t"}, "closed pair"),
        ("m + t + x", {"mediator_family": "student_t"}, "Gaussian mediator"),
        ("m + t + x", {"priors_on": "structural"}, "priors_on='regression'"),
    ],
)
def test_what_the_map_does_not_cover_is_refused(data, right, arguments, message):
    model = build(data, right=right, **arguments)
    size = [len(design.terms) for design in model.designs]
    arrays = {"mediator_coef": np.zeros((S, size[0])), "outcome_coef": np.zeros((S, size[1])),
              "mediator_sigma": np.ones(S), "outcome_sigma": np.ones(S), "outcome_nu": np.ones(S),
              "mediator_nu": np.ones(S)}  # fmt: skip
    fit = hand_fit(model, **arrays)
    for call in (lambda: fit.effects_with_error(0.8), lambda: fit.reliability_curve([0.8])):
        with pytest.raises(ValueError, match=message):
            call()


def test_categories_and_counts_need_a_model_of_their_own(data):
    model = quiet_model(data, mediator="count ~ t + x", outcome="gaussian ~ count + t + x",
                        treatment="t", mediator_family="poisson")  # fmt: skip
    fit = hand_fit(model, mediator_coef=np.zeros((S, 3)), outcome_coef=np.zeros((S, 4)),
                   outcome_sigma=np.ones(S))  # fmt: skip
    with pytest.raises(ValueError, match="Misclassified"):
        fit.effects_with_error(0.8)


def test_a_fit_with_a_prior_of_rho_and_one_from_a_file(data, tmp_path):
    """The correction starts from the regression at 0, whatever rho the fit was made at."""
    rng = np.random.default_rng(3)
    plain, free = build(data), build(data, rho=bm.Prior("Uniform", lower=-0.5, upper=0.5))
    rho, base = rng.uniform(-0.5, 0.5, S), made(plain)
    flat = {name: base.posterior[name].to_numpy().reshape(S, -1) for name in base.posterior}
    k, s, s_m = np.sqrt(1 - rho**2), flat["outcome_sigma"][:, 0], flat["mediator_sigma"][:, 0]
    # By hand: b_m falls by rho s / (k s_m), the others rise by as much times the mediator's.
    terms, own = list(plain.designs[1].terms), list(plain.designs[0].terms)
    step = rho * s / (k * s_m)
    coef = flat["outcome_coef"].copy()
    coef[:, terms.index("m")] -= step
    for j, term in enumerate(own):
        coef[:, terms.index(term)] += step * flat["mediator_coef"][:, j]
    fit = hand_fit(free, mediator_coef=flat["mediator_coef"], mediator_sigma=s_m,
                   outcome_coef=coef, outcome_sigma=s / k, rho=rho)  # fmt: skip
    np.testing.assert_allclose(
        fit.effects_with_error(0.9, rho=0.1).draws["acme"],
        base.effects_with_error(0.9, rho=0.1).draws["acme"], rtol=1e-10,
    )  # fmt: skip
    np.testing.assert_allclose(
        fit.effects_with_error(1.0).draws["acme"], fit.effects().draws["acme"], rtol=1e-9
    )
    base.save(tmp_path / "fit.nc")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = bm.load(tmp_path / "fit.nc")
    np.testing.assert_allclose(
        loaded.effects_with_error(0.9).draws["acme"],
        base.effects_with_error(0.9).draws["acme"], rtol=1e-10,
    )  # fmt: skip
