"""Tipping points are the roots of the curve."""

import numpy as np
import pytest
from scipy import optimize

import bayesmed as bm
from bayesmed.means.along_rho import Regression, curve_cells
from bayesmed.means.tipping import roots_on_grid, tipping_points
from bayesmed.sensitivity.grid import DEFAULT_GRID
from tests.support.handmade import hand_draws
from tests.support.models import quiet_model
from tests.support.pairs import closed_model, closed_pairs, closed_truth, regression_of, truth


def acme(model, regression, rho):
    """ACME of control, treated and average at rho, by quadrature: (3, S)."""
    cells = closed_truth(model, regression.at(rho))
    by_arm = cells[:, 1] - cells[:, 0]
    return np.array([*by_arm, by_arm.mean(axis=0)])


def one_draw(regression, i):
    return regression.block(np.array([i]))


@pytest.mark.each
@pytest.mark.parametrize(
    "formulas", ["plain", "T x M", "X x M", "T x X", pytest.param("square", marks=pytest.mark.slow)]
)
@closed_pairs
def test_tipping_points_are_roots_of_the_curve(pair, formulas):
    model = closed_model(pair, formulas)
    regression = regression_of(model, size=4)
    rows, scan, tolerance = model.counterfactuals, np.tanh(np.linspace(-3.8, 3.8, 61)), 1e-7
    if pair[1] == "probit" and rows.outcome.base is None:  # between the grid values of its curve
        curve = np.moveaxis(curve_cells(regression, rows, DEFAULT_GRID), 0, 2)
        by_arm = curve[:, 1] - curve[:, 0]
        found, counts = roots_on_grid(DEFAULT_GRID, np.stack([*by_arm, by_arm.mean(axis=0)]))
        scan, tolerance = DEFAULT_GRID, 1e-3
    else:
        found, counts = tipping_points(regression, rows)
    for rho in (-0.8, 0.6):
        mapped = regression.at(rho)
        np.testing.assert_allclose(closed_truth(model, mapped), truth(model, mapped), atol=1e-9)
    curve = np.stack([acme(model, regression, rho) for rho in scan])
    for i in range(4):
        single = one_draw(regression, i)
        for arm in range(3):
            value = lambda rho, arm=arm, single=single: acme(model, single, rho)[arm, 0]
            places = np.flatnonzero(curve[:-1, arm, i] * curve[1:, arm, i] < 0.0)
            roots = [optimize.brentq(value, scan[j], scan[j + 1], xtol=1e-10) for j in places]
            assert counts[arm, i] == len(roots), (i, arm)
            if roots:
                assert found[arm, i] == pytest.approx(min(roots, key=abs), abs=tolerance), (i, arm)
            else:
                assert np.isnan(found[arm, i])


@closed_pairs
def test_plain_tipping_point_is_the_closed_form(pair):
    model = closed_model(pair, "plain")
    regression = regression_of(model)
    found, counts = tipping_points(regression, model.counterfactuals)
    zero = regression.draws.outcome
    slope = zero.coef[:, model.designs[1].terms.index("m")]
    s = zero.parameters.get("sigma", 1.0)
    x = slope * regression.draws.mediator.parameters["sigma"] / s
    np.testing.assert_allclose(found, np.tile(x / np.sqrt(1.0 + x * x), (3, 1)), rtol=1e-12)
    assert (counts == 1).all()


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
