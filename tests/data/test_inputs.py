"""Bad input is refused with its mend; harmless differences in the data change nothing.

Nothing here samples or compiles.
"""

import datetime
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import bayesmed as bm
from bayesmed.posterior import draw as drawing
from bayesmed.posterior import nuts as sampling
from bayesmed.sensitivity.grid import DEFAULT_GRID, check_grid
from tests.support.inputs import NORMAL, SIMPLE, N, bad, build, refused
from tests.support.models import FRAMING, JOBS

pytestmark = pytest.mark.filterwarnings("error")

FACTOR = {"mediator": "m ~ g + x", "outcome": "y ~ m + g + x", "treatment": "g"}
EVEN = np.arange(N) % 2 == 0
PERIOD = np.arange(N) % 3


def both(terms):
    """The same covariates in both equations."""
    return {"mediator": f"m ~ {terms}", "outcome": f"y ~ m + {terms}"}


def positive(data):
    return data.assign(x=data["x"].abs() + 0.1, m=data["m"].abs() + 0.1)


def assert_same(model, other):
    """Same columns, rows, responses, contrast and counterfactual rows."""
    for one, two, equation in zip(
        model.designs, other.designs, ("mediator", "outcome"), strict=True
    ):
        assert [term.replace("`", "") for term in one.terms] == list(two.terms)
        np.testing.assert_array_equal(one.matrix, two.matrix)
        np.testing.assert_array_equal(
            model.equations[equation].response.values, other.equations[equation].response.values
        )
    assert_same_rows(model.counterfactuals, other.counterfactuals)
    assert (model.contrast.control, model.contrast.treated) == (
        other.contrast.control,
        other.contrast.treated,
    )


def assert_same_rows(one, two):
    np.testing.assert_array_equal(one.mediator.design, two.mediator.design)
    np.testing.assert_array_equal(one.outcome.base, two.outcome.base)
    np.testing.assert_array_equal(one.outcome.slope, two.outcome.slope)


# Formulas and roles.


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


# The contrast.


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


# Values.


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("x", "leave it out"),
        ("t", "no effect to estimate"),
        ("m", "nothing to explain"),
        ("y", "nothing to explain"),
    ],
)
def test_constant_variable(small, name, mend):
    bad(small.assign(**{name: 1.0}), f"'{name}' is constant (always 1.0)", "40", mend)


def test_constant_factor(small):
    bad(small.assign(g="a"), "'g' is constant (always 'a')", **both("t + g"))


def test_variable_constant_in_the_complete_rows(small):
    data = small.assign(x=np.where(EVEN, small["x"], np.nan))
    bad(data, "'t' is constant (always 0)", "20 complete rows")


@pytest.mark.parametrize("dtype", ["float64", "Float64", "object", "string", "category"])
def test_all_missing_variable(small, dtype):
    bad(small.assign(x=pd.Series([None] * N, dtype=dtype)), "['x'] is missing", "drop the variable")


@pytest.mark.parametrize(
    ("name", "value"), [("x", np.inf), ("m", -np.inf), ("y", np.inf), ("t", -np.inf)]
)
def test_infinite_value(small, name, value):
    column = small[name].astype(float)
    column[3] = value
    bad(small.assign(**{name: column}), f"'{name}' has 1 infinite", "set them to missing")


def test_infinite_value_in_a_column_of_no_formula(small):
    assert_same(build(small.assign(z=np.inf)), build(small))


def test_no_rows_left(small):
    data = small.assign(x=np.where(EVEN, small["x"], np.nan), y=np.where(EVEN, np.nan, small["y"]))
    bad(data, "No rows are left", "all 40", "x: 20", "y: 20")


def test_no_rows_given(small):
    message = bad(small.iloc[:0], "rows")
    assert "all 0" not in message


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


# The data object and its column types.


@pytest.mark.parametrize(
    "make",
    [dict, np.asarray, lambda data: None, lambda data: "data.csv", lambda data: data["x"],
     lambda data: pl.DataFrame({"x": [1.0]}).lazy()],
)  # fmt: skip
def test_data_that_are_no_frame(small, make):
    data = make(small)
    bad(data, "pandas or polars DataFrame", type(data).__name__, error=TypeError)


