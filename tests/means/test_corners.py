"""Corners in which an interpolation, a range or a default once went wrong, against quadrature."""

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special, stats

from bayesmed.means.means import cell_means
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
    e, counts = np.linspace(-9, 9, 1501), np.arange(120)
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
