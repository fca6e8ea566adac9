"""Numbers in print: digits, probabilities, shares."""

import numpy as np
import pytest

from bayesmed.effects.numbers import Printed, chance, digits_of, number, percent, probability


@pytest.mark.parametrize(
    ("value", "digits", "bounded", "shown"),
    [(0.1234, 2, True, ".12"), (-0.1234, 3, True, "−.123"), (1.0, 2, True, "1.00"),
     (-0.0001, 2, True, ".00"), (1234.5, -1, False, "1,230"), (0.5, 1, False, "0.5"),
     (np.nan, 2, False, "–")],
)  # fmt: skip
def test_numbers_as_apa_writes_them(value, digits, bounded, shown):
    assert number(value, digits, bounded) == shown


def test_no_probability_of_one_or_nought():
    assert [probability(p) for p in (1.0, 0.0, 0.9995, 0.9989, 0.25)] == [
        "> .999", "< .001", "> .999", ".999", ".250",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "mcse", "digits"),
    [(0.0, 0.1, 1e-9, 3), (0.0, 12.0, 1e-9, 1), (0.0, 0.1, 0.02, 2), (0.0, 5000.0, 1e-9, -1)],
)
def test_digits_follow_the_interval_and_the_error(low, high, mcse, digits):
    assert digits_of(low, high, mcse) == digits


def test_a_small_probability_or_end_is_not_printed_as_zero():
    assert [probability(p) for p in (0.0005, 0.00099, 0.99951)] == ["< .001", "< .001", "> .999"]
    assert digits_of(-0.068, -0.0003, 1e-6) == 4 and digits_of(-0.068, -0.0003, 1e-3) == 3


@pytest.mark.parametrize("size", [400, 1000, 2000, 4000])
def test_a_probability_and_its_complement_add_up_to_one(size):
    for k in range(size // 100, size - size // 100):
        parts = [chance(k / size), chance(1.0 - k / size)]
        assert sum(int(shown.replace(".", "")) for _, shown in parts) == 1000


def test_a_printed_table_has_missing_probabilities_and_twice_the_same_column():
    table = Printed([[0.25, np.nan]], columns=["P(>0)", "P(>0)"])
    assert repr(table).split() == ["P(>0)", "P(>0)", "0", "0.250", "NaN"]


def test_shares_of_draws_are_nought_and_all_only_where_they_are():
    assert [percent(s) for s in (0.0, 1 / 4000, 0.0125, 3999 / 4000, 1.0)] == [
        "0.0%", "less than 0.1%", "1.2%", "more than 99.9%", "100.0%",
    ]  # fmt: skip