def test_duplicate_column_names(small):
    bad(pd.concat([small, small[["x"]]], axis=1), "unique", "'x'")


@pytest.mark.parametrize(
    ("values", "fragments"),
    [
        (pd.Series(["a", 1] * 20, dtype=object), ["mixes", "'int'", "'str'", "convert"]),
        (pd.Series([1, True, 0, 5] * 10, dtype=object), ["mixes", "'bool'", "'int'", "convert"]),
        (pd.Series([[1]] * N), ["list", "convert"]),
        (pd.Series([datetime.date(2020, 1, 1)] * N), ["date", "convert"]),
        (pd.Series(pd.date_range("2020", periods=N)), ["datetime64", "convert"]),
        (pd.Series(pd.to_timedelta(np.arange(N), "D")), ["timedelta64", "convert"]),
        (pd.Series(np.arange(N) * 1j), ["complex", "real"]),
    ],
)
def test_column_types_without_meaning(small, values, fragments):
    bad(small.assign(x=values), "'x'", *fragments, error=TypeError)


# Functions of a real-valued mediator.


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


# Families, rho and priors.


@pytest.mark.parametrize("family", ["poissonian", "Gaussian", None, ["gaussian"]])
def test_unknown_family(small, family):
    for equation in ("mediator", "outcome"):
        bad(small, f"{equation}_family={family!r}", "'gamma', 'gaussian'",
            **{f"{equation}_family": family})  # fmt: skip


@pytest.mark.parametrize("rho", [1, -1.0, 1.5, np.nan, np.inf])
def test_rho_outside_its_range(small, rho):
    bad(small, "rho", "strictly between -1 and 1", repr(rho), rho=rho)


@pytest.mark.parametrize("rho", ["0.2", None, True, [0.1], np.array(0.3), 0.1j])
def test_rho_of_another_type(small, rho):
    bad(small, "rho must be a number in (-1, 1) or a bm.Prior", repr(rho), rho=rho, error=TypeError)


@pytest.mark.parametrize(
    "prior",
    [
        NORMAL,
        bm.Prior("Uniform", lower=-2, upper=0.5),
        bm.Prior("HalfNormal", sigma=1),
        bm.Prior("TruncatedNormal", mu=0, sigma=0.3, lower=-1),
    ],
)
def test_rho_prior_with_mass_outside(small, prior):
    bad(small, repr(prior), "mass outside (-1, 1)", "use for example", rho=prior)


@pytest.mark.parametrize(
    "prior",
    [
        bm.Prior("Uniform", lower=-0.9, upper=0.9),
        bm.Prior("TruncatedNormal", mu=0, sigma=0.3, lower=-1, upper=1),
        bm.Prior("Beta", alpha=1, beta=1),
        np.float32(0.5),
    ],
)
def test_rho_that_is_allowed(small, prior):
    assert build(small, rho=prior).rho == prior


@pytest.mark.parametrize(
    ("name", "parameters", "fragments"),
    [
        ("Gauss", {"mu": 0}, ["Gauss", "no univariate continuous distribution", "'Normal'"]),
        ("Poisson", {"mu": 1}, ["Poisson", "continuous"]),
        ("sample", {}, ["sample", "continuous"]),
        (3, {}, ["3"]),
        ("Normal", {"mu": "0"}, ["mu", "number", "'0'"]),
        ("Normal", {"mu": [0, 1]}, ["mu", "number", "[0, 1]"]),
        # PyMC itself takes these without a word.
        ("Normal", {"mean": 0, "sigma": 1}, ["mean", "mu"]),
        ("Normal", {"mu": 0, "sd": 2}, ["sd", "sigma"]),
        ("Normal", {"mu": 0, "sigma": -1}, ["sigma=-1"]),
        ("Normal", {"mu": np.nan, "sigma": 1}, ["mu", "nan"]),
        ("Uniform", {"lower": 1, "upper": 0}, ["lower=1", "upper=0"]),
    ],
)
def test_prior_that_is_no_distribution(name, parameters, fragments):
    refused(lambda: bm.Prior(name, **parameters), *fragments)


