"""Any frame and any formula: the right answer or a clear error, never a silent difference."""

import os
import warnings

import numpy as np
import pandas as pd
import pymc  # noqa: F401  (it sets the recursion limit, which hypothesis guards)
import pytest
from formulaic import model_matrix
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bayesmed as bm
from bayesmed.effects.question import Question, ask
from tests.support.handmade import hand_fit

#: ``BAYESMED_EXAMPLES=10000 uv run pytest -n 0 -m slow tests/test_properties.py`` searches further.
FEW, EXAMPLES = 6, int(os.environ.get("BAYESMED_EXAMPLES", "40"))
SEARCH = settings(
    deadline=None, derandomize=EXAMPLES == 40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)  # fmt: skip


def searched(*strategies):
    """A few examples at once, and many with the slow tests."""

    def of(test):
        @pytest.mark.parametrize("examples", [FEW, pytest.param(EXAMPLES, marks=pytest.mark.slow)])
        def search(examples):
            settings(SEARCH, max_examples=examples)(given(*strategies)(test))()

        search.__name__, search.__doc__ = test.__name__, test.__doc__
        return search

    return of


ROWS = 36
ERRORS = (ValueError, TypeError)


def canonical():
    rng = np.random.default_rng(3)
    return pd.DataFrame({
        "t": np.arange(ROWS) % 2, "x": rng.integers(-8, 9, ROWS) / 4.0,
        "g": np.resize(["a", "b", "c"], ROWS)[rng.permutation(ROWS)],
        "m": rng.normal(size=ROWS).round(3), "y": rng.normal(size=ROWS).round(3),
    })  # fmt: skip


FULL = {"mediator": "m ~ t + x + g", "outcome": "y ~ m * t + x + g", "treatment": "t"}


def build(data, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bm.MediationModel(data, **{**FULL, **arguments})


def same(model, other):
    for a, b in zip(model.designs, other.designs, strict=True):
        assert a.terms == b.terms
        np.testing.assert_array_equal(a.matrix, b.matrix)
    for name in ("mediator", "outcome"):
        np.testing.assert_array_equal(
            model.equations[name].response.values, other.equations[name].response.values
        )
    assert (model.contrast.control, model.contrast.treated) == (
        other.contrast.control, other.contrast.treated
    )  # fmt: skip
    for key, part in (("mediator", "base"), ("outcome", "base"), ("outcome", "slope")):
        a, b = (getattr(own.counterfactuals.equations[key], part) for own in (model, other))
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-15)


CODES = ["int8", "int64", "uint8", "bool", "boolean", "Int64", "float32", "Float64",
         "int64[pyarrow]", "bool[pyarrow]", "double[pyarrow]", "object"]  # fmt: skip
REALS = ["float64", "float32", "Float64", "Float32", "double[pyarrow]", "object"]
TEXTS = ["object", "string", "category", "string[pyarrow]", "large_string[pyarrow]"]
INDEXES = {
    "range": lambda n: pd.RangeIndex(n),
    "duplicated": lambda n: pd.Index(np.zeros(n, dtype=int)),
    "dates": lambda n: pd.date_range("2020-01-01", periods=n),
    "words": lambda n: pd.Index([f"row {i}" for i in range(n)]),
    "two levels": lambda n: pd.MultiIndex.from_arrays([np.arange(n) % 3, np.arange(n)]),
    "backwards": lambda n: pd.RangeIndex(n, 0, -1),
    "missing": lambda n: pd.Index([np.nan] * n),
}


@searched(
    st.sampled_from(CODES), st.sampled_from(REALS), st.sampled_from(TEXTS),
    st.sampled_from(list(INDEXES)), st.permutations(["t", "x", "g", "m", "y", "unused"]),
)  # fmt: skip
def test_types_indexes_and_order_of_columns(code, real, text, index, order):
    data = canonical().assign(unused="?")
    typed = data.astype({"t": code, "x": real, "g": text})
    typed.index = INDEXES[index](ROWS)
    same(build(typed[list(order)]), build(data))


