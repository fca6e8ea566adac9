"""Nodes that stand for rows give the same means."""

import numpy as np
import pytest
from scipy.special import ndtr

from bayesmed.numerics.grid import spread


@pytest.mark.parametrize("shift", [-1.3, 0.0, 2.7])
def test_mean_of_normal_expectations_is_that_over_the_rows(shift):
    rng = np.random.default_rng(1)
    x, sigma = rng.normal(size=(400, 5)) * 1.4, np.array([0.6, 1.0, 2.0, 5.0, 30.0])
    weights = rng.dirichlet(np.ones(400))
    for w, own in ((None, np.full(400, 1 / 400)), (weights, weights)):
        nodes, shares = spread(x, sigma, w)
        for f in (lambda z: ndtr(z / sigma), lambda z: np.exp(-0.5 * (z / sigma) ** 2)):
            direct = np.einsum("i,is->s", own, f(x + shift))
            assert np.abs((shares * f(nodes + shift)).sum(axis=0) - direct).max() < 1e-9


def test_points_on_the_grid_and_equal_points():
    x = np.tile(np.array([[0.0], [0.1], [0.2]]), (40, 1))
    nodes, shares = spread(x, np.ones(1), None)
    assert abs((shares * ndtr(nodes)).sum() - ndtr(x).mean()) < 1e-12


@pytest.mark.parametrize(
    "x",
    [
        np.zeros((20, 2)),
        np.linspace(-500, 500, 200)[:, None] * np.ones(2),
        np.full((200, 2), np.nan),
    ],
    ids=["few rows", "wide against sigma", "not finite"],
)
def test_rows_are_kept_where_nodes_would_not_be_fewer(x):
    assert spread(x, np.ones(2), None) is None
