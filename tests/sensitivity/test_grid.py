"""Grids of rho."""

import numpy as np
import pytest

from bayesmed.sensitivity.grid import DEFAULT_GRID, check_grid
from tests.support.inputs import NORMAL, refused


@pytest.mark.parametrize(
    "rho", [1, -1.5, True, np.inf, [0, 1.0], [0.1, np.nan], [], range(0), "a", [None], {"a": 1}, 1j, NORMAL]
)  # fmt: skip
def test_bad_grid(rho):
    message = refused(lambda: check_grid(rho), "rho", repr(rho))
    assert "-1 and 1" in message or "(-1, 1)" in message


def test_grid():
    np.testing.assert_array_equal(check_grid(None), DEFAULT_GRID)
    np.testing.assert_array_equal(check_grid(0.3), [0.3])
    np.testing.assert_array_equal(check_grid([0.2, -0.1, 0.2, -0.0]), [-0.1, 0.0, 0.2])