@searched(
    st.dictionaries(st.sampled_from(["t", "x", "g", "m", "y"]), st.sets(st.integers(0, ROWS - 1), max_size=4)),
    st.sampled_from(["Int64", "boolean", "float64", "object"]),
)  # fmt: skip
def test_missing_values_are_rows_left_out(holes, code):
    data = canonical()
    gone = sorted(set().union(*holes.values()) if holes else set())
    broken = data.astype({"t": code})
    for name, rows in holes.items():
        broken[name] = broken[name].where(~broken.index.isin(rows))
    model = build(broken)
    same(model, build(data.drop(index=gone)))
    assert model.frame.n_given == ROWS and model.size == ROWS - len(gone)


NAMES = st.one_of(
    st.sampled_from([
        "rho", "sigma", "mediator", "outcome", "treatment", "obs", "C", "I", "np", "log", "exp", "Q",
        "Intercept", "lambda", "for", "True", "None", "a b", "a:b", "a+b", "a*b", "a**2", "y ~ x",
        "1st", "x.1", "größe", "面积", "α", "it's", 'say "so"', "{x}", "a[0]", "__class__", "chain",
        "draw", "arm", "mediator_coef", "outcome_design", "%", "#", "@", "a-b", "-1", "0", "",
        " ", "\u00a0", "e\u0301", "m", "t", "tab\tname",
    ]),
    st.text(min_size=1, max_size=6).filter(lambda name: "`" not in name),
)  # fmt: skip


@searched(NAMES, st.sampled_from(["x", "t", "m", "y", "g"]))
def test_names_of_columns(name, column):
    """A column by any name gives the numbers of one by a plain name."""
    data, quoted = canonical(), f"`{name}`"
    if name in data.columns and name != column:
        return
    texts = {
        part: FULL[part].replace(column, quoted) if column != "t" else FULL[part].replace(" t ", f" {quoted} ")
        for part in ("mediator", "outcome")
    }  # fmt: skip
    treatment = name if column == "t" else "t"
    try:
        model = build(data.rename(columns={column: name}), **texts, treatment=treatment)
    except ERRORS as error:
        assert len(str(error)) > 20  # noqa: PT017
        return
    plain = build(data)
    for a, b in zip(model.designs, plain.designs, strict=True):
        order = np.lexsort(a.matrix), np.lexsort(b.matrix)
        np.testing.assert_array_equal(a.matrix[order[0]], b.matrix[order[1]])


TERMS = ["x", "g", "t:x", "x:g", "C(g)", "I(x**2)", "np.exp(x)", "bs(x, df=4)", "poly(x, 2)",
         "t:g", "center(x)", "0", "1", "-1"]  # fmt: skip
OUTCOME = [*TERMS, "m:t", "m:x", "m:g", "t:m:x"]


@searched(
    st.lists(st.sampled_from(TERMS), max_size=4, unique=True),
    st.lists(st.sampled_from(OUTCOME), max_size=5, unique=True), st.randoms(),
)  # fmt: skip
def test_effects_of_any_formula_against_formulaic_by_hand(mediator, outcome, random):
    """Gaussian equations: E Y(t, M(s)) at the mean of M(s), rows made by formulaic itself."""
    right = ["t", *mediator], ["m", "t", *outcome]
    for terms in right:
        random.shuffle(terms)
    texts = [" + ".join(terms).replace("+ -1", "- 1") for terms in right]
    data = canonical()
    try:
        model = build(data, mediator=f"m ~ {texts[0]}", outcome=f"y ~ {texts[1]}")
    except ERRORS as error:
        assert len(str(error)) > 20  # noqa: PT017
        return
    rng = np.random.default_rng(1)
    sizes = [len(design.terms) for design in model.designs]
    beta, theta = (rng.normal(size=(4, size)) for size in sizes)
    fit = hand_fit(
        model, mediator_coef=beta, mediator_sigma=np.ones(4), outcome_coef=theta,
        outcome_sigma=np.ones(4),
    )  # fmt: skip
    specs = [model_matrix(text, data, context={"np": np}).model_spec for text in texts]
    po = np.empty((2, 2, 4))
    for s in (0, 1):
        mean = specs[0].get_model_matrix(data.assign(t=s)).to_numpy() @ beta.T
        for t in (0, 1):
            for draw in range(4):
                rows = specs[1].get_model_matrix(data.assign(t=t, m=mean[:, draw])).to_numpy()
                po[t, s, draw] = (rows @ theta[draw]).mean()
    asked, _ = ask(fit, Question())
    np.testing.assert_allclose(asked.cells(fit.draws)[0], po, rtol=1e-9, atol=1e-9)


