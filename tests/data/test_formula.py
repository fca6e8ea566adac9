"""Formulas and the variables that must stand in them."""

import numpy as np
import pytest

import bayesmed as bm
from tests.support.inputs import (
    assert_same_rows,
    bad,
    both,
    build,
    positive,
)


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        ({"mediator": "m ~ t + zz"}, ["'zz'", "mediator formula", "not a column", "'x'"]),
        ({"outcome": "y ~ m + t + np.log(zz)"}, ["'zz'", "outcome formula", "not a column"]),
        ({"mediator": "m ~ t + `my z`"}, ["'my z'", "not a column"]),
        ({"mediator": "q ~ t + x"}, ["'q'", "mediator formula", "not a column"]),
        ({"outcome": "np.log(y) ~ m + t"}, ["'np.log(y)'", "compute it first"]),
        ({"treatment": "tt"}, ["treatment 'tt'", "not a column", "'t'"]),
        ({"treatment": ["t"]}, ["treatment ['t']", "not a column"]),
        ({"mediator": "m ~ x"}, ["treatment 't'", "mediator formula 'm ~ x'", "Add it"]),
        ({"outcome": "y ~ m + x"}, ["treatment 't'", "outcome formula 'y ~ m + x'", "Add it"]),
        ({"outcome": "y ~ t + x"}, ["mediator 'm'", "'y ~ t + x'", "ACME", "zero", "Add it"]),
        ({"mediator": "m ~ t + y"}, ["'y' must not stand", "mediator formula 'm ~ t + y'"]),
        ({"mediator": "m ~ t + I(m**2)"}, ["'m' must not stand", "mediator formula"]),
        ({"outcome": "y ~ m + t + y"}, ["'y' must not stand", "outcome formula"]),
        ({"outcome": "m ~ m + t"}, ["three variables", "'t', 'm' and 'm'"]),
        ({"mediator": "t ~ t + x"}, ["three variables", "'t', 't' and 'y'"]),
        ({"outcome": "t ~ m + t"}, ["three variables", "'t', 'm' and 't'"]),
    ],
)
def test_variables_stand_where_they_must(small, arguments, fragments):
    bad(small, *fragments, **arguments)


@pytest.mark.parametrize(
    "formula",
    ["m", "m ~ t ~ x", "", None, 3, "m ~ t +", "m ~ t x", "m ~ t + (x", "m ~ t + x)", "m ~ log(",
     "m ~ t + `x", "m ~ t + ' '", "m ~ t + nosuch(x)", "m ~ t + x.nosuch()",
     "m ~ t | x", "m ~ t + x^x"],
)  # fmt: skip
def test_malformed_formula(small, formula):
    message = bad(small, "mediator formula", repr(formula), mediator=formula)
    assert "'SimpleFormula' object" not in message


@pytest.mark.parametrize(
    ("term", "mend"),
    [
        ("m^2", "I(m**2)"),
        ("m**2", "I(m**2)"),
        ("m + m ** 2", "I(m**2)"),
        ("m + x^2", "I(x**2)"),
        ("m + (t + x^2)^2", "I(x**2)"),
        # formulaic reads these as x, as log(x) and as x too.
        ("m + (x)^2", "**"),
        ("m + log(x)^2", "**"),
        ("m + I(x)**2", "**"),
    ],
)
def test_power_outside_a_function(small, term, mend):
    bad(positive(small), "outcome formula", mend, outcome=f"y ~ {term} + t + x")


def test_power_of_a_name_with_spaces(small):
    data = small.rename(columns={"x": "my x"})
    bad(data, "I(`my x`**2)", **both("t + `my x`^2"))


@pytest.mark.parametrize("column", ["x", "d"])
def test_caret_inside_a_function_is_not_a_power(small, column):
    """Python's ^ is exclusive or, which gives wrong numbers silently on whole numbers."""
    bad(small, f"I({column}", "^", "**", **both(f"t + {column} + I({column}^2)"))


def test_powers_that_are_meant(small):
    crossed = build(small, **both("(t + x)^2"))
    assert crossed.designs[0].terms == ("Intercept", "t", "x", "t:x")
    squared = build(small, outcome="y ~ m + I(m**2) + t + x")
    np.testing.assert_allclose(squared.designs[1].matrix[:, 2], small["m"] ** 2)


@pytest.mark.parametrize("name", ["sigma", "Intercept"])
def test_column_named_like_a_parameter(small, name):
    bad(small.rename(columns={"x": name}), f"'{name}'", "rename", **both(f"t + {name}"))


@pytest.fixture
def full(small):
    """A model with a number, a 0/1 column and a factor among its covariates."""
    return build(small, **both("t + x + d + g"))


def test_order_of_terms_only_reorders_columns(small, full):
    other = build(small, **both("g + d + x + t"))
    for one, two in zip(full.designs, other.designs, strict=True):
        order = [two.terms.index(term) for term in one.terms]
        np.testing.assert_array_equal(one.matrix, two.matrix[:, order])


def test_names_with_spaces(small):
    names = {"t": "the t", "m": "my m", "y": "my y", "x": "x 1"}
    given = {
        "mediator": "`my m` ~ `the t` + `x 1` + I(`x 1`**2)",
        "outcome": "`my y` ~ `my m` * `the t` + `x 1` + I(`x 1`**2)",
        "treatment": "the t",
    }
    spaced = bm.MediationModel(small.rename(columns=names), **given)
    plain = build(small, mediator="m ~ t + x + I(x**2)", outcome="y ~ m * t + x + I(x**2)")
    for one, two in zip(spaced.designs, plain.designs, strict=True):
        np.testing.assert_array_equal(one.matrix, two.matrix)
    assert_same_rows(spaced.counterfactuals, plain.counterfactuals)
    assert_same_rows(spaced.counterfactuals_at({"x 1": 2}), plain.counterfactuals_at({"x": 2}))
