"""Responses and the data columns of their families: what is refused, and what is read.

Nothing here samples or compiles.
"""

import numpy as np
import pandas as pd
import pytest

import bayesmed as bm
from bayesmed.families.catalogue import FAMILIES
from tests.support.inputs import NORMAL, N, assert_same, bad, build, refused
from tests.support.models import quiet_model

pytestmark = pytest.mark.filterwarnings("error")
RESPONSE = {
    "gaussian": "y", "student_t": "y", "tobit": "y", "probit": "d", "logit": "d", "lognormal": "pos",
    "gamma": "pos", "weibull": "pos", "loglogistic": "pos", "beta": "share", "poisson": "count",
    "negative_binomial": "count", "binomial": "count", "ordered_probit": "grade",
    "ordered_logit": "stars",
}  # fmt: skip
NEEDED = {"binomial": {"trials": "trials"}, "tobit": {"lower": -9.0}}
GRADES = ["low", "middle", "high"]


@pytest.fixture
def rich(small):
    """A column for every family, and for the data that families need."""
    rng = np.random.default_rng(8)
    pos = rng.exponential(size=N) + 0.1
    return small.assign(
        pos=pos,
        share=rng.uniform(0.05, 0.95, N),
        count=rng.poisson(3.0, N),
        trials=rng.integers(9, 15, N),
        exposure=rng.uniform(0.5, 2.0, N),
        seen=np.arange(N) % 3 > 0,
        off=rng.normal(size=N),
        grade=pd.Categorical(np.resize(GRADES, N), categories=GRADES, ordered=True),
        stars=np.resize([1, 2, 4, 3, 5], N),
        limit=-9.0,
        z=rng.normal(size=N),
    )


def of(family, **data):
    """Arguments of an outcome of that family."""
    given = {**NEEDED.get(family, {}), **data}
    return {
        "outcome": f"{RESPONSE[family]} ~ m + t + x",
        "outcome_family": family,
        "outcome_data": given or None,
    }


def put(data, row, **values):
    """One row changed."""
    changed = data.copy()
    for name, value in values.items():
        changed[name] = changed[name].astype(float)
        changed.loc[row, name] = value
    return changed


# The mapping of data columns.


@pytest.mark.parametrize("equation", ["mediator", "outcome"])
@pytest.mark.parametrize("given", [["off"], "off", 3, {"off"}])
def test_data_that_are_no_mapping(rich, equation, given):
    bad(rich, f"{equation}_data must be a mapping", "{'offset': 'column'}", "was given",
        error=TypeError, **{f"{equation}_data": given})  # fmt: skip


@pytest.mark.parametrize("value", [None, True, np.nan, np.inf, ["off"], np.ones(N), 1j])
def test_data_that_are_neither_column_nor_number(rich, value):
    message = bad(rich, "outcome_data['offset']", "name of a column", "finite number", "was given",
                  "into a column", error=TypeError, outcome_data={"offset": value})  # fmt: skip
    assert len(message) < 250


@pytest.mark.parametrize(
    ("family", "given", "takes"),
    [
        ("gaussian", {"trials": 3}, "['offset']"),
        ("gaussian", {"weights": "x"}, "['offset']"),
        ("student_t", {"lower": 0}, "['offset']"),
        ("tobit", {"event": "seen"}, "['lower', 'upper', 'offset']"),
        ("poisson", {"trials": 3, "event": "seen"}, "['exposure', 'offset']"),
        ("weibull", {"exposure": "exposure"}, "['event', 'offset']"),
        ("beta", {"Offset": "off"}, "['offset']"),
    ],
)
def test_unknown_key(rich, family, given, takes):
    bad(rich, f"outcome_data has {list(given)}", f"the {family} family", "no use",
        f"it takes {takes}", **of(family, **given))  # fmt: skip


def test_data_column_that_does_not_exist(rich):
    for equation in ("mediator", "outcome"):
        bad(rich, "['zz']", f"{equation}_data", "not a column", "'t', 'x'",
            **{f"{equation}_data": {"offset": "zz"}})  # fmt: skip


