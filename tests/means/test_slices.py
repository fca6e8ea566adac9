"""A bound on memory changes no number."""

import numpy as np
import pytest

import bayesmed as bm
from bayesmed.means import slices


@pytest.fixture
def narrow(monkeypatch):
    """Gigabytes so small that the rows come in several slices."""
    monkeypatch.setattr(slices, "_NUMBERS_PER_GB", 1e5)


@pytest.fixture
def few(framing_fit):
    return bm.MediationFit(framing_fit.tree.isel(draw=slice(0, 50)), framing_fit.model)


@pytest.mark.parametrize("asked", [{}, {"by": "gender"}, {"weights": "age"}, {"m": 5.0}])
def test_effects_and_curves_do_not_depend_on_the_memory(few, narrow, asked):
    found = slices.sliced(few.counterfactuals(), 0.1)
    assert found.at_once < found.n / 2
    mine = few.effects(**asked, memory=0.1).draws
    theirs = few.effects(**asked).draws
    for name in ("acme", "ade", "total"):
        np.testing.assert_allclose(mine[name], theirs[name], atol=1e-9)
    grid = [-0.5, 0.0, 0.5]
    curve, expected = (
        few.sensitivity(grid, **asked, memory=0.1),
        few.sensitivity(grid, **asked),
    )
    np.testing.assert_allclose(curve.draws["acme"], expected.draws["acme"], atol=1e-9)
    np.testing.assert_array_equal(curve.rho_zero["rho_zero"], expected.rho_zero["rho_zero"])


def test_the_log_likelihood_does_not_depend_on_the_memory(few, narrow):
    mine = few.add_log_likelihood(memory=0.1).tree["log_likelihood/outcome"].to_numpy()
    theirs = few.add_log_likelihood().tree["log_likelihood/outcome"].to_numpy()
    np.testing.assert_allclose(mine, theirs, rtol=1e-12)


@pytest.mark.parametrize("memory", [0, "1 GB", True, float("nan"), -1.0])
def test_a_bound_that_is_none(few, memory):
    with pytest.raises(ValueError, match="memory must be a number of gigabytes"):
        few.effects(memory=memory)