@pytest.mark.parametrize(
    ("priors", "error", "fragments"),
    [
        ({"outcome": {"zz": NORMAL}}, ValueError, ["'zz'", "'outcome'", "'m', 't', 'x', 'sigma'"]),
        ({"mediator": {"m": NORMAL}}, ValueError, ["'m'", "'mediator'", "'t', 'x', 'sigma'"]),
        ({"outcom": {"m": NORMAL}}, ValueError, ["'outcom'", "'mediator'", "'outcome'"]),
        ({"rho": NORMAL}, ValueError, ["'rho'", "argument rho"]),
        ({"outcome": {"m": (0, 1)}}, TypeError, ["'m'", "bm.Prior", "(0, 1)"]),
        ({"outcome": {"sigma": NORMAL}}, ValueError, ["sigma", "below zero", "HalfNormal"]),
        ({"outcome": NORMAL}, TypeError, ["priors['outcome']", "Normal"]),
        ({"outcome": None}, TypeError, ["priors['outcome']", "None"]),
        ([1], TypeError, ["priors", "[1]"]),
    ],
)
def test_priors_by_name(small, priors, error, fragments):
    bad(small, *fragments, priors=priors, error=error)


def test_a_probit_outcome_has_no_sigma(small):
    half = bm.Prior("HalfNormal", sigma=1)
    given = {"outcome": "d ~ m + t + x", "outcome_family": "probit"}
    bad(small, "'sigma'", "outcome", priors={"outcome": {"sigma": half}}, **given)
    kept = build(small, priors={"mediator": {"sigma": half}}, **given)
    assert kept.priors_in_use["mediator"]["sigma"] == half


def test_prior_scale(small):
    bad(small, "priors_on='both'", "'regression' or 'structural'", priors_on="both")
    bad(small, "priors_on='regression'", "closed pair", "probit mediator", "'structural'",
        mediator="d ~ t + x", outcome="y ~ d + t + x", mediator_family="probit",
        priors_on="regression")  # fmt: skip
    bad(small, "priors_on='regression'", "['x']", "'structural'", outcome="y ~ m + t",
        priors_on="regression")  # fmt: skip


# Warnings.


def test_dropped_rows_are_counted(small):
    data = small.copy()
    for row, name in enumerate(["x", "y", "m", "x"]):
        data.loc[row, name] = np.nan
    data.loc[10, "g"] = np.nan  # stands in no formula
    with pytest.warns(UserWarning, match=r"4 of 40 rows dropped .*m: 1, x: 2, y: 1") as caught:
        model = bm.MediationModel(data, **SIMPLE)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert_same(model, build(small.iloc[4:]))
    assert model.frame.n_given == N and "4 of 40 rows" in model.notes[0]


def test_missing_in_one_equation_drops_the_row_from_both(small):
    data = small.assign(z=small["d"] + small["x"] ** 2)
    data.loc[[0, 1], "z"] = np.nan
    with (
        pytest.warns(UserWarning, match="2 of 40 rows dropped"),
        pytest.warns(bm.IdentificationWarning, match="'z'"),
    ):
        model = build(data, outcome="y ~ m + t + x + z")
    assert all(len(design.matrix) == N - 2 for design in model.designs)