@pytest.mark.parametrize(
    ("family", "key"),
    [("binomial", "trials"), ("poisson", "exposure"), ("gamma", "event"), ("tobit", "lower"), ("logit", "offset")],
)  # fmt: skip
def test_categorical_data_column(rich, family, key):
    bad(rich, f"outcome_data['{key}'] names 'g'", "categorical with levels ['a', 'b', 'c']",
        "must be numeric", "Recode", **of(family, **{key: "g"}))  # fmt: skip


@pytest.mark.each(3)
@pytest.mark.parametrize(
    ("family", "key", "column"),
    [("binomial", "trials", "trials"), ("poisson", "exposure", "exposure"), ("gamma", "event", "seen"),
     ("tobit", "lower", "limit"), ("logit", "offset", "off")],
)  # fmt: skip
def test_missing_values_of_data_columns_are_dropped_jointly(rich, family, key, column):
    data = put(put(rich, 4, **{column: np.nan}), 11, x=np.nan)
    with pytest.warns(UserWarning, match=rf"2 of 40 rows dropped .*x: 1, {column}: 1") as caught:
        model = build(data, **of(family, **{key: column}))
    assert len(caught) == 1 and caught[0].filename == build.__code__.co_filename
    kept = rich.drop([4, 11])
    whole = build(kept, **of(family, **{key: column}))
    for key, equation in model.equations.items():
        one, two = equation.response, whole.equations[key].response
        np.testing.assert_array_equal(one.values, two.values)
        for name in one.columns:
            np.testing.assert_array_equal(one.columns[name], two.columns[name])
    if key == "offset":
        np.testing.assert_array_equal(model.equations["outcome"].response.offset, kept["off"])


def test_data_column_missing_throughout(rich):
    bad(
        rich.assign(off=np.nan),
        "['off'] is missing",
        "drop the variable",
        outcome_data={"offset": "off"},
    )


def test_infinite_data_column(rich):
    bad(put(rich, 3, off=np.inf), "'off' has 1 infinite", outcome_data={"offset": "off"})


# Offsets and exposures.


@pytest.mark.each(2)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_takes_an_offset(rich, family):
    number = build(rich, **of(family, offset=0.7))
    column = build(rich, **of(family, offset="off"))
    np.testing.assert_array_equal(number.equations["outcome"].response.offset, np.full(N, 0.7))
    np.testing.assert_array_equal(column.equations["outcome"].response.offset, rich["off"])
    np.testing.assert_array_equal(column.counterfactuals.outcome.offset, rich["off"])
    assert column.counterfactuals.mediator.offset is None
    if FAMILIES[family].outcome_only:
        return
    name = RESPONSE[family]
    model = quiet_model(
        rich, mediator=f"{name} ~ t + x", outcome=f"z ~ {name} + t + x", treatment="t",
        mediator_family=family, mediator_data={"offset": "off"},
    )  # fmt: skip
    np.testing.assert_array_equal(model.equations["mediator"].response.offset, rich["off"])
    np.testing.assert_array_equal(model.counterfactuals.mediator.offset, rich["off"])


def test_default_priors_are_those_of_the_response_less_its_offset(rich):
    model = build(rich, **of("poisson", exposure="exposure"))
    rate = rich["count"].sum() / rich["exposure"].sum()
    intercept = model.priors_in_use["outcome"]["Intercept"]
    assert intercept.parameters["mu"] == pytest.approx(np.log(rate))
    spread = (np.log(rich["count"] + 0.5) - np.log(rich["exposure"])).std(ddof=0)
    assert intercept.parameters["sigma"] == pytest.approx(2.5 * max(spread, 1.0))


def test_exposure_and_offset_add_up(rich):
    model = build(rich, **of("poisson", exposure="exposure", offset="off"))
    np.testing.assert_allclose(
        model.equations["outcome"].response.offset,
        np.log(rich["exposure"]) + rich["off"],
        rtol=1e-15,
    )
    assert dict(model.equations["outcome"].response.columns) == {}


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_exposure_must_be_positive(rich, value):
    for family in ("poisson", "negative_binomial"):
        message = bad(put(rich, 3, exposure=value), "outcome_data['exposure'] = 'exposure'", "1 value(s)",
                      f"{value:g} (row 3)", "positive", "drop the rows",
                      **of(family, exposure="exposure"))  # fmt: skip
        assert "every row" not in message
    bad(rich, "outcome_data['exposure'] = 0", "0 in every row", **of("poisson", exposure=0))
    given = {"mediator": "count ~ t + x", "mediator_family": "poisson"}
    bad(put(rich, 3, exposure=value), "mediator_data['exposure'] = 'exposure'", "(row 3)", **given,
        outcome="y ~ count + t + x", mediator_data={"exposure": "exposure"})  # fmt: skip


