"""Corners in which an interpolation, a range or a default once went wrong, against quadrature."""

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special, stats

import bayesmed as bm
from bayesmed.effects.view import View
from bayesmed.means.along_rho import Regression
from bayesmed.means.means import cell_means
from bayesmed.means.target import MEAN, target_of
from bayesmed.means.tipping import tipping_points
from bayesmed.system.default_priors import default_priors, default_scale_priors
from tests.support.handmade import hand_draws, hand_rows, pair_of
from tests.support.models import quiet_model

ARMS = (0, 1)


def test_tails_of_an_outcome_whose_sigma_differs_by_row():
    """A probit mediator and log-logistic times with sigma 0.1 or 0.95, E[Y(1, M(1))] at rho = 0.5."""
    sigma, rho, b = np.array([0.1] + [0.95] * 9), 0.5, 0.4
    n, k = len(sigma), np.sqrt(1 - 0.5**2)
    one = np.ones((2, n, 1))
    rows = hand_rows(
        pair_of("probit", "loglogistic"), one, base=0.0 * one, slope=one,
        sigma=np.broadcast_to(np.log(sigma)[:, None], (2, n, 1)).copy(),
    )  # fmt: skip
    outcome = np.array([[b]]), {}, np.ones((1, 1))
    draws = hand_draws((np.array([[0.2]]), {}), outcome, np.array([rho]))
    mine = cell_means(draws, rows)[1, 1, 0]

    def mean(s):
        def integrand(x):
            z = stats.norm.logsf(x) - stats.norm.logcdf(x)  # minus the logit of Phi(x)
            above = special.ndtr((rho * x + 0.2) / k)
            return np.exp(-s * z - 0.5 * x * x) * (1 + above * np.expm1(b)) / np.sqrt(2 * np.pi)

        return integrate.quad(integrand, -10, 38, limit=500, epsabs=1e-10)[0]

    assert mine == pytest.approx(np.mean([mean(s) for s in sigma]), rel=1e-6)


@pytest.mark.parametrize("q", [-0.2, -0.5, -1.0])
def test_a_function_of_the_mediator_that_turns(q):
    """A Poisson outcome with m and m^2, rho = 0.5, one location for all rows."""
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"t": np.arange(30) % 2, "m": rng.normal(size=30)})
    data["y"] = rng.poisson(1.5, 30)
    model = quiet_model(
        data, mediator="m ~ t", outcome="y ~ t + m + I(m**2)", treatment="t",
        outcome_family="poisson",
    )  # fmt: skip
    assert model.designs[1].terms == ("Intercept", "t", "m", "I(m ** 2)")
    draws = hand_draws((np.array([[0.2, 0.5]]), {"sigma": np.array([0.7])}),
                       (np.array([[1.0, 0.4, 0.1, q]]), {}), np.array([0.5]))  # fmt: skip
    mine = cell_means(draws, model.counterfactuals)[..., 0]
    e, counts = np.linspace(-9, 9, 6001), np.arange(120)
    for t in ARMS:
        for s in ARMS:
            m = 0.2 + 0.5 * s + 0.7 * e
            rate = np.exp(1.0 + 0.4 * t + 0.1 * m + q * m * m)
            scores = special.ndtri(special.pdtr(counts, rate[:, None]))
            given = special.ndtr((0.5 * e[:, None] - scores) / np.sqrt(0.75)).sum(axis=1)
            truth = integrate.trapezoid(given * stats.norm.pdf(e), e)
            assert mine[t, s] == pytest.approx(truth, rel=2e-6), (t, s)


@pytest.mark.slow
def test_as_many_rows_with_trials_of_their_own_as_draws():
    """Trials by row are not parameters by draw, however many there are."""
    count, rng = 20, np.random.default_rng(2)
    one, trials = np.ones((2, count, 1)), np.arange(1.0, count + 1.0)
    families = pair_of("gaussian", "binomial")
    rows = hand_rows(families, one, base=0 * one, slope=one, columns={"trials": trials})
    draws = hand_draws((rng.normal(size=(count, 1)), {"sigma": np.ones(count)}),
                       (rng.normal(size=(count, 1)), {}), np.full(count, 0.4))  # fmt: skip
    whole = cell_means(draws, rows)
    apart = [cell_means(draws, rows.take(np.array([i]))) for i in range(count)]
    np.testing.assert_allclose(whole, np.mean(apart, axis=0), rtol=1e-6)


