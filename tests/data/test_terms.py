"""Terms give a row one value, whatever stands beside it; steps and kinks of the mediator."""

import warnings

import numpy as np
import pandas as pd
import pytest

import bayesmed as bm
from bayesmed.data.formula import parse
from tests.support.made import BY_LAPLACE, columns_of_all_kinds

N = 300


@pytest.fixture(scope="module")
def data():
    return columns_of_all_kinds(N)


LOOKING = [
    "I(x - x.mean())", "I((x - x.mean()) / x.std())", "I(x / x.max())", "I(x - np.mean(x))",
    "{x - x.mean()}", "I(x - sum(x) / len(x))", "I(x - max.max())", "I(`a b` - `a b`.mean())",
    "center(x - x.mean())", "treat:I(x - x.mean())", "I(treat - treat.mean())", "x.rank()",
    "np.argsort(x)", "x.cumsum()", "np.cumsum(x)", "x.shift()", "x.shift(fill_value=0)", "lag(x)",
    "I(x[::-1])", "I(x.index)", "x.sample(frac=1)", "np.random.normal(size=len(x))",
    "I(np.random.default_rng(1).normal(size=len(x)))", "I(x - x.iloc[0])", "k.duplicated()",
    "I(x > x.quantile(0.99))", "I(x == x.max())", "np.where(x > np.median(x), 1, 0)",
    "C(np.digitize(x, np.quantile(x, [0.3, 0.6])))", "I(x.clip(x.quantile(0.1)))",
    "I(x.groupby(g).transform('mean'))", "I(treat.groupby(cl).transform('mean'))",
    "I(x.rolling(2, min_periods=1).mean())", "np.gradient(x)", "np.add.reduce(x) * x",
    "bs(x.rank(), df=4)", "poly(x - x.min(), 2)", "np.interp(x, np.sort(x), np.arange(len(x)))",
    "I(g.map(g.value_counts()).astype(float))", "np.log(10 + x - x.mean())",
]  # fmt: skip
ALONE = [
    "x", "I(x - 3)", "center(x)", "scale(x)", "standardize(x)", "poly(x, 3)", "bs(x, df=4)",
    "cr(x, df=4, constraints='center')", "cc(x, df=4, constraints='center')", "C(k)", "C(g)",
    "C(k, contr.sum)", "C(g, contr.treatment(base='b'))", "x * g", "log(x + 10)", "np.log(x + 10)",
    "I(x**2)", "I(center(x) ** 2)", "np.exp(-(center(x) ** 2))", "center(x) * center(k)",
    "x.clip(1)", "I((x > 2).astype(float))", "np.where(x > 1, 1, 0)", "I(k.isin([1, 2]))",
    "C(np.where(x > 2, 'hi', 'lo'))", "k.map({0: 1.0, 1: 5.0, 2: 7.0, 3: 2.0})", "Q('a b')",
    "`a b`", "np.log(`a b`)", "np.log(max)", "{x + 1}", "I(1e3 + x)", "I((x > 2) * x**2)",
    "np.interp(x, [0, 1, 2], [0, 3, 4])", "bs(x, knots=[np.median(x)])", "np.digitize(x, [1, 2])",
    "x.map(lambda v: v**2)", "scale(x, center=x.mean())",
]  # fmt: skip


def model(data, term, other="treat", **arguments):
    outcome = arguments.pop("outcome", "y ~ m + treat")
    return bm.MediationModel(
        data, mediator=f"m ~ {other} + {term}", outcome=outcome, treatment="treat", **arguments
    )


def quietly(data, *args, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bm.IdentificationWarning)
        return model(data, *args, **arguments)


@pytest.mark.each(4)
@pytest.mark.parametrize("term", LOOKING)
def test_terms_that_look_at_other_rows_are_refused(data, term):
    with pytest.raises(ValueError, match="looks at other rows"):
        quietly(data, term)


@pytest.mark.each(4)
@pytest.mark.parametrize("term", ALONE)
def test_terms_of_one_row_are_kept_and_are_the_same_in_any_company(data, term):
    design = quietly(data, term).designs[0]
    size = np.abs(design.matrix).max(axis=0)
    for rows in (np.array([7]), np.arange(N)[::-3], np.flatnonzero(data["g"] == "a")):
        found = design.rows(data.iloc[rows].reset_index(drop=True))
        assert np.all(np.abs(found - design.matrix[rows]) <= 1e-12 * size)