def test_rows_are_those_of_the_data_as_given(rich):
    data = put(put(rich, 0, x=np.nan), 7, exposure=0.0)
    bad(data, "0 (row 7)", **of("poisson", exposure="exposure"))


def test_exposure_set_by_at_changes_counterfactuals(rich):
    model = build(rich, **of("poisson", exposure="exposure", offset="off"))
    rows = model.counterfactuals_at({"exposure": 3.0})
    np.testing.assert_allclose(rows.outcome.offset, np.log(3.0) + rich["off"], rtol=1e-15)
    np.testing.assert_array_equal(rows.outcome.base, model.counterfactuals.outcome.base)
    refused(lambda: model.counterfactuals_at({"exposure": 0}), "outcome_data['exposure']",
            "0 in every row", "positive")  # fmt: skip
    refused(lambda: model.counterfactuals_at({"trials": 3}), "'trials'", "not a variable")


# Trials.


def test_trials_must_be_given(rich):
    bad(rich, "The binomial family needs ['trials']", "outcome_data={'trials': 'column'}",
        outcome="count ~ m + t + x", outcome_family="binomial")  # fmt: skip


@pytest.mark.parametrize("value", [0.0, -2.0, 12.5])
def test_trials_must_be_whole_and_positive(rich, value):
    data = put(put(rich, 3, trials=value), 9, trials=value)
    bad(data, "outcome_data['trials'] = 'trials'", "2 value(s)", f"{value:g} (row 3), {value:g} (row 9)",
        "whole and positive", "drop the rows", **of("binomial"))  # fmt: skip
    bad(rich, f"outcome_data['trials'] = {value}", f"{value:g} in every row", "whole and positive",
        **of("binomial", trials=value))  # fmt: skip


def test_successes_beyond_the_trials(rich):
    data = put(put(rich, 3, count=15.0, trials=12.0), 9, count=20.0, trials=19.0)
    bad(data, "outcome 'count'", "2 value(s)", "15 of 12 (row 3), 20 of 19 (row 9)", "exceed the trials",
        "Check outcome_data['trials'] = 'trials'", **of("binomial"))  # fmt: skip


def test_only_some_rows_are_shown(rich):
    message = bad(
        rich.assign(trials=-np.arange(N) - 1.0), "40 value(s)", "-5 (row 4), ...", **of("binomial")
    )
    assert "(row 5)" not in message


def test_trials_as_a_number_or_a_constant_column(rich):
    rich = put(rich, 3, count=15.0)  # all of its trials
    for given, data in ((15, rich), ("trials", rich.assign(trials=15))):
        model = build(data, **of("binomial", trials=given))
        trials = model.counterfactuals.outcome.columns["trials"]
        np.testing.assert_array_equal(
            model.equations["outcome"].response.columns["trials"], np.full(N, 15.0)
        )
        np.testing.assert_array_equal(trials, np.full(N, 15.0))


def test_trials_set_by_at_change_counterfactuals(rich):
    model = build(rich, **of("binomial"))
    assert model.counterfactuals.outcome.columns["trials"].tolist() == rich["trials"].tolist()
    rows = model.counterfactuals_at({"trials": 30})
    np.testing.assert_array_equal(rows.outcome.columns["trials"], np.full(N, 30.0))
    for value in (0, 2.5):
        refused(lambda value=value: model.counterfactuals_at({"trials": value}), "trials",
                f"{value:g} in every row", "whole and positive")  # fmt: skip


