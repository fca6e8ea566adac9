"""Control and treated level: of numbers, factors and their reference."""

import numpy as np
import pytest

import bayesmed as bm
from tests.support.inputs import (
    FACTOR,
    PERIOD,
    N,
    assert_same,
    assert_same_rows,
    bad,
    both,
    build,
)


@pytest.mark.parametrize(
    ("levels", "fragments"),
    [
        ({"control": 5, "treated": 1}, ["control=5", "'t'", "0, 1"]),
        ({"treated": 2}, ["treated=2", "'t'", "0, 1"]),
        ({"control": "a", "treated": 1}, ["control='a'", "not a number"]),
        ({"control": [0], "treated": 1}, ["control=[0]", "not a number"]),
        ({"control": np.nan, "treated": 1}, ["control=nan", "not a number"]),
        ({"control": 1, "treated": 1}, ["both 1", "two different"]),
    ],
)
def test_numeric_contrast(small, levels, fragments):
    bad(small, *fragments, **levels)


@pytest.mark.parametrize(
    ("levels", "fragments"),
    [
        ({"control": "a", "treated": "z"}, ["treated='z'", "'g'", "['a', 'b', 'c']"]),
        ({"control": 0, "treated": "b"}, ["control=0", "'g'", "['a', 'b', 'c']"]),
        ({"control": ["a"], "treated": "b"}, ["control=['a']", "'g'"]),
        ({"control": "a", "treated": "a"}, ["both 'a'", "two different"]),
        ({}, ["'g' is categorical", "control=", "treated=", "['a', 'b', 'c']"]),
        ({"control": "a"}, ["'g' is categorical", "treated="]),
    ],
)
def test_categorical_contrast(small, levels, fragments):
    bad(small, *fragments, **FACTOR, **levels)


@pytest.mark.parametrize(
    ("values", "shown"),
    [(np.arange(N) % 2 + 1, "(1, 2)"), (np.linspace(-1.0, 3.0, N), "..."), (PERIOD, "(0, 1, 2)")],
)
def test_no_default_contrast(small, values, shown):
    bad(small.assign(t=values), "'t'", "0 and 1", shown, "control=", "treated=")


def test_contrast_given_for_other_codes(small):
    recoded = build(small.assign(t=small["t"] + 1), control=1, treated=2)
    assert (recoded.contrast.control, recoded.contrast.treated) == (1, 2)


def test_contrast_outside_the_observed_range(small):
    data = small.assign(t=np.linspace(-1.0, 3.0, N))
    bad(data, "treated=50", "'t'", "-1 to 3", control=0, treated=50)


def test_contrast_between_the_levels_of_a_numeric_factor(small):
    bad(small.assign(t=PERIOD), "0.5", "C(t)", control=0, treated=0.5, **both("C(t) + x"))


@pytest.fixture
def full(small):
    """A model with a number, a 0/1 column and a factor among its covariates."""
    return build(small, **both("t + x + d + g"))


def test_missing_levels(small):
    column = small["g"].astype(str).astype(object)
    column[0] = None
    with pytest.warns(UserWarning, match=r"1 of 40 rows dropped .*g: 1"):
        model = build(small.assign(g=column), **both("t + g"))
    assert_same(model, build(small.iloc[1:], **both("t + g")))


def test_unused_levels_are_dropped_with_a_note(small, full):
    """A note, not a warning: nothing is lost."""
    data = small.assign(g=small["g"].cat.set_categories(["z", "a", "b", "none", "c"]))
    model = build(data, **both("t + x + d + g"))
    assert_same(model, full)
    assert any("'g'" in note and "['z', 'none']" in note for note in model.notes)


def test_level_lost_with_its_rows(small):
    data = small.assign(g=["b", "c", *["a", "a", "b", "b"] * 9, "a", "b"])
    data.loc[1, "x"] = np.nan
    with pytest.warns(UserWarning, match="1 of 40 rows dropped") as caught:
        model = build(data, **both("t + x + g"))
    assert len(caught) == 1 and any("['c']" in note for note in model.notes)
    assert model.designs[0].terms == ("Intercept", "t", "x", "g[T.b]")


def test_factor_treatment_with_another_reference_level(small):
    given = {**FACTOR, "outcome": "y ~ m * g + x"}
    forth = bm.MediationModel(small, **given, control="a", treated="b")
    back = bm.MediationModel(small, **given, control="b", treated="a")
    a, b = back.counterfactuals, forth.counterfactuals
    np.testing.assert_array_equal(a.mediator.design, b.mediator.design[::-1])
    np.testing.assert_array_equal(a.outcome.base, b.outcome.base[::-1])
    np.testing.assert_array_equal(a.outcome.slope, b.outcome.slope[::-1])
    np.testing.assert_array_equal(back.counterfactuals.mediator.design[0][:, 1:3], [[1, 0]] * N)
    np.testing.assert_array_equal(back.counterfactuals.mediator.design[1][:, 1:3], [[0, 0]] * N)


@pytest.mark.each(2)
@pytest.mark.parametrize("dtype", ["int64", "bool", "float64", "Int64"])
def test_treatment_as_a_factor_in_the_formula(small, dtype):
    plain = build(small, outcome="y ~ m * t + x")
    data = small.assign(t=small["t"].astype(dtype))
    coded = build(data, mediator="m ~ C(t) + x", outcome="y ~ m * C(t) + x")
    for one, two in zip(coded.designs, plain.designs, strict=True):
        np.testing.assert_array_equal(one.matrix, two.matrix)
    assert_same_rows(coded.counterfactuals, plain.counterfactuals)
    for name in ("direction", "loading"):
        np.testing.assert_allclose(
            getattr(coded.identification.map, name), getattr(plain.identification.map, name),
            atol=1e-12,
        )  # fmt: skip