def test_default_priors_of_rare_counts_stand_where_the_rate_is():
    y = np.zeros(400)
    y[:8] = 1.0
    model = quiet_model(
        pd.DataFrame({"t": np.arange(400) % 2, "m": np.random.default_rng(3).normal(size=400), "y": y}),
        mediator="m ~ t", outcome="y ~ t + m", treatment="t", outcome_family="poisson",
    )  # fmt: skip
    found = model.priors_in_use["outcome"]["Intercept"].parameters
    assert found["mu"] == pytest.approx(np.log(0.02))
    assert found["sigma"] == pytest.approx(2.5)


def test_default_priors_are_wider_where_values_are_hidden():
    simulated = bm.simulate(
        200, outcome_family="weibull", censored=0.6, random_seed=1, truth_size=100
    ).data
    model = quiet_model(
        simulated, mediator="m ~ treat", outcome="y ~ treat + m", treatment="treat",
        outcome_family="weibull", outcome_data={"event": "event"},
    )  # fmt: skip
    design, family = model.designs[1], model.families["outcome"]
    whole = default_priors(design, family, model.equations["outcome"].response.values)
    seen = simulated["event"].mean()
    for term in design.terms:
        mine = model.priors_in_use["outcome"][term].parameters["sigma"]
        assert mine == pytest.approx(whole[term].parameters["sigma"] / np.sqrt(seen))


def test_default_priors_of_log_sigma_know_the_scale_without_an_intercept():
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"t": np.arange(60) % 2, "g": rng.choice(["a", "b"], 60)})
    data["m"] = rng.normal(size=60)
    data["y"] = 5000.0 * rng.normal(size=60)
    model = quiet_model(data, mediator="m ~ t", outcome="y ~ t + m", treatment="t",
                        outcome_sigma="~ 0 + C(g)")  # fmt: skip
    found = default_scale_priors(
        model.equations["outcome"].sigma,
        model.families["outcome"],
        model.equations["outcome"].response.values,
        None,
    )
    for prior in found.values():
        assert prior.parameters["mu"] == pytest.approx(np.log(data["y"].std(ddof=0)))


def shifted_model():
    rng = np.random.default_rng(5)
    data = pd.DataFrame({"t": np.arange(40) % 2, "x": rng.normal(size=40)})
    data["xc"] = data["x"] - 0.5
    data["m"], data["y"] = rng.normal(size=40), (rng.normal(size=40) > 0).astype(int)
    return quiet_model(data, mediator="m ~ t + x", outcome="y ~ t + m + xc", treatment="t",
                       outcome_family="probit")  # fmt: skip


def test_curve_where_set_covariates_break_the_span():
    """x and its shifted copy agree in the data, but not at x = 2 alone."""
    model = shifted_model()
    rng = np.random.default_rng(6)
    coef = rng.normal(size=(4, 4))
    mediator = rng.normal(size=(4, 3)), {"sigma": np.full(4, 0.8)}
    draws = hand_draws(mediator, (coef, {}), np.zeros(4))
    regression = Regression(draws, model.identification.map)
    view = View(model.counterfactuals_at({"x": 1.5}), target_of(MEAN, model.families["outcome"]))
    curve = view.curve(regression, np.array([-0.3, 0.6]))
    for i, rho in enumerate((-0.3, 0.6)):
        np.testing.assert_allclose(curve[i], view.cells(regression.at(rho)), rtol=1e-9)


def test_exact_root_where_rows_differ_in_the_sign_of_the_effect_on_the_mediator():
    """Equal slopes: 0.5 / sqrt(1 + 0.5^2), though some rows' mediator falls."""
    data = bm.simulate(60, outcome_family="lognormal", random_seed=7, truth_size=100).data
    model = quiet_model(data, mediator="m ~ treat * x", outcome="y ~ m + treat * x",
                        treatment="treat", outcome_family="lognormal")  # fmt: skip
    size = 3
    mediator = np.tile([0.1, 0.3, 0.2, 0.6], (size, 1))
    outcome = np.zeros((size, len(model.designs[1].terms)))
    outcome[:, list(model.designs[1].terms).index("m")] = 0.5
    sigma = {"sigma": np.ones(size)}
    draws = hand_draws((mediator, sigma), (outcome, sigma), np.zeros(size))
    regression = Regression(draws, model.identification.map)
    found, _ = tipping_points(regression, model.counterfactuals)
    exact = 0.5 / np.sqrt(1.25)
    assert np.all(np.isclose(found, exact, atol=1e-9) | (np.abs(found) < exact))