def test_the_count_survives_another_rho(small):
    data = small.copy()
    data.loc[0, "x"] = np.nan
    with pytest.warns(UserWarning, match="1 of 40 rows dropped"):
        model = build(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = model.with_rho(0.3)
    assert (again.frame.n_given, again.notes) == (N, model.notes)


@pytest.mark.parametrize("family", ["probit", "logit"])
def test_separation_names_the_column(small, family):
    data = small.assign(y=(small["x"] > 0).astype(int))
    with pytest.warns(UserWarning, match=r"Separation in the outcome equation: \['x'\] .*'y'"):
        build(data, outcome_family=family)
    data = small.assign(m=(small["x"] > 0).astype(int))
    with pytest.warns(UserWarning, match=r"Separation in the mediator equation: \['x'\] .*'m'"):
        build(data, mediator_family=family)


def test_separation_by_a_level_and_by_a_combination(small):
    data = small.assign(y=np.where(small["g"] == "b", 1, small["d"]))
    with pytest.warns(UserWarning, match=r"Separation .*'y' is 1 in all \d+ rows where g = 'b'\."):
        build(data, outcome_family="probit", **both("t + g"))
    data = small.assign(z=np.random.default_rng(1).normal(size=N))
    data["y"] = (data["x"] + data["z"] > 0).astype(int)
    with pytest.warns(UserWarning, match=r"Separation .*'x', 'z'"):
        build(data, outcome_family="probit", **both("t + x + z"))


def test_no_separation_no_warning(small, framing, jobs):
    build(small, mediator="m ~ t + x", outcome="d ~ m + t + x", outcome_family="logit")
    bm.MediationModel(framing, **FRAMING)
    bm.MediationModel(jobs, **JOBS)


# Covariates set by at=.


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


# Samplers, their settings and the grid, all refused before anything is compiled.


@pytest.mark.parametrize("sampler", ["stan", None])
def test_unknown_sampler(small, sampler):
    model = build(small)
    refused(
        lambda: model.fit(sampler=sampler), f"sampler={sampler!r}", "'nutpie', 'pymc', 'numpyro'"
    )


def test_sampler_that_is_not_installed(small, monkeypatch):
    monkeypatch.setattr(sampling.importlib.util, "find_spec", lambda name: None)
    model = build(small)
    refused(lambda: model.fit(sampler="numpyro"), "'numpyro'", "install", error=ImportError)


@pytest.mark.parametrize(
    ("name", "value"),
    [("draws", 0), ("draws", -1), ("draws", 1.5), ("draws", "100"), ("draws", None), ("draws", True),
     ("tune", -1), ("chains", 0), ("random_seed", -1), ("random_seed", 1.5), ("random_seed", True)],
)  # fmt: skip
def test_bad_settings(small, monkeypatch, name, value):
    monkeypatch.setattr(drawing, "run_sampler", lambda *_: pytest.fail("sampling began"))
    model = build(small)
    refused(lambda: model.fit(**{name: value}), name, "whole number", repr(value))


@pytest.mark.parametrize(
    "rho", [1, -1.5, True, np.inf, [0, 1.0], [0.1, np.nan], [], range(0), "a", [None], {"a": 1}, 1j, NORMAL]
)  # fmt: skip
def test_bad_grid(rho):
    message = refused(lambda: check_grid(rho), "rho", repr(rho))
    assert "-1 and 1" in message or "(-1, 1)" in message


def test_grid():
    np.testing.assert_array_equal(check_grid(None), DEFAULT_GRID)
    np.testing.assert_array_equal(check_grid(0.3), [0.3])
    np.testing.assert_array_equal(check_grid([0.2, -0.1, 0.2, -0.0]), [-0.1, 0.0, 0.2])


# Harmless differences.


@pytest.fixture
def full(small):
    """A model with a number, a 0/1 column and a factor among its covariates."""
    return build(small, **both("t + x + d + g"))


@pytest.mark.parametrize(
    "dtype",
    ["bool", "boolean", "Int64", "Int8", "uint8", "float32", "Float32", "object", "bool[pyarrow]",
     "int64[pyarrow]", "float[pyarrow]"],
)  # fmt: skip
def test_dtype_of_01_columns(small, full, dtype):
    data = small.astype({"t": dtype, "d": dtype})
    assert_same(build(data, **both("t + x + d + g")), full)


@pytest.mark.parametrize("dtype", ["float32", "Float64", "double[pyarrow]", "object"])
def test_dtype_of_real_columns(small, dtype):
    real = ["x", "m", "y"]
    rounded = small.astype(dict.fromkeys(real, "float32")).astype(dict.fromkeys(real, "float64"))
    assert_same(build(rounded.astype(dict.fromkeys(real, dtype))), build(rounded))


@pytest.mark.parametrize("dtype", ["bool", "boolean", "Int64", "object", "bool[pyarrow]"])
def test_dtype_of_a_binary_response(small, dtype):
    given = {"outcome": "d ~ m + t + x", "outcome_family": "probit"}
    assert_same(build(small.assign(d=small["d"].astype(dtype)), **given), build(small, **given))


@pytest.mark.parametrize(
    "dtype", ["object", "str", "string", "string[pyarrow]", "ordered", "dictionary"]
)
def test_dtype_of_a_factor(small, full, dtype):
    text = small["g"].astype(str)
    if dtype == "ordered":
        column = small["g"].cat.as_ordered()
    elif dtype == "dictionary":  # what read_parquet(dtype_backend="pyarrow") makes of a category
        column = pd.Series(pd.arrays.ArrowExtensionArray(pa.array(small["g"])))
    else:
        column = text.astype(dtype)
    assert_same(build(small.assign(g=column), **both("t + x + d + g")), full)


def test_polars_is_pandas(small, full):
    columns = {name: small[name].to_numpy() for name in ("t", "x", "m", "y", "d")}
    text = pl.Series(small["g"].astype(str).tolist())
    levels = pl.Enum(["a", "b", "c"])
    for g in (text, text.cast(levels)):
        assert_same(build(pl.DataFrame({**columns, "g": g}), **both("t + x + d + g")), full)


def test_polars_null_and_nan_are_missing(small):
    x, y = small["x"].tolist(), small["y"].tolist()
    x[0], x[1], y[2] = None, float("nan"), None
    data = pl.DataFrame({"t": small["t"].tolist(), "m": small["m"].tolist(), "x": x, "y": y})
    with pytest.warns(UserWarning, match=r"3 of 40 rows dropped .*x: 2, y: 1"):
        model = build(data)
    assert_same(model, build(small.iloc[3:]))


@pytest.mark.parametrize("dtype", ["Int64", "boolean", "object", "int64[pyarrow]"])
def test_missing_values_of_nullable_columns(small, dtype):
    column = small["d"].astype("boolean" if dtype == "boolean" else "Int64").astype(dtype)
    column[0] = None
    with pytest.warns(UserWarning, match=r"1 of 40 rows dropped .*d: 1"):
        model = build(small.assign(d=column), **both("t + x + d"))
    assert_same(model, build(small.iloc[1:], **both("t + x + d")))


def test_missing_levels(small):
    column = small["g"].astype(str).astype(object)
    column[0] = None
    with pytest.warns(UserWarning, match=r"1 of 40 rows dropped .*g: 1"):
        model = build(small.assign(g=column), **both("t + g"))
    assert_same(model, build(small.iloc[1:], **both("t + g")))


@pytest.mark.parametrize(
    "index",
    [np.zeros(N, int), np.arange(N)[::-1], [f"row {i}" for i in range(N)],
     pd.MultiIndex.from_arrays([EVEN, PERIOD])],
)  # fmt: skip
def test_index_does_not_matter(small, full, index):
    assert_same(build(small.set_axis(index, axis=0), **both("t + x + d + g")), full)


def test_column_order_does_not_matter(small, full):
    data = small[small.columns[::-1]].assign(unused=pd.date_range("2020", periods=N))
    assert_same(build(data, **both("t + x + d + g")), full)


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


def test_the_callers_data_are_left_alone(small):
    before = small.copy(deep=True)
    model = build(small, **both("t + x + g"))
    rows = model.designs[1].matrix.copy()
    pd.testing.assert_frame_equal(small, before)
    small.loc[:, "x"] = 0.0
    assert_same_rows(model.counterfactuals, build(before, **both("t + x + g")).counterfactuals)
    np.testing.assert_array_equal(model.designs[1].matrix, rows)
