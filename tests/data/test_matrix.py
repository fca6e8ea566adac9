"""Columns in any unit."""

import numpy as np
import pytest

import bayesmed as bm
from tests.support.made import LINEAR, SHORT, people


@pytest.fixture(scope="module")
def data():
    return people()


@pytest.mark.fit
@pytest.mark.parametrize("units", [(1e12, 1e-12), (1e-12, 1e12)])
@pytest.mark.parametrize("family", ["gaussian", "probit"])
def test_columns_in_units_far_apart_are_no_matter(data, units, family):
    """No warning of ill-conditioned matrices, and the same effects."""
    outcome = "y" if family == "gaussian" else "z"
    own = {**LINEAR, "outcome": f"{outcome} ~ m + t + x", "outcome_family": family}
    far = data.assign(x=data["x"] * units[0], m=data["m"] * units[1])
    effects = [bm.fit(frame, **own, **SHORT).effects().draws["acme"] for frame in (data, far)]
    np.testing.assert_allclose(effects[1], effects[0], rtol=1e-5, atol=1e-9)
