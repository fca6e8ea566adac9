"""Effects along rho of closed pairs: the mapped draws, cell by cell."""

import numpy as np
import pandas as pd
import pytest

from bayesmed.effects.view import View
from bayesmed.means.along_rho import Regression, curve_cells
from bayesmed.means.means import cell_means
from bayesmed.means.target import MEAN, target_of
from tests.support.handmade import hand_draws
from tests.support.models import quiet_model
from tests.support.pairs import FORMULAS, closed_model, closed_pairs, regression_of, truth


@pytest.mark.each
@pytest.mark.parametrize("formulas", ["plain", "T x M", "X x M", "T x X", "square"])
@closed_pairs
def test_total_effect_does_not_depend_on_rho(pair, formulas):
    model = closed_model(pair, formulas)
    regression = regression_of(model)
    cells = [truth(model, regression.at(rho)) for rho in (-0.9, 0.0, 0.6)]
    totals = [cell[1, 1] - cell[0, 0] for cell in cells]
    np.testing.assert_allclose(totals, np.broadcast_to(totals[1], (3, 3)), rtol=0, atol=1e-8)


@pytest.mark.each
@pytest.mark.parametrize(
    "formulas",
    [pytest.param(f, marks=[pytest.mark.slow] if f == "spline" else []) for f in FORMULAS],
)
@closed_pairs
def test_curve_equals_the_cells_at_mapped_draws(pair, formulas):
    model = closed_model(pair, formulas)
    regression, rows = regression_of(model), model.counterfactuals
    dense = formulas not in ("square", "spline", "centred")
    for rho in (np.linspace(-0.95, 0.95, 41 if dense else 5), np.array([-0.3, 0.0, 0.99])):
        curve = curve_cells(regression, rows, rho)
        each = [cell_means(regression.at(value), rows) for value in rho]
        np.testing.assert_allclose(curve, np.stack(each), rtol=1e-9, atol=1e-9)


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
