"""Columns of a design: dependent, in any unit."""

import numpy as np
import pytest

import bayesmed as bm
from tests.support.inputs import bad, both
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


def test_collinear_columns_are_named(small):
    data = small.assign(double=2 * small["x"] + 1)
    for arguments, equation in (
        ({"mediator": "m ~ t + x + double"}, "mediator"),
        ({"outcome": "y ~ m + t + x + double"}, "outcome"),
    ):
        bad(data, f"{equation} design", "collinear", "'x'", "'double'", "leave one", **arguments)
    bad(data.assign(s=1 - small["t"]), "collinear", "'t'", "'s'", **both("t + s"))


def test_column_of_zeros_is_named(small):
    bad(small, "mediator design", "I(0 * x)", mediator="m ~ t + x + I(0 * x)")
    bad(small.assign(s=1 - small["t"]), "'t:s'", **both("t + x + t:s"))


def test_more_columns_than_rows(small):
    bad(small.iloc[:6], "8 columns", "6 rows", "fewer terms", mediator="m ~ t * x * d")
