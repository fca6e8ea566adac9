"""Text where numbers were meant, formulas as other packages write them, and names that nearly fit.

Nothing here samples, but for two small Laplace fits.
"""

import io
import re
import unicodedata
import warnings
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest

import bayesmed as bm
from bayesmed.data.texts import reading, text_notes
from bayesmed.families.catalogue import FAMILIES

N = 120
ROLES = {"mediator": "m ~ t + x", "outcome": "y ~ m + t + x", "treatment": "t"}
QUICK = {"method": "laplace", "draws": 1000, "chains": 4, "random_seed": 1, "progress": False}


@pytest.fixture(scope="module")
def data():
    draw = np.random.default_rng(5)
    t, x = np.arange(N) % 2, draw.normal(40.0, 12.0, N).round()
    m = 0.5 * t + 0.05 * x + draw.normal(size=N)
    y = 0.4 * m + 0.2 * t + 0.05 * x + draw.normal(size=N)
    return pd.DataFrame({"t": t, "x": x, "m": m.round(3), "y": y.round(3)})


def told(frame, **arguments):
    """The model and its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = bm.MediationModel(frame, **{**ROLES, **arguments})
    return model, [str(one.message) for one in caught]


def one_warning(frame, *fragments, **arguments):
    model, said = told(frame, **arguments)
    assert len(said) == 1, said
    for fragment in fragments:
        assert fragment in said[0], said[0]
    assert said[0] in model.notes
    return said[0]


def refused(frame, *fragments, error=ValueError, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(error) as caught:
            bm.MediationModel(frame, **{**ROLES, **arguments})
    message = str(caught.value)
    assert type(caught.value) is error, message
    for fragment in fragments:
        assert fragment in message, message
    assert len(message) < 700, message
    return message


def as_text(column, **changed):
    """The column as text, some rows replaced by their position."""
    text = column.astype(str)
    for place, value in changed.items():
        text[int(place[1:])] = value
    return text


def advice(message, frame, name):
    """Do the assignment that a message writes, and return the column."""
    code = message[message.index(f"df[{name!r}] = ") :]
    depth = end = 0
    for end, sign in enumerate(code):
        depth += (sign == "(") - (sign == ")")
        if sign == ")" and depth == 0 and code[end + 1 : end + 2] != ".":
            break
        if sign == ")" and depth == 0 and code[end + 1 : end + 3] in (". ", "."):
            break
    frame = frame.copy()
    exec(code[: end + 1], {"df": frame, "pd": pd, "np": np})
    return frame[name]


# Numbers that arrive as text.


def test_numbers_say_nothing(data):
    assert told(data)[1] == []


@pytest.mark.each(2)
@pytest.mark.parametrize("code", [".", "NA", "unknown", "", "-"])
def test_one_stray_value_makes_a_factor_and_is_told(data, code):
    frame = data.assign(x=as_text(data["x"], r7=code))
    levels = frame["x"].nunique()
    said = one_warning(
        frame, f"{levels} levels", f"{levels - 1} read as numbers", f"not {code!r}", "C(x)"
    )
    mended = advice(said, frame, "x")
    expected = data["x"].where(np.arange(N) != 7)
    np.testing.assert_array_equal(mended, expected)


def test_a_csv_with_a_dot_and_its_mend(data):
    file = data.assign(x=as_text(data["x"], r7=".")).to_csv(index=False)
    said = one_warning(pd.read_csv(io.StringIO(file)), "na_values=['.']")
    assert "errors='coerce'" in said
    with pytest.warns(UserWarning, match="1 of 120 rows dropped"):
        model = bm.MediationModel(pd.read_csv(io.StringIO(file), na_values=["."]), **ROLES)
    assert model.designs[0].terms == ("Intercept", "t", "x")


@pytest.mark.each(2)
@pytest.mark.parametrize(
    ("write", "option"),
    [
        (lambda v: f"{v:.1f}".replace(".", ","), "decimal=','"),
        (lambda v: f"{v * 1000 + 1000:,.1f}", "thousands=','"),
        (
            lambda v: f"{v * 1000 + 1000:,.1f}".translate(str.maketrans(",.", ".,")),
            "decimal=',', thousands='.'",
        ),
    ],
)
def test_commas_in_numbers(data, write, option):
    frame = data.assign(x=[write(value) for value in data["x"]])
    said = one_warning(frame, option, "with a comma")
    given = advice(said, frame, "x")
    slope, _ = np.polyfit(data["x"], given, 1)
    assert np.corrcoef(data["x"], given)[0, 1] == pytest.approx(1.0, abs=1e-6)
    assert slope == pytest.approx(1.0 if option == "decimal=','" else 1000.0, rel=1e-3)
    argument = eval(f"dict({option})")
    file = io.StringIO(frame.to_csv(index=False, sep=";"))
    np.testing.assert_allclose(pd.read_csv(file, sep=";", **argument)["x"], given)


def test_digits_that_are_a_factor_can_be_stated(data):
    site = pd.Series(np.arange(N) // 2 % 5 + 1).astype(str)
    one_warning(data.assign(x=site), "5 levels", "all read as numbers", "C(x)")
    stated = {"mediator": "m ~ t + C(x)", "outcome": "y ~ m + t + C(x)"}
    assert told(data.assign(x=site), **stated)[1] == []
    assert told(data.assign(x=site.astype("category")))[1] == []


def test_two_levels_that_are_numbers_are_the_same_model(data):
    high = (data["x"] > 40).astype(int)
    (text, said), (number, _) = told(data.assign(x=high.astype(str))), told(data.assign(x=high))
    assert said == []
    np.testing.assert_array_equal(text.designs[0].matrix, number.designs[0].matrix)
    one_warning(data.assign(x=as_text(high, r3=".")), "3 levels", "not '.'")


def test_a_pipeline_that_makes_categories_of_all_text(data):
    frame = data.assign(x=as_text(data["x"], r7=".").astype("category"))
    one_warning(frame, "read as numbers", "not '.'")


def test_polars_text(data):
    frame = pl.DataFrame({**data.to_dict("list"), "x": list(as_text(data["x"], r7="NA"))})
    one_warning(frame, "read as numbers", "'NA'")


@pytest.mark.parametrize("levels", [8, 15])
def test_factors_of_words_say_nothing(data, levels):
    said = told(data.assign(x=[f"c{i // 2 % levels}" for i in range(N)]))[1]
    assert said == []


def test_words_in_nearly_every_row(data):
    frame = data.assign(x=[f"id{i * i % 59 + i % 3:03d}" for i in range(N)])
    one_warning(frame, "51 levels in 120 rows", "... (51 in all)")
    dates = data.assign(x=pd.date_range("2020", periods=N).astype(str))
    with pytest.warns(UserWarning, match="120 levels in 120 rows"), pytest.raises(ValueError):
        bm.MediationModel(dates, **ROLES)


@pytest.mark.each(3)
@pytest.mark.parametrize("code", [".", "nan", "N/A", "?", " "])
def test_a_code_of_a_missing_value_among_words(data, code):
    sex = pd.Series(np.resize(["f", "m", "f", code], N)).sample(frac=1.0, random_state=1).to_numpy()
    said = one_warning(data.assign(x=sex), repr(code), "missing")
    mended = advice(said, data.assign(x=sex), "x")
    assert mended.isna().sum() == N // 4 and set(mended.dropna()) == {"f", "m"}


@pytest.mark.parametrize(("name", "role"), [("m", "mediator"), ("y", "outcome")])
def test_a_response_read_as_text(data, name, role):
    frame = data.assign(**{name: as_text(data[name], r7=".")})
    levels = frame[name].nunique()
    said = refused(
        frame, f"The {role} {name!r} is text", f"{levels} levels", f"{levels - 1} read", "not '.'"
    )
    np.testing.assert_array_equal(advice(said, frame, name), data[name].where(np.arange(N) != 7))


def test_a_response_of_digits(data):
    binary = data.assign(y=(data["y"] > 2.0).astype(int).astype(str))
    for family in ("probit", "gaussian"):
        refused(binary, "'y' is text", "pd.to_numeric(df['y'])", outcome_family=family)
    graded = data.assign(y=(np.arange(N) // 2 % 5).astype(str))
    refused(graded, "'y' is text", "pd.to_numeric", outcome_family="ordered_probit")


def test_a_response_of_many_words_is_not_listed_in_full(data):
    refused(data.assign(y=[f"w{i}" for i in range(N)]), "... (120 in all)")


def test_a_treatment_of_text(data):
    text = data.assign(t=data["t"].astype(str))
    refused(text, "its levels are ['0', '1']".replace("its", "Its"), "pd.to_numeric(df['t'])")
    refused(text, "control=0", "Did you mean '0', which is text?", control=0, treated=1)
    assert told(text, control="0", treated="1")[1] == []
    one_warning(
        data.assign(t=as_text(data["t"], r4=".")), "'t'", "not '.'", control="0", treated="1"
    )


def test_text_and_numbers_in_one_column(data):
    mixed = data["x"].astype(object)
    mixed[7] = "."
    refused(
        data.assign(x=mixed),
        "mixes",
        "1 of 120 are text, such as '.'",
        "to_numeric",
        error=TypeError,
    )


def test_numbers_as_text_in_data_of_the_outcome(data):
    frame = data.assign(o=as_text(data["x"], r7="."))
    refused(frame, "outcome_data['offset']", "is text", "to_numeric", outcome_data={"offset": "o"})


def test_too_few_rows_for_the_levels_still_say_why(data):
    frame = data.assign(x=(data["x"] + np.arange(N) / 1000).astype(str))
    with pytest.warns(UserWarning, match="read as numbers"), pytest.raises(ValueError):
        bm.MediationModel(frame, **ROLES)


@pytest.mark.fit
def test_fits_of_many_and_fits_by_parts_say_it_too(data):
    frame = data.assign(x=[str(i % 7) for i in np.arange(N) // 2], z=data["x"])
    many = bm.fit_many(
        frame, **{**ROLES, "mediator": "{q} ~ t + x", "outcome": "y ~ {q} + t + x"},
        over={"q": ["m", "z"]}, **{k: QUICK[k] for k in ("method", "random_seed")},
        draws=1000, chains=4,
    )  # fmt: skip
    for text in many["problems"].to_numpy().ravel():
        assert "7 levels, of which all read as numbers" in text
    with pytest.warns(UserWarning, match="7 levels, of which all read as numbers"):
        fit = bm.fit(frame, moments=True, **ROLES, **QUICK)
    assert any("read as numbers" in note for note in fit.about["notes"])


def test_reading_of_levels():
    found = reading(
        ["1", "2.5", "-3e2", ".5", "+4.", "1,5", "1.234,5", "1,234.5", ".", "<NA>", "x"]
    )
    assert found.plain == ("1", "2.5", "-3e2", ".5", "+4.")
    assert found.comma == ("1,5", "1.234,5", "1,234.5")
    assert (found.missing, found.words) == ((".", "<NA>"), ("x",))
    assert reading([1, 2]) is None
    np.testing.assert_array_equal(
        pd.to_numeric(pd.Series(found.plain)), [float(level) for level in found.plain]
    )


# Levels and names that look the same.


def test_levels_that_differ_by_white_space(data):
    arm = np.where(
        np.arange(N) % 10 == 1, "treated ", np.where(data["t"] == 1, "treated", "control")
    )
    frame = data.assign(t=arm)
    said = one_warning(
        frame, "'treated' and 'treated '", "white space", control="control", treated="treated"
    )
    assert set(advice(said, frame, "t")) == {"treated", "control"}


@pytest.mark.fit
def test_groups_that_differ_by_white_space(data):
    frame = data.assign(site=np.resize(["north", "north ", "south"], N))
    fit = bm.fit(frame, **ROLES, **QUICK)
    with pytest.warns(UserWarning, match="'north' and 'north '") as caught:
        fit.effects(by="site")
    assert caught[0].filename == __file__


def test_levels_that_differ_by_accents_or_capitals(data):
    parts = np.resize(np.array(["é", "b", "c"], dtype=object), N)
    parts[::6] = unicodedata.normalize("NFD", "é")
    said = one_warning(data.assign(x=parts), "'e\\u0301' and '\\xe9'")
    assert advice(said, data.assign(x=parts), "x").nunique() == 3
    words = np.resize(["Male", "female", "male", "male", "female"], N)
    one_warning(data.assign(x=words), "'Male' and 'male'", "capitals")


def test_a_genotype_differs_by_capitals(data):
    assert text_notes("x", ["AA", "Aa", "aa"], N, stated=False) == []


def test_a_column_in_other_accents(data):
    column = unicodedata.normalize("NFD", "réaction")
    frame = data.rename(columns={"x": column})
    typed = {"mediator": "m ~ t + réaction", "outcome": "y ~ m + t + réaction"}
    refused(frame, "looks the same", "'r\\xe9action'", "'re\\u0301action'", **typed)
    frame = data.rename(columns={"m": column})
    refused(frame, "looks the same", mediator="réaction ~ t", outcome="y ~ réaction + t")
    decomposed = {e: unicodedata.normalize("NFD", f) for e, f in typed.items()}
    refused(data.rename(columns={"x": "réaction"}), "normalize('NFC', formula)", **decomposed)
    refused(data.rename(columns={"x": "x "}), "'x '", "looks the same")


def test_many_columns_are_not_listed_in_full(data):
    wide = pd.DataFrame(np.zeros((N, 300)), columns=[f"c{i}" for i in range(300)])
    frame = pd.concat([data, wide], axis=1)
    for arguments in (
        {"mediator": "m ~ t + age"}, {"mediator": "age ~ t"}, {"treatment": "age"},
        {"outcome_data": {"offset": "age"}},
    ):  # fmt: skip
        refused(frame, "(304 in all)", **arguments)
    model = told(data.assign(x=[f"s{i // 2 % 20}" for i in range(N)]))[0]
    with pytest.raises(ValueError, match=r"\(20 in all\)") as caught:
        model.counterfactuals_at({"x": "s1 "})
    assert "Did you mean 's1'" in str(caught.value)
    refused(data, "Did you mean 'x'?", mediator="m ~ t + X")


def test_a_long_formula_is_not_shown_in_full(data):
    terms = " + ".join(f"c{i}" for i in range(300))
    wide = pd.DataFrame(np.zeros((N, 300)), columns=[f"c{i}" for i in range(300)])
    frame = pd.concat([data, wide], axis=1)
    for formula in (f"m ~ t + {terms} + age", f"m ~ {terms}", f"m ~ t + {terms} + (1 | x)", terms):
        refused(frame, "mediator formula", " ... (", mediator=formula)
    refused(data, "c0", "(300 in all)", mediator=f"m ~ t + {terms}")


# Formulas as other packages write them.


@pytest.mark.parametrize(
    ("terms", "fragments"),
    [
        ("t + (1|x)", ["(1|x)", "random effect"]),
        ("t + (1 + x || g)", ["random effect"]),
        ("t + (1 | C(x))", ["random effect"]),
        ("t + x | x", ["without '|'", "no clustered"]),
        ("t + offset(x)", ["mediator_data={'offset': 'x'}"]),
        ("t + offset(log(x))", ["mediator_data={'offset':", "'exposure'"]),
        (".", ["'.' would stand for every column"]),
        ("t + .", ["'.' would stand for every column"]),
        ("t + s(x)", ["s()", "cr(x"]),
        ("t + as.factor(x)", ["C(x)"]),
        ("t + sqrt(x)", ["np.sqrt()"]),
        ("t + ifelse(x > 1, 1, 0)", ["ifelse()", "make a column"]),
        ("t + C(x, Treatment('zz'))", ["mediator formula", "'zz'"]),
    ],
)
def test_terms_of_other_packages(data, terms, fragments):
    refused(data, "mediator formula", *fragments, mediator=f"m ~ {terms}")


@pytest.mark.parametrize("given", [["m ~ t", "x ~ t"], ("m ~ t",), {"m": "m ~ t"}])
def test_several_mediators_or_outcomes(data, given):
    refused(data, "one mediator", "fit_many", mediator=given)
    refused(data, "one outcome", outcome=given)


@pytest.mark.parametrize(
    ("left", "fragment"),
    [
        ("m + x", "one mediator"), ("cbind(m, x)", "one mediator"), ("", "Name the mediator"),
        ("log(m)", "compute it first"), ("Surv(m, x)", "'event'"),
    ],
)  # fmt: skip
def test_responses_of_other_packages(data, left, fragment):
    refused(data, fragment, mediator=f"{left} ~ t + x")


@pytest.mark.parametrize(
    ("name", "word"),
    [("cluster", "no clustered"), ("mediators", "one mediator"), ("covariates", "both formulas"),
     ("moderator", "treat * x"), ("sims", "draws="), ("family", "outcome_family=")],
)  # fmt: skip
def test_arguments_of_other_packages(data, name, word):
    for door in (partial(bm.fit, **QUICK), bm.MediationModel):
        with pytest.raises(TypeError, match=re.escape(word)):
            door(data, **ROLES, **{name: "x"})


@pytest.mark.each(3)
@pytest.mark.parametrize("mark", ["|", "~", "||", "offset(x)", " . "])
def test_marks_inside_a_level_or_a_name(data, mark):
    arm = np.where(data["t"] == 1, f"drug{mark}high", "placebo")
    frame = data.assign(a=arm, **{f"b{mark}c": data["x"]}).drop(columns=["t"])
    quoted = f"C(a, Treatment('drug{mark}high')) + `b{mark}c`"
    model, said = told(
        frame, mediator=f"m ~ {quoted}", outcome=f"y ~ m + {quoted}", treatment="a",
        control="placebo", treated=f"drug{mark}high",
    )  # fmt: skip
    assert said == []
    np.testing.assert_array_equal(model.designs[0].matrix[:, 1], 1 - data["t"])
    np.testing.assert_array_equal(model.designs[0].matrix[:, 2], data["x"])


def test_or_inside_a_function(data):
    terms = "t + I((x > 50) | (x < 30))"
    model, _ = told(data, mediator=f"m ~ {terms}", outcome=f"y ~ m + {terms}")
    outer = (data["x"] > 50) | (data["x"] < 30)
    np.testing.assert_array_equal(model.designs[0].matrix[:, 2], outer)


@pytest.mark.parametrize("name", ["x", "my x", "x/1"])
def test_names_quoted_as_patsy_does(data, name):
    frame = data.rename(columns={"x": name})
    frame.loc[3, name] = np.nan
    with pytest.warns(UserWarning, match="1 of 120 rows dropped"):
        model = bm.MediationModel(
            frame,
            mediator=f"m ~ t + Q('{name}')",
            outcome=f'y ~ m + t + Q("{name}")',
            treatment="t",
        )
    np.testing.assert_array_equal(model.designs[0].matrix[:, 2], data["x"].drop(3))
    assert model.counterfactuals_at({name: 40.0}).mediator.design[0, :, 2].tolist() == [40.0] * (
        N - 1
    )


@pytest.mark.parametrize("name", ["R/S_LC", "my x", "x-y", "2nd+3rd"])
def test_names_that_need_backticks(data, name):
    hint = f"`{name}`"
    frame = data.rename(columns={"x": name})
    refused(frame, hint, mediator=f"m ~ t + {name}", outcome=f"y ~ m + t + {name}")
    frame = data.rename(columns={"m": name})
    refused(frame, hint, mediator=f"{name} ~ t + x", outcome=f"y ~ {name} + t + x")


def test_a_name_that_could_be_an_operation(data):
    frame = data.assign(R=data["x"] + 1.0, S=data["x"] ** 2, **{"R/S": 1.0 / data["x"]})
    both = {"mediator": "m ~ t + R/S", "outcome": "y ~ m + t + R/S"}
    refused(frame, "two ways", "`R/S`", "spaces", **both)
    for terms, last in (("R / S", "R:S"), ("`R/S`", "R/S"), ("I(R/S)", "I(R / S)")):
        model, _ = told(frame, mediator=f"m ~ t + {terms}", outcome=f"y ~ m + t + {terms}")
        assert model.designs[0].terms[-1] == last


# Families, files, contrasts.


@pytest.mark.parametrize(
    ("given", "hint"),
    [("multinomial", "There is none"), ("normal", "'gaussian'?"), ("Gaussian", "'gaussian'?"),
     ("bernoulli", "'probit' or 'logit'?"), ("log-normal", "'lognormal'?"),
     ("cox", "mean 'lognormal'?"), ("binomial", "'probit' or 'logit'?"), ("tobit", "for outcomes")],
)  # fmt: skip
def test_families_offered_to_a_mediator_can_be_its(data, given, hint):
    message = refused(data, hint, mediator_family=given)
    offered = re.search(r"\[.*?\]", message).group(0)
    for name in FAMILIES:
        assert (repr(name) in offered) == (not FAMILIES[name].outcome_only)
    if given not in FAMILIES:
        offered = re.search(r"\[.*?\]", refused(data, outcome_family=given)).group(0)
        assert all(repr(name) in offered for name in FAMILIES)


@pytest.mark.parametrize(
    ("name", "reader"), [("a.csv", "read_csv"), ("a.xlsx", "read_excel"), ("a.dta", "read_stata")]
)
def test_a_path_in_place_of_data(tmp_path, name, reader):
    path = tmp_path / name
    path.write_text("t,x,m,y\n1,2,3,4\n")
    with pytest.raises(TypeError, match=rf"pd\.{reader}\('.*{name}'\)"):
        bm.MediationModel(path, **ROLES)
    with pytest.raises(ValueError, match=rf"not a Parquet file.*pd\.{reader}\("):
        bm.fit(str(path), **ROLES)


def test_an_arm_without_complete_rows(data):
    refused(
        data.assign(m=data["m"].where(data["t"] == 1)),
        "treatment 't' is constant (always 1)", "60 complete rows", "m: 60", "both arms",
    )  # fmt: skip
    refused(data.assign(t=1), "treatment 't' is constant", "no effect")
    three = data.assign(t=np.arange(N) % 3)
    lost = three.assign(m=three["m"].where(three["t"] > 0))
    for frame, levels in ((lost, (0, 2)), (lost.assign(t=lost["t"].map(str)), ("0", "2"))):
        control, treated = levels
        refused(frame, f"control={control!r}", "none of the 40 rows", "m: 40",
                control=control, treated=treated)  # fmt: skip


@pytest.mark.parametrize("term", ["t", "C(t)"])
def test_levels_equal_but_for_rounding(data, term):
    dose = np.choose(np.arange(N) % 3, [0.0, 0.1 + 0.2, 0.7])
    both = {"mediator": f"m ~ {term} + x", "outcome": f"y ~ m + {term} + x"}
    given = told(data.assign(t=dose), control=0, treated=0.3, **both)[0]
    exact = told(data.assign(t=dose), control=0, treated=0.1 + 0.2, **both)[0]
    assert given.contrast == exact.contrast and str(given.contrast) == "t: 0 -> 0.3"
    a, b = given.counterfactuals, exact.counterfactuals
    np.testing.assert_array_equal(a.mediator.design, b.mediator.design)
    two = data.assign(t=np.where(data["t"] == 1, 0.1 + 0.2, 0.0))
    assert told(two, control=0, treated=0.3)[0].contrast.treated == 0.1 + 0.2
    refused(two, "treated=0.31", control=0, treated=0.31)


@pytest.mark.fit
def test_the_right_effect_after_the_mend(data):
    """A fit of mended text is that of the numbers."""
    frame = data.assign(x=data["x"].map(lambda v: f"{v:.1f}".replace(".", ",")))
    said = one_warning(frame, "decimal=','")
    mended = frame.assign(x=advice(said, frame, "x"))
    one, two = (bm.fit(d, **ROLES, **QUICK).effects().draws["acme"] for d in (mended, data))
    np.testing.assert_array_equal(one, two)
