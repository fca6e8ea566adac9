"""Arithmetic outside functions is refused, formula algebra is kept; what else a formula cannot hold."""

import warnings

import numpy as np
import pandas as pd
import pytest

import bayesmed as bm
from bayesmed.data.arithmetic import refuse_arithmetic

N = 120


@pytest.fixture(scope="module")
def data():
    r = np.random.default_rng(3)
    frame = pd.DataFrame({
        "treat": np.arange(N) % 2, "age": r.normal(40.0, 10.0, N).round(), "x": r.normal(size=N),
        "z": r.normal(size=N), "g": r.choice(list("abc"), N), "import": r.normal(5.0, 1.0, N),
        "class": r.choice(list("ab"), N), "a b": r.normal(size=N), "anx": r.normal(size=N),
    })  # fmt: skip
    frame["emo"] = np.exp(0.3 * frame["treat"] + r.normal(size=N))
    frame["y"] = 0.3 * frame["emo"] + r.normal(size=N)
    return frame


def build(data, terms="x", left="emo", **arguments):
    own = {"mediator": f"{left} ~ treat + {terms}", "outcome": "y ~ emo + treat", **arguments}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bm.MediationModel(data, treatment="treat", **own)


def refusal(data, *args, error=ValueError, **arguments):
    with pytest.raises(error) as caught:
        build(data, *args, **arguments)
    assert type(caught.value) is error
    assert len(str(caught.value)) < 700
    return str(caught.value)


ARITHMETIC = {
    "(x + z)/2": "I((x + z)/2)", "treat*(age-45)": "I(age-45) or center(age)",
    "treat*(age - 1)": "I(age - 1)", "age - 5": "I(age - 5) or center(age)",
    "x + (age-x)": "I(age-x)", "age/10": "I(age/10)", "10*age": "I(10*age)",
    "((x-5)/.78)": "I((x-5)/.78)", "(x+z)/(g+age)": "I((x+z)/(g+age))", "x - z": "I(x - z)",
    "100 - age": "I(100 - age)", "1/age": "I(1/age)", "(age - 45)**2": "I(age - 45)",
    "x + 0.5": "I(x + 0.5)", "treat*(`a b` - 2)": "I(`a b` - 2) or center(`a b`)",
    "x:(z-1)": "I(z-1)", "np.log(age)/2": "I(np.log(age)/2)", "1*x": "I(1*x)",
    "x - (z + age)/2": "I(x - (z + age)/2)", "I(x - 3) - 3": "I(I(x - 3) - 3)",
}  # fmt: skip
ALGEBRA = [
    "g/x", "x*z - x:z", "x - 1", "x + 0", "0 + x", "-1 + x", "x + 1", "(x + z)*treat", "x - x + z",
    "(x + z + g)**2 - x:z", "(x + z + g)^2", "x*z*age - x:z:age", "(x + z):g", "(x + z)/g",
    "x %in% g", "x - 0", "x - (1)", "x + (0)", "x:1", "I(x - 3) + z", "{x / 2}", "bs(x, df=4) - 1",
    "C(g, Treatment('b'))*x", "`a b` - 1", "poly(x, 2)*z - z",
]  # fmt: skip


@pytest.mark.parametrize("terms", ARITHMETIC)
def test_arithmetic_outside_functions_is_refused(data, terms):
    told = refusal(data, terms)
    assert "not as arithmetic" in told and ARITHMETIC[terms] in told
    refusal(data, mediator_sigma=f"~ {terms}")
    refusal(data, outcome=f"y ~ emo + treat + {terms}")


@pytest.mark.parametrize("terms", ["treat*(age-age.mean())", "age - np.mean(age)"])
def test_to_take_off_a_mean_center_is_named(data, terms):
    told = refusal(data, terms)
    assert "write center(age), which takes off the mean" in told and "I(" not in told


@pytest.mark.each(4)
@pytest.mark.parametrize("terms", ALGEBRA)
def test_formula_algebra_is_kept(data, terms):
    build(data, terms)


@pytest.mark.parametrize("terms", ["z/(age + 1)", "x*(1 + z)"])
def test_a_constant_among_crossed_terms(data, terms):
    told = refusal(data, terms)
    assert "inside I(), as in I(x/(z + 1))" in told and "tip" not in told


def test_what_a_message_writes_is_the_arithmetic(data):
    kept = build(data, "I((x + z)/2)").designs[0].matrix[:, -1]
    np.testing.assert_allclose(kept, (data["x"] + data["z"]) / 2)