@searched(
    st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.floats(-1e3, 1e3), st.floats(1e-3, 1e3),
    st.sampled_from(["gaussian", "probit"]),
)  # fmt: skip
def test_units_of_mediator_and_covariate_do_not_matter(shift_m, scale_m, shift_x, scale_x, outcome):
    """Coefficients in other units are the same model, so the effects and rho* are the same."""
    data = canonical()
    data["y"] = (data["y"] > 0).astype(int) if outcome == "probit" else data["y"]
    moved = data.assign(m=shift_m + scale_m * data["m"], x=shift_x + scale_x * data["x"])
    kind = {
        "mediator": "m ~ t + x",
        "outcome": "y ~ m + t + x",
        "outcome_family": outcome,
        "rho": 0.3,
    }
    rng = np.random.default_rng(7)
    b, c, sigma = rng.normal(size=(6, 3)), rng.normal(size=(6, 4)), rng.uniform(1, 2, 6)
    own = {} if outcome == "probit" else {"outcome_sigma": np.ones(6)}
    found = []
    for frame in (data, moved):
        model = build(frame, **kind)
        at = {term: model.designs[1].terms.index(term) for term in model.designs[1].terms}
        beta, theta, s = b, np.empty((6, 4)), sigma
        theta[:, [at["Intercept"], at["m"], at["t"], at["x"]]] = c
        assert model.designs[0].terms == ("Intercept", "t", "x")
        if frame is moved:
            slope = scale_m * b[:, 2] / scale_x
            beta = np.column_stack([
                shift_m + scale_m * b[:, 0] - slope * shift_x, scale_m * b[:, 1], slope,
            ])  # fmt: skip
            s = scale_m * sigma
            theta[:, at["m"]] /= scale_m
            theta[:, at["x"]] /= scale_x
            theta[:, at["Intercept"]] -= theta[:, at["m"]] * shift_m + theta[:, at["x"]] * shift_x
        fit = hand_fit(model, mediator_coef=beta, mediator_sigma=s, outcome_coef=theta, **own)
        tipping = fit.sensitivity([-0.2, 0.2]).tipping_point()["rho_zero"].to_numpy()
        draws = fit.effects().draws
        found.append([draws["acme"].to_numpy(), draws["ade"].to_numpy(), tipping])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-8)


@searched(st.text(max_size=30), st.text(max_size=30))
def test_any_text_as_a_formula(mediator, outcome):
    """The front door: a model, or an error that says what was wrong."""
    for texts in ((mediator, outcome), (f"m ~ t + {mediator}", f"y ~ m + t + {outcome}")):
        try:
            build(canonical(), mediator=texts[0], outcome=texts[1])
        except ERRORS as error:
            assert len(str(error)) > 20  # noqa: PT017


@pytest.mark.fit
@pytest.mark.slow
@pytest.mark.parametrize("unit", [1e-12, 1e-3, 1e6, 1e12])
@pytest.mark.parametrize("column", ["m", "x", "y"])
def test_refits_in_other_units(column, unit):
    """Default priors follow the data's scale: the same seed gives the same effects."""
    data = canonical()
    moved = data.assign(**{column: 3.0 * unit + unit * data[column]})
    kind = {"mediator": "m ~ t + x", "outcome": "y ~ m + t + x"}
    options = {"method": "laplace", "draws": 200, "chains": 2, "random_seed": 1, "progress": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # these few draws are compared, not used
        drawn = [build(frame, **kind).fit(**options).effects().draws for frame in (data, moved)]
    factor = unit if column == "y" else 1.0
    for name in ("acme", "ade", "total"):
        np.testing.assert_allclose(drawn[1][name] / factor, drawn[0][name], rtol=1e-5, atol=1e-8)