@pytest.mark.parametrize(
    ("family", "value", "domain"),
    [
        ("binomial", -1.0, "whole numbers from 0 to the trials"),
        ("binomial", 1.5, "whole numbers from 0 to the trials"),
        ("poisson", 2.5, "whole numbers from 0"),
        ("negative_binomial", -1.0, "whole numbers from 0"),
        ("gamma", 0.0, "positive numbers"),
        ("weibull", -1.0, "positive numbers"),
        ("loglogistic", 0.0, "positive numbers"),
        ("lognormal", 0.0, "positive numbers"),
        ("beta", 0.0, "strictly between 0 and 1"),
        ("beta", 1.0, "strictly between 0 and 1"),
        ("logit", 2.0, "0 and 1"),
    ],
)
def test_values_outside_the_support(rich, family, value, domain):
    name = RESPONSE[family]
    bad(put(rich, 6, **{name: value}), f"outcome '{name}'", "1 value(s)", f"such as {value:g} (row 6)",
        f"the {family} family", domain, "Choose another family", **of(family))  # fmt: skip


# Censoring.

TIMES = ["lognormal", "gamma", "weibull", "loglogistic"]


@pytest.mark.parametrize("family", TIMES)
def test_event_must_be_0_or_1(rich, family):
    data = put(rich, 3, seen=2.0)
    bad(data, "outcome_data['event'] = 'seen'", "1 value(s)", "2 (row 3)", "1 where it was seen",
        "0 where the row is right-censored", "Recode", **of(family, event="seen"))  # fmt: skip
    for given, changed in (("seen", rich.assign(seen=0)), (0, rich)):
        bad(changed, "outcome 'pos'", "no event that was seen", f"outcome_data['event'] = {given!r}",
            "0 in all 40 rows", "Check the coding", **of(family, event=given))  # fmt: skip


@pytest.mark.each(2)
@pytest.mark.parametrize("dtype", ["bool", "int64", "float64", "boolean", "object"])
def test_events(rich, dtype):
    model = build(rich.assign(seen=rich["seen"].astype(dtype)), **of("weibull", event="seen"))
    np.testing.assert_array_equal(
        model.equations["outcome"].response.columns["event"], np.arange(N) % 3 > 0
    )
    without = build(rich, **of("weibull"))
    assert dict(without.equations["outcome"].response.columns) == {}


@pytest.mark.parametrize("given", [{"event": "seen"}, {"lower": 0.0}, {"event": 1, "upper": "x"}])
@pytest.mark.parametrize("family", ["lognormal", "gaussian"])
def test_a_mediator_is_not_censored(rich, family, given):
    name = RESPONSE[family]
    bad(rich, f"mediator_data has {list(given)}", "cannot be censored", "enters the outcome",
        mediator=f"{name} ~ t + x", outcome="count ~ " + name + " + t + x", mediator_family=family,
        outcome_family="poisson", mediator_data=given)  # fmt: skip


def test_tobit_needs_a_limit(rich):
    for given in (None, {}, {"offset": "off"}):
        bad(rich, "tobit family needs the limit", "outcome_data={'lower': 0.0}", "'upper'",
            outcome_family="tobit", outcome_data=given)  # fmt: skip


def test_values_beyond_a_limit(rich):
    data = put(rich, 5, y=-20.0)
    bad(data, "outcome 'y'", "1 value(s)", "-20 below -9 (row 5)", "limit itself", **of("tobit"))
    bad(data, "-20 below -9 (row 5)", **of("tobit", lower="limit"))
    data = put(rich, 5, y=20.0)
    bad(data, "outcome 'y'", "20 above 9 (row 5)", "limit itself", **of("tobit", upper=9))


def test_limits_that_contradict_each_other(rich):
    data = put(put(rich, 3, limit=9.0), 5, limit=11.0)
    bad(data, "lower limit", "2 value(s)", "9 against the upper limit 9 (row 3)", "11 against", "(row 5)",
        "swapped", **of("tobit", lower="limit", upper=9.0))  # fmt: skip
    bad(rich, "1 against the upper limit -1 in every row", **of("tobit", lower=1, upper=-1))


def test_everything_censored(rich):
    data = rich.assign(y=np.where(rich["t"] == 1, -1.0, 1.0))
    bad(data, "outcome 'y'", "at a limit in all 40 rows", "every value is censored", "Check the limits",
        **of("tobit", lower=-1, upper=1))  # fmt: skip
    with pytest.warns(UserWarning, match="'y' is at its lower limit in all 20 rows where t = 1"):
        seen = build(put(data, 0, y=0.0), **of("tobit", lower=-1, upper=1))
    np.testing.assert_array_equal(
        seen.equations["outcome"].response.columns["lower"], np.full(N, -1.0)
    )
    assert set(seen.equations["outcome"].response.rowwise) == {"lower", "upper"}


