"""Summaries of draws: regions of practical equivalence, directions, rounding."""

import numpy as np
import pytest

from tests.support.made import made


def test_rope_and_direction():
    effects = made().effects()
    table = effects.summary(round_to=None, rope=(-0.1, 0.1), direction=True)
    acme = effects.draws["acme"].sel(arm="average").to_numpy()
    row = table.loc["ACME (average)"]
    assert row["P(ROPE)"] == np.mean(np.abs(acme) <= 0.1)
    assert row["P(direction)"] == max(np.mean(acme > 0), np.mean(acme < 0))
    assert np.isnan(table.loc["Prop. mediated (average)", "P(ROPE)"])
    with pytest.raises(ValueError, match="wrong way round"):
        effects.summary(rope=(0.1, -0.1))
    with pytest.raises(TypeError, match="two numbers"):
        effects.summary(rope=0.1)


def test_round_to_digits():
    table = made().effects().summary(round_to=3)
    assert table["median"].tolist() == [round(v, 3) for v in table["median"]]
    with pytest.raises(ValueError, match="round_to='few'"):
        made().effects().summary(round_to="few")


def test_a_proportion_of_ratios_has_no_probability_of_a_direction(crossed_fit):
    table = crossed_fit.effects(scale="ratio").summary(direction=True)
    assert table.loc["Prop. mediated (average)", ["P(>1)", "P(direction)"]].isna().all()
    assert table.loc["ACME (average)", ["P(>1)", "P(direction)"]].notna().all()
