"""What a response of text is told to become: missing values stay missing, and levels are clean."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest

import bayesmed as bm
from tests.support.made import arms_data

N = 90
ROLES = {
    "mediator": {"mediator": "y ~ t", "outcome": "z ~ y + t", "mediator_family": "logit"},
    "outcome": {"mediator": "z ~ t", "outcome": "y ~ z + t", "outcome_family": "probit"},
}


def people(*levels, seed=1):
    draw = np.random.default_rng(seed)
    text = pd.Series(np.resize(np.array(levels, dtype=object), N)).sample(frac=1, random_state=seed)
    z = draw.normal(size=N)
    return pd.DataFrame({"t": np.arange(N) % 2, "z": z, "y": text.to_numpy()})


def refusal(frame, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError) as caught:
            bm.MediationModel(frame, treatment="t", **arguments)
    return str(caught.value)


def do(message, frame):
    """Do the first assignment that a message writes."""
    code = re.search(r"df\[[^=]*\] = .*?\)(?=$|[.,]? |\.$)(?! ==)", message).group(0)
    if "(df" in code:  # a comparison, which goes on
        code = message[message.index(code) : message.index(".astype(float)") + 14]
    frame = frame.copy()
    exec(code, {"df": frame, "np": np, "pd": pd})
    return frame


@pytest.mark.parametrize("declared", [False, True])
@pytest.mark.parametrize("role", ROLES)
def test_a_recoded_response_keeps_its_missing_values(role, declared):
    frame = people("no", "yes", None)
    expected = np.select([frame["y"] == "no", frame["y"] == "yes"], [0.0, 1.0], np.nan)
    if declared:
        frame["y"] = frame["y"].astype("category")
    told = refusal(frame, **ROLES[role])
    assert "its 30 missing value(s) stay missing" in told
    mended = do(told, frame)
    np.testing.assert_array_equal(mended["y"], expected)
    with pytest.warns(UserWarning, match="30 of 90 rows dropped"):
        bm.MediationModel(mended, treatment="t", **ROLES[role])
    assert "missing" not in refusal(people("no", "yes"), **ROLES[role])


@pytest.mark.parametrize(
    ("levels", "one"),
    [(("Yes", "no"), "Yes"), (("dead", "alive"), "dead"), (("Never", "ever"), "ever"),
     ((True, False, None), None), (("a", "b"), "b")],
)  # fmt: skip
def test_no_becomes_0_whatever_its_place_in_the_alphabet(levels, one):
    frame = people(*levels)
    if one is None:  # is 0 and 1 already
        with pytest.warns(UserWarning, match="30 of 90 rows dropped"):
            bm.MediationModel(frame, treatment="t", **ROLES["outcome"])
        return
    mended = do(refusal(frame, **ROLES["outcome"]), frame)
    np.testing.assert_array_equal(mended["y"], (frame["y"] == one).astype(float))


def test_one_level_against_the_others_keeps_missing_values():
    frame = people("a", "b", "it's", None)
    told = refusal(frame, **ROLES["outcome"])
    mended = do(told, frame)["is_it's"]
    wanted = np.where(frame["y"].isna(), np.nan, frame["y"] == "it's").astype(float)
    np.testing.assert_array_equal(mended, wanted)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("levels", "said", "left"),
    [
        (("Yes", "yes", "no"), "differ by capitals only", {"no", "yes"}),
        (("yes ", "yes", "no"), "differ by white space", {"no", "yes"}),
        (("NA", "no", "yes"), "['NA'], as missing values are often written", {"no", "yes"}),
        (("don't know", "no", "yes"), "as missing values are often written", {"no", "yes"}),
        (("Don’t know", "no", "yes"), "as missing values are often written", {"no", "yes"}),
    ],
)
def test_levels_of_a_response_are_cleaned_first(role, levels, said, left):
    frame = people(*levels)
    told = refusal(frame, **ROLES[role])
    assert said in told and "three or more" not in told and ".map(" not in told
    mended = do(told, frame)
    assert set(mended["y"].dropna()) == left
    assert ".map({'no': 0, 'yes': 1})" in refusal(mended, **ROLES[role])


def test_levels_of_an_ordinal_response_are_cleaned_first():
    told = refusal(people("low", "Low", "high"), **ROLES["outcome"] | {"outcome_family": "logit"})
    assert "'Low' and 'low'" in told
    told = refusal(
        people("low", "refused", "high"), **ROLES["outcome"] | {"outcome_family": "ordered_probit"}
    )
    assert ".replace(['refused'], np.nan)" in told and "without an order" not in told


def test_an_event_of_two_words():
    frame = people("alive", "dead", None)
    frame["time"] = np.exp(frame["z"])
    own = {
        "mediator": "z ~ t", "outcome": "time ~ z + t", "outcome_family": "weibull",
        "outcome_data": {"event": "y"},
    }  # fmt: skip
    told = refusal(frame, **own)
    mended = do(told, frame)["y"]
    expected = np.select([frame["y"] == "alive", frame["y"] == "dead"], [0.0, 1.0], np.nan)
    np.testing.assert_array_equal(mended, expected)
    assert "['NA']" in refusal(frame.fillna({"y": "NA"}), **own)


def test_a_yes_or_no_response_with_a_continuous_family_is_told():
    data = arms_data().assign(y=lambda d: (d["m"] > 0).astype(float))
    kind = {"mediator": "m ~ arm", "outcome": "y ~ m + arm", "treatment": "arm",
            "control": "usual", "treated": "coach"}  # fmt: skip
    with pytest.warns(UserWarning, match="'y' holds 0 and 1 only.*outcome_family='probit'"):
        bm.MediationModel(data, **kind)