def test_outcome_families_are_no_mediators(rich):
    for family in ("tobit", "weibull", "loglogistic", "binomial"):
        name = RESPONSE[family]
        bad(rich, f"The {family} family is for outcomes", "mediator family among", "'gaussian'",
            mediator=f"{name} ~ t + x", outcome=f"d ~ {name} + t + x", outcome_family="logit",
            mediator_family=family)  # fmt: skip


# Ordered responses.

ORDERED = ["ordered_probit", "ordered_logit"]
ordered = pytest.mark.parametrize("family", ORDERED)


def grade(family, name="grade"):
    return {"outcome": f"{name} ~ m + t + x", "outcome_family": family}


@ordered
def test_codes_levels_and_scores(rich, family):
    text = build(rich, **grade(family)).equations["outcome"].response
    np.testing.assert_array_equal(text.values, np.arange(N) % 3)
    assert text.levels == tuple(GRADES)
    np.testing.assert_array_equal(text.columns["scores"], [1.0, 2.0, 3.0])
    assert "scores" not in text.rowwise
    numbers = build(rich.assign(stars=rich["stars"] - 3), **grade(family, "stars"))
    np.testing.assert_array_equal(numbers.equations["outcome"].response.values, rich["stars"] - 1)
    assert numbers.equations["outcome"].response.levels == (-2, -1, 0, 1, 2)
    np.testing.assert_array_equal(
        numbers.equations["outcome"].response.columns["scores"], [-2, -1, 0, 1, 2]
    )
    doses = pd.Categorical(np.resize([0.0, 2.5, 10.0], N), ordered=True)
    declared = build(rich.assign(grade=doses), **grade(family)).equations["outcome"].response
    np.testing.assert_array_equal(declared.columns["scores"], [0.0, 2.5, 10.0])


@ordered
def test_the_order_is_the_declared_one(rich, family):
    back = rich["grade"].cat.reorder_categories(GRADES[::-1], ordered=True)
    response = build(rich.assign(grade=back), **grade(family)).equations["outcome"].response
    assert response.levels == tuple(GRADES[::-1])
    np.testing.assert_array_equal(response.values, 2 - np.arange(N) % 3)


@ordered
def test_declared_category_without_rows(rich, family):
    data = rich.assign(grade=rich["grade"].cat.add_categories("top"))
    bad(data, "outcome 'grade'", "no complete rows in the categories ['top']", "['low', 'middle', 'high']",
        "cutpoint", "Merge it", "df['grade'].cat.remove_unused_categories()", **grade(family))  # fmt: skip
    bad(data, "mediator 'grade'", "['top']", mediator="grade ~ t + x", mediator_family=family,
        outcome="y ~ grade + t + x")  # fmt: skip
    build(data.assign(grade=data["grade"].cat.remove_unused_categories()), **grade(family))


@ordered
def test_category_lost_with_its_rows(rich, family):
    data = put(rich, 5, x=np.nan)
    data["grade"] = pd.Categorical(
        np.where(np.arange(N) == 5, "top", rich["grade"]), categories=[*GRADES, "top"], ordered=True
    )
    bad(data, "no complete rows in the categories ['top']", **grade(family))


@ordered
def test_gap_in_the_numbers(rich, family):
    data = rich.assign(stars=rich["stars"].replace({3: 7, 4: 2}))
    bad(data, "outcome 'stars'", "no complete rows in the categories [3, 4, 6]", "only in [1, 2, 5, 7]",
        "recode 'stars'", "without a gap", **grade(family, "stars"))  # fmt: skip


@ordered
def test_categories_without_an_order(rich, family):
    for column in (rich["grade"].astype(str), rich["grade"].cat.as_unordered()):
        bad(rich.assign(grade=column), "outcome 'grade'", "without an order", "'low'",
            "pd.Categorical(df['grade']", "ordered=True", **grade(family))  # fmt: skip


@ordered
def test_categories_that_are_not_whole(rich, family):
    data = put(rich, 4, stars=2.5)
    bad(data, "outcome 'stars'", "2.5 (row 4)", f"the {family} family", "whole numbers or an ordered",
        **grade(family, "stars"))  # fmt: skip


