"""What is said of a question: averages, groups and levels."""

import numpy as np
import pandas as pd
import pytest

import bayesmed as bm
from tests.support.made import LINEAR, SHORT, arms_data, arms_fit, people


def test_the_control_is_the_reference_of_a_treatment_that_is_text():
    assert arms_fit().model.designs[0].terms == ("Intercept", "arm[T.app]", "arm[T.coach]")
    pairs = arms_fit().effects(contrast="pairwise").draws["contrast"].to_numpy().tolist()
    assert pairs == ["usual -> app", "usual -> coach", "app -> coach"]
    assert {"a", "b", "c'"} <= set(arms_fit().table(style="frame")["Path"])
    ordered = arms_data().assign(
        arm=lambda d: pd.Categorical(d["arm"], ["app", "usual", "coach"])
    )  # fmt: skip
    kind = {"mediator": "m ~ arm", "outcome": "y ~ m + arm", "treatment": "arm"}
    model = bm.MediationModel(ordered, **kind, control="usual", treated="coach")
    assert model.designs[0].terms == ("Intercept", "arm[T.usual]", "arm[T.coach]")


@pytest.fixture(scope="module")
def data():
    return people()


@pytest.mark.fit
def test_levels_of_a_treatment_are_in_their_order(data):
    own = {"mediator": "m ~ dose", "outcome": "y ~ m + dose", "treatment": "dose"}
    fit = bm.fit(data, **own, control=2.0, treated=0.0, **SHORT)
    assert list(fit.about["arms"]) == ["2", "0", "10"]
    own = {"mediator": "m ~ age", "outcome": "y ~ m + age", "treatment": "age"}
    more = data.assign(age=pd.Categorical(data["age"].astype(str).replace("mid", "a"),
                                          ["young", "z", "old", "a"]))  # fmt: skip
    fit = bm.fit(more, **own, control="old", treated="a", **SHORT)
    assert list(fit.about["arms"])[:3] == ["old", "a", "young"]
    assert list(fit.check(draws=20).index.get_level_values("arm").unique())[-1] == "young"


@pytest.mark.parametrize("asked", [{"weights": "w"}, {"on": "treated"}, {"average": "population"}])
def test_an_average_that_changes_nothing_is_said_to(linear_fit, crossed_fit, asked):
    told = "which changes nothing here: the effects are the same for every row"
    effects = linear_fit.effects(**asked)
    np.testing.assert_allclose(effects.draws["acme"], linear_fit.effects().draws["acme"], rtol=1e-9)
    assert told in repr(effects)
    assert told in linear_fit.report(effects=effects)
    assert told not in repr(linear_fit.effects())
    other = crossed_fit.effects(scale="ratio", **asked)  # whose base differs between rows
    assert told not in repr(other)
    other = crossed_fit.effects(**asked)
    assert not np.allclose(other.draws["acme"], crossed_fit.effects().draws["acme"])
    assert told not in repr(other)


def test_groups_that_do_not_differ_are_said_not_to(linear_fit):
    effects = linear_fit.effects(by="age")
    assert float(abs(effects.differences().draws["acme"]).max()) < 1e-12
    for shown in (effects, effects.where(by="old")):
        assert "the effects are the same for every row" in repr(shown)


@pytest.mark.fit
def test_an_interaction_of_treatment_and_mediator_makes_rows_differ(data):
    fit = bm.fit(data, **{**LINEAR, "outcome": "y ~ m * t + x"}, **SHORT)
    assert "for every row" not in repr(fit.effects(weights="w"))
