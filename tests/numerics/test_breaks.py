"""Points at which a function steps or turns."""

import numpy as np
import pytest

from bayesmed.numerics.breaks import TooMany, breaks


def test_breaks():
    edges = np.linspace(-13.0, 13.0, 63)
    for function, points in (
        (lambda m: m > 0.37, [0.37]),
        (lambda m: 5.0 + np.abs(m - 0.37), [0.37]),
        (lambda m: m > edges[20], [edges[20]]),
        (lambda m: np.clip(m, -1.0, 2.5), [-1.0, 2.5]),
        (lambda m: np.exp(-(m**2)), []),
    ):
        found = breaks(lambda m, f=function: np.asarray(f(m), dtype=float)[:, None], edges)
        assert found == pytest.approx(points, abs=1e-10)
    with pytest.raises(TooMany):
        breaks(lambda m: np.round(m, 1)[:, None], edges)