def test_ordered_categories_for_a_family_of_numbers(rich):
    for family in ("gaussian", "poisson", "logit"):
        bad(rich, "outcome 'grade' is categorical", "['low', 'middle', 'high']", f"the {family} family",
            "outcome_family='ordered_probit'", **grade(family))  # fmt: skip


# Regressions of log sigma.


@pytest.mark.parametrize("family", [n for n, f in FAMILIES.items() if f.scale != "sigma"])
def test_families_without_a_sigma(rich, family):
    bad(
        rich,
        "outcome_sigma='~ t'",
        f"the {family} family has no sigma",
        outcome_sigma="~ t",
        **of(family),
    )


@pytest.mark.parametrize(
    ("formula", "fragments"),
    [
        ("~ m", ["['m']", "not on the mediator or the outcome"]),
        ("~ x + y", ["['y']", "not on the mediator or the outcome"]),
        ("~ np.exp(y)", ["['y']"]),
        ("y ~ t", ["must read '~ terms'", "'y ~ t' was given"]),
        ("", ["must read '~ terms'", "'' was given"]),
        ("~", ["must read '~ terms'"]),
        (3, ["must read '~ terms'", "3 was given"]),
        (["t"], ["must read '~ terms'", "['t'] was given"]),
        ("~ zz", ["'zz'", "not a column"]),
        ("~ t + x^2", ["x^2", "I(x**2)"]),
        ("~ t + (x", ["cannot be read"]),
        ("~ t + I(2 * t)", ["collinear", "'t'"]),
        ("~ 0", ["no terms"]),
    ],
)
def test_formula_of_log_sigma(rich, formula, fragments):
    for equation in ("mediator", "outcome"):
        bad(rich, f"{equation}_sigma", *fragments, **{f"{equation}_sigma": formula})


def test_regression_of_log_sigma(rich):
    for formula in ("~ t + x", "t + x"):
        model = build(rich, outcome_sigma=formula)
        design = model.equations["outcome"].sigma
        assert model.equations["mediator"].sigma is None and design.terms == ("Intercept", "t", "x")
        np.testing.assert_array_equal(
            design.matrix, np.column_stack([np.ones(N), rich["t"], rich["x"]])
        )
        rows = model.counterfactuals.outcome.sigma
        np.testing.assert_array_equal(rows[1][:, 1] - rows[0][:, 1], np.ones(N))
    with pytest.warns(UserWarning, match=r"1 of 40 rows dropped .*off: 1"):
        build(put(rich, 2, off=np.nan), outcome_sigma="~ off")


def test_priors_of_a_regression_of_log_sigma(rich):
    model = build(rich, outcome_sigma="~ t", priors={"outcome_sigma": {"t": NORMAL}})
    used = model.priors_in_use
    assert set(used) == {"mediator", "outcome", "outcome_sigma"} and "sigma" not in used["outcome"]
    assert used["outcome_sigma"]["t"] == NORMAL
    spread = np.log(rich["y"].std(ddof=0))
    assert used["outcome_sigma"]["Intercept"].parameters["mu"] == pytest.approx(spread)
    table = model.prior_summary().set_index(["equation", "parameter"])["source"]
    assert table["outcome_sigma", "t"] == "user"
    assert table["outcome_sigma", "Intercept"] == "default"
    bad(rich, "priors['outcome_sigma'] names 'zz'", "['Intercept', 't']", outcome_sigma="~ t",
        priors={"outcome_sigma": {"zz": NORMAL}})  # fmt: skip
    half = bm.Prior("HalfNormal", sigma=1)
    bad(rich, "priors['outcome'] names 'sigma'", "regression of its own", "priors['outcome_sigma']",
        outcome_sigma="~ t", priors={"outcome": {"sigma": half}})  # fmt: skip
    bad(rich, "['outcome_sigma']", "'mediator'", priors={"outcome_sigma": {"t": NORMAL}})
    bad(rich, "priors['outcome_sigma']['t']", "bm.Prior", "(0, 1)", outcome_sigma="~ t",
        priors={"outcome_sigma": {"t": (0, 1)}}, error=TypeError)  # fmt: skip


