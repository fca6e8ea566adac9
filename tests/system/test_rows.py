"""Counterfactual rows: functions that must exist there, and covariates that are set."""

import numpy as np
import pandas as pd
import pytest

from tests.support.inputs import PERIOD, N, bad, both, build, positive, refused


@pytest.mark.parametrize(
    ("term", "fragments"),
    [
        ("bs(m, df=4)", ["mediator 'm'", "outside the observed range", "extrapolation='extend'"]),
        ("log(m)", ["log(m)", "gaussian", "column of its own", "np.log(df['m'])"]),
        ("m + np.log(m)", ["np.log(m)", "gaussian", "column of its own"]),
        ("np.sqrt(m)", ["np.sqrt(m)", "gaussian"]),
        ("I(1 / m)", ["I(1 / m)", "gaussian"]),
        ("C(m)", ["C(m)", "gaussian"]),
    ],
)
def test_function_without_value_at_some_counterfactual(small, term, fragments):
    data = positive(small)
    if term == "C(m)":
        data = data.assign(m=np.arange(N) * 7 % 5 % 3)
    bad(data, *fragments, outcome=f"y ~ {term} + t + x")


def test_log_of_a_negative_mediator(small):
    bad(small, "outcome formula", "np.log(m)", outcome="y ~ np.log(m) + t + x")


@pytest.mark.each(2)
@pytest.mark.parametrize(
    "term",
    [
        "bs(m, df=4, extrapolation='extend')",
        "m + I(m**2)",
        "np.exp(m)",
        "cr(m, df=4, constraints='center')",
    ],
)
def test_functions_that_exist_everywhere(small, term):
    model = build(small, outcome=f"y ~ t + x + {term}")
    rows = model.counterfactuals.outcome.rows_at(1, np.array([-3.0, 0.0, 3.0]))
    assert rows.shape == (N, 3, len(model.designs[1].terms)) and np.isfinite(rows).all()


def test_any_function_of_a_binary_mediator_that_exists_at_0_and_1(small):
    given = {"mediator": "d ~ t + x", "mediator_family": "probit"}
    model = build(small, outcome="y ~ np.log1p(d) + t + x", **given)
    np.testing.assert_allclose(model.counterfactuals.outcome.slope[0][:, 1], np.log(2.0))


@pytest.mark.each(2)
@pytest.mark.parametrize(
    ("at", "fragments"),
    [
        ({"g": "z"}, ["'z'", "'g'", "['a', 'b', 'c']"]),
        ({"g": None}, ["None", "'g'"]),
        ({"g": ["a"]}, ["['a']", "'g'"]),
        ({"zz": 1}, ["'zz'", "not a variable", "'x'"]),
        ({"d": 1}, ["'d'", "not a variable"]),  # a column of the data in no formula
        ({"t": 1}, ["at=", "'t'", "covariates", "contrast="]),
        ({"m": 0}, ["at=", "'m'", "covariates"]),
        ({"y": 0}, ["at=", "'y'", "covariates"]),
        ({"x": "a"}, ["x='a'", "finite number"]),
        ({"x": np.nan}, ["x=nan", "finite number"]),
        ({"x": -np.inf}, ["x=-inf", "finite number"]),
        ({"x": None}, ["x=None", "finite number"]),
        ({"x": [1, 2]}, ["x=[1, 2]", "finite number"]),
        ({"x": pd.NA}, ["x=<NA>", "finite number"]),
    ],
)
def test_covariates_that_cannot_be_set(small, at, fragments):
    model = build(small, **both("t + g + x"))
    refused(lambda: model.counterfactuals_at(at), *fragments)


@pytest.mark.parametrize(
    ("term", "at"), [("C(x)", {"x": 5}), ("bs(x, df=4)", {"x": 50}), ("log(x)", {"x": -1})]
)
def test_covariate_values_without_a_row(small, term, at):
    data = positive(small)
    if term == "C(x)":
        data = data.assign(x=PERIOD)
    model = build(data, **both(f"t + {term}"))
    refused(lambda: model.counterfactuals_at(at), term, str(at["x"]))


def test_covariates_set(small):
    rows = build(small, **both("t + g + x")).counterfactuals_at({"g": "c", "x": 2})
    np.testing.assert_array_equal(rows.mediator.design, [[[1, t, 0, 1, 2]] * N for t in (0, 1)])
    np.testing.assert_array_equal(rows.outcome.base, [[[1, 0, t, 0, 1, 2]] * N for t in (0, 1)])