def test_every_formula_is_looked_at(data):
    plain = {"mediator": "m ~ treat + x", "outcome": "y ~ m + treat + x", "treatment": "treat"}
    for change in (
        {"outcome": "y ~ m + treat + I(x - x.mean())"},
        {"outcome": "y ~ I((m - m.mean()) / m.std()) + treat + x"},
        {"outcome": "y ~ m.rank() + treat + x"},
        {"outcome": "y ~ m * I(treat - treat.mean()) + x"},
        {"mediator_sigma": "~ I(treat - treat.mean())"},
        {"outcome_sigma": "~ I(x - x.mean())"},
    ):
        with pytest.raises(ValueError, match="looks at other rows"):
            bm.MediationModel(data, **{**plain, **change})


def test_the_message_names_the_term_the_formula_and_the_mend(data):
    with pytest.raises(ValueError) as raised:
        quietly(data, "I(x - x.mean())")
    said = str(raised.value)
    mean = f"I(x - {data['x'].mean():.4g})"
    assert all(part in said for part in ("'I(x - x.mean())' in the mediator", "center(x)", mean))


def test_parts_and_many_fits_refuse_too(data):
    formulas = {"outcome": "y ~ m + treat + x", "treatment": "treat"}
    with pytest.raises(ValueError, match="looks at other rows"):
        bm.fit(data, mediator="m ~ treat + I(x - x.mean())", **formulas, moments=True, **BY_LAPLACE)
    found = bm.fit_many(
        [data, data.iloc[:200]], mediator="m ~ treat + I(x - x.mean())", **formulas, **BY_LAPLACE
    )
    assert all(
        "looks at other rows" in str(reason) for reason in found["reason"].to_numpy().ravel()
    )


def test_large_data_stay_cheap(data, monkeypatch):
    """Beyond the whole column once, a few thousand rows are evaluated."""
    from formulaic import ModelSpec

    seen, own = [], ModelSpec.get_model_matrix

    def counted(self, frame, *args, **kwargs):
        seen.append(len(frame))
        return own(self, frame, *args, **kwargs)

    monkeypatch.setattr(ModelSpec, "get_model_matrix", counted)
    from bayesmed.data.matrix import refuse_whole_columns

    large = pd.concat([data] * 400, ignore_index=True)
    refuse_whole_columns(parse("m ~ C(g) + x.clip(0)", list(data), "mediator"), large, "mediator")
    assert sum(size for size in seen if size < len(large)) < 5000
    assert sum(size == len(large) for size in seen) <= 1


def least_squares(columns, y):
    return np.linalg.lstsq(np.column_stack([np.ones(len(y)), *columns]), y, rcond=None)[0]


@pytest.mark.fit
@pytest.mark.parametrize("term", ["x", "center(x)", "scale(x)", "I(x - 2)"])
def test_effects_at_a_value_are_those_of_least_squares(data, term):
    """at={"x": v}: (a + c v) b, however the moderator was centred."""
    fit = bm.fit(
        data, mediator=f"m ~ treat * {term}", outcome=f"y ~ m + treat * {term}",
        treatment="treat", **{**BY_LAPLACE, "draws": 2000},
    )  # fmt: skip
    t, x = data["treat"], data["x"]
    a = least_squares([t, x, t * x], data["m"])
    b = least_squares([data["m"], t, x, t * x], data["y"])[1]
    for value in (0.0, 2.0, 4.0):
        found = float(fit.effects(at={"x": value}).draws["acme"].sel(arm="average").mean())
        assert found == pytest.approx((a[1] + a[3] * value) * b, abs=0.02)


@pytest.mark.fit
@pytest.mark.parametrize("term", ["treat", "center(treat)", "scale(treat)", "I(treat - 0.3)"])
def test_effects_do_not_depend_on_how_the_treatment_is_written(data, term):
    fit = bm.fit(
        data, mediator=f"m ~ {term} + x", outcome=f"y ~ m + {term} + x", treatment="treat",
        **{**BY_LAPLACE, "draws": 2000},
    )  # fmt: skip
    t, x = data["treat"], data["x"]
    b = least_squares([data["m"], t, x], data["y"])
    found = fit.effects().draws.sel(arm="average").mean(("chain", "draw"))
    assert float(found["acme"]) == pytest.approx(
        least_squares([t, x], data["m"])[1] * b[1], abs=0.02
    )
    assert float(found["ade"]) == pytest.approx(b[2], abs=0.02)