# Priors of the families' own parameters.


@pytest.mark.parametrize(
    ("family", "name"),
    [("student_t", "sigma"), ("gamma", "shape"), ("negative_binomial", "alpha"), ("beta", "phi"), ("weibull", "sigma")],
)  # fmt: skip
def test_prior_of_a_positive_parameter(rich, family, name):
    bad(rich, f"priors['outcome']['{name}']", repr(NORMAL), "below zero", "HalfNormal",
        priors={"outcome": {name: NORMAL}}, **of(family))  # fmt: skip


@pytest.mark.parametrize(
    "prior",
    [bm.Prior("Gamma", alpha=2, beta=0.1), bm.Prior("TruncatedNormal", mu=5, sigma=3, lower=1.5)],
)
def test_degrees_of_freedom_stay_above_two(rich, prior):
    bad(rich, "priors['outcome']['nu']", repr(prior), "below 2", "lies above 2", "lower=2",
        priors={"outcome": {"nu": prior}}, **of("student_t"))  # fmt: skip
    above = bm.Prior("TruncatedNormal", mu=5, sigma=3, lower=2.5)
    model = build(rich, priors={"outcome": {"nu": above}}, **of("student_t"))
    assert model.priors_in_use["outcome"]["nu"] == above


def test_prior_of_cutpoints(rich):
    model = build(rich, priors={"outcome": {"cutpoints": NORMAL}}, **grade("ordered_logit"))
    assert model.priors_in_use["outcome"]["cutpoints"] == NORMAL
    bad(rich, "'Intercept'", "cutpoints", priors={"outcome": {"Intercept": NORMAL}},
        **grade("ordered_logit"))  # fmt: skip


def test_a_prior_of_a_parameter_of_another_family(rich):
    half = bm.Prior("HalfNormal", sigma=1)
    bad(rich, "'alpha'", "'outcome'", priors={"outcome": {"alpha": half}}, **of("poisson"))


def test_prior_of_cutpoints_must_be_unbounded(rich):
    half = bm.Prior("HalfNormal", sigma=1)
    bad(rich, "'cutpoints'", "HalfNormal", "unbounded", priors={"outcome": {"cutpoints": half}},
        **grade("ordered_logit"))  # fmt: skip


@pytest.mark.parametrize("family", ["probit", "logit"])
def test_binary_response_must_be_zero_or_one(small, family):
    data = small.assign(one_two=small["d"] + 1)
    count = str((small["d"] == 1).sum())
    given = {"outcome": "one_two ~ m + t + x", "outcome_family": family}
    bad(
        data,
        "outcome 'one_two'",
        f"{count} value(s)",
        family,
        "0 and 1",
        "such as 2",
        "recode",
        **given,
    )
    bad(small, "mediator 'm'", "40 value(s)", family, "0 and 1", "recode", mediator_family=family)


@pytest.mark.parametrize("family", ["gaussian", "probit", "logit"])
def test_categorical_response(small, family):
    data = small.assign(y=np.where(small["d"] == 1, "yes", "no"))
    bad(data, "'y' is categorical", "['no', 'yes']", family, ".map({'no': 0, 'yes': 1})",
        outcome_family=family)  # fmt: skip
    data = small.assign(m=pd.Categorical(small["d"]))
    bad(data, "'m' is categorical", "[0, 1]", family, ".map({0: 0, 1: 1})", mediator_family=family)


def test_a_probit_outcome_has_no_sigma(small):
    half = bm.Prior("HalfNormal", sigma=1)
    given = {"outcome": "d ~ m + t + x", "outcome_family": "probit"}
    bad(small, "'sigma'", "outcome", priors={"outcome": {"sigma": half}}, **given)
    kept = build(small, priors={"mediator": {"sigma": half}}, **given)
    assert kept.priors_in_use["mediator"]["sigma"] == half


@pytest.mark.each(2)
@pytest.mark.parametrize("dtype", ["bool", "boolean", "Int64", "object", "bool[pyarrow]"])
def test_dtype_of_a_binary_response(small, dtype):
    given = {"outcome": "d ~ m + t + x", "outcome_family": "probit"}
    assert_same(build(small.assign(d=small["d"].astype(dtype)), **given), build(small, **given))
