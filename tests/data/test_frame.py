"""Columns, types and rows: bad ones are refused, harmless differences change nothing."""

import datetime
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import bayesmed as bm
from tests.support.inputs import (
    EVEN,
    PERIOD,
    SIMPLE,
    N,
    assert_same,
    assert_same_rows,
    bad,
    both,
    build,
)


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


@pytest.fixture
def full(small):
    """A model with a number, a 0/1 column and a factor among its covariates."""
    return build(small, **both("t + x + d + g"))


@pytest.mark.each(2)
@pytest.mark.parametrize(
    "dtype",
    ["bool", "boolean", "Int64", "Int8", "uint8", "float32", "Float32", "object", "bool[pyarrow]",
     "int64[pyarrow]", "float[pyarrow]"],
)  # fmt: skip
def test_dtype_of_01_columns(small, full, dtype):
    data = small.astype({"t": dtype, "d": dtype})
    assert_same(build(data, **both("t + x + d + g")), full)


@pytest.mark.each(2)
@pytest.mark.parametrize("dtype", ["float32", "Float64", "double[pyarrow]", "object"])
def test_dtype_of_real_columns(small, dtype):
    real = ["x", "m", "y"]
    rounded = small.astype(dict.fromkeys(real, "float32")).astype(dict.fromkeys(real, "float64"))
    assert_same(build(rounded.astype(dict.fromkeys(real, dtype))), build(rounded))


@pytest.mark.each(2)
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


@pytest.mark.each(2)
@pytest.mark.parametrize("dtype", ["Int64", "boolean", "object", "int64[pyarrow]"])
def test_missing_values_of_nullable_columns(small, dtype):
    column = small["d"].astype("boolean" if dtype == "boolean" else "Int64").astype(dtype)
    column[0] = None
    with pytest.warns(UserWarning, match=r"1 of 40 rows dropped .*d: 1"):
        model = build(small.assign(d=column), **both("t + x + d"))
    assert_same(model, build(small.iloc[1:], **both("t + x + d")))


@pytest.mark.each(2)
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


def test_the_callers_data_are_left_alone(small):
    before = small.copy(deep=True)
    model = build(small, **both("t + x + g"))
    rows = model.designs[1].matrix.copy()
    pd.testing.assert_frame_equal(small, before)
    small.loc[:, "x"] = 0.0
    assert_same_rows(model.counterfactuals, build(before, **both("t + x + g")).counterfactuals)
    np.testing.assert_array_equal(model.designs[1].matrix, rows)