def test_sums_of_many_terms_are_read():
    refuse_arithmetic(" + ".join(f"x{i}" for i in range(900)), "mediator")


@pytest.mark.parametrize("terms", ["(emo>6)", "x > 1", "g == 'a'"])
def test_comparisons_are_told_to_stand_in_functions(data, terms):
    assert "I((x > 1).astype(float))" in refusal(data, terms)


@pytest.mark.parametrize(
    "terms", ["center(import)", "np.log(`import`)", "I(import**2)", "C(class)"]
)
def test_words_of_python(data, terms):
    assert "is a word of Python" in refusal(data, terms)
    build(data, "import + `class`")


@pytest.mark.parametrize("spline", ["cr(age, df=4)", "cc(age, df=4)"])
def test_splines_that_hold_the_constant(data, spline):
    told = refusal(data, spline)
    mended = spline[:-1] + ", constraints='center')"
    assert mended in told and "leave one of them out" not in told
    build(data, mended)
    if spline.startswith("cr"):
        assert f"other terms that {mended} holds" in refusal(data, f"age + {mended}")


@pytest.mark.parametrize(
    ("left", "fragment"),
    [
        ("np.log(emo)", "mediator_family='lognormal'"), ("scale(emo)", "column of its own"),
        ("emo*2", "column of its own"), ("np.power(emo, 2)", "column of its own"),
        ("emo + anx", "one mediator"), ("cbind(emo, anx)", "one mediator"),
        ("emo, anx", "one mediator"), ("(emo, anx)", "fit_many"), ("emo & anx", "one mediator"),
    ],
)  # fmt: skip
def test_responses_that_are_no_column(data, left, fragment):
    told = refusal(data, left=left)
    assert fragment in told and "Did you mean" not in told
    assert "Did you mean 'emo'?" in refusal(data, left="Emo")
    odd = data.rename(columns={"emo": "emo (1-7)"})
    assert "Did you mean 'emo (1-7)'?" in refusal(odd, left="`emo (1 - 7)`")


def test_calls_of_pandas(data):
    told = refusal(data, "pd.cut(age, 3)")
    assert "knows NumPy only" in told and "df['new'] = pd" in told and "Did you mean" not in told


@pytest.mark.parametrize("sign", [";", "\t", "|"])
def test_a_file_read_with_another_separator(data, sign):
    frame = pd.DataFrame({sign.join(data.columns): ["1"]})
    assert f"sep={sign!r}" in refusal(frame)
    with pytest.raises(ValueError, match="one column only"):
        bm.fit(frame, mediator="emo ~ treat", outcome="y ~ emo + treat", treatment="treat")


@pytest.mark.each(2)
@pytest.mark.parametrize(
    "terms", ["treat*I(old - 45)", "center(old)", "log(old)", "I(-old)", "poly(old, 2)"]
)
def test_calculating_with_text(data, terms):
    frame = data.assign(old=data["age"].astype(int).astype(str).where(data.index != 3, "?"))
    told = refusal(frame, terms)
    assert "calculates with 'old', which is text" in told and "pd.to_numeric(df['old']" in told
    assert "write C(g)" in refusal(frame, "center(g)")
    for kept in ("I(g == 'a')", "C(g)", "I(x * (g == 'a'))", "I(g.isin(['a', 'b']))"):
        build(frame, kept)


@pytest.mark.parametrize(("name", "reader"), [("no.csv", "csv"), ("no.xlsx", "excel")])
def test_a_path_to_no_file(name, reader):
    for door, error in ((bm.MediationModel, TypeError), (bm.fit, FileNotFoundError)):
        with pytest.raises(error, match=rf"pd\.read_{reader}\('{name}'\) \(but there is no file"):
            door(name, mediator="m ~ t", outcome="y ~ m + t", treatment="t")


def test_words_for_a_treatment_of_numbers(data):
    assert "it holds 0, 1." in refusal(data, control="no", treated="yes")


@pytest.mark.parametrize(
    ("write", "scale"),
    [(lambda v: f"{v:.0f}%", 1), (lambda v: f"{v:.1f} %".replace(".", ","), 1),
     (lambda v: f"${v * 1000:,.0f}", 1000), (lambda v: f"{v * 1000:,.0f}€", 1000)],
)  # fmt: skip
def test_numbers_with_a_sign_beside_them(data, write, scale):
    frame = data.assign(y=[write(value) for value in data["age"]])
    told = refusal(frame)
    assert "all read as numbers, without" in told
    exec(told[told.index("df['y'] =") : -1], {"df": frame, "pd": pd})
    np.testing.assert_allclose(frame["y"], scale * data["age"])
