"""Codes of missing values among numbers are told; ordinary numbers say nothing."""

import warnings

import numpy as np
import pandas as pd
import pytest

import bayesmed as bm
from bayesmed.data.texts import code_note
from tests.support.reference import REFERENCE

N = 200
DRAW = np.random.default_rng(8)
AGE = DRAW.integers(18, 80, N).astype(float)
LIKERT = DRAW.integers(1, 8, N).astype(float)
Z = DRAW.normal(size=N)


def put(values, *codes, rows=3):
    values = values.copy()
    for place, code in enumerate(codes):
        values[place * rows : (place + 1) * rows] = code
    return values


@pytest.mark.parametrize(
    ("values", "codes"),
    [
        (put(AGE, 999), [999]), (put(AGE, -9), [-9]), (put(AGE, -99, rows=1), [-99]),
        (put(LIKERT, 99), [99]), (put(LIKERT, 88, 99), [99, 88]), (put(LIKERT, -9, -8), [-9, -8]),
        (put(Z, -999, rows=1), [-999]), (put(Z, 9999), [9999]), (put(AGE / 10.0, 999, 998), [999, 998]),
        (put(np.exp(10 + Z), -9), [-9]), (put(LIKERT, 99, -99), [99, -99]),
    ],
)  # fmt: skip
def test_codes_are_told_with_their_rows_and_the_others(values, codes):
    told = code_note("v", values)
    rest = values[~np.isin(values, codes)]
    assert f"{rest.min():g} to {rest.max():g}" in told
    for code in codes:
        rows = int((values == code).sum())
        assert f"{code} ({rows} row{'s' * (rows > 1)})" in told
    frame = pd.DataFrame({"v": values})
    exec(told[told.index("df['v'] =") : -1], {"df": frame, "np": np})
    np.testing.assert_array_equal(frame["v"].dropna(), rest)


@pytest.mark.parametrize(
    "values",
    [
        AGE, LIKERT, Z, put(AGE, 99), put(AGE, 77, 88), put(Z * 40, -9, -99, 99), put(Z * 3, -9),
        put(LIKERT, 9), put(AGE * 30, 999), put(np.exp(10 + Z), 9999), np.full(N, 99.0),
        put(np.full(N, 99.0), 1.0), put(LIKERT, 99, rows=90), np.resize([0.0, 1.0], N),
        put(AGE, -9, rows=1) - 40.0, np.resize([0.0, 99.0], N), put(LIKERT, 88),
    ],
)  # fmt: skip
def test_ordinary_numbers_say_nothing(values):
    assert code_note("v", values) is None


@pytest.mark.parametrize("mean", [0.5, 3.0, 15.0, 60.0])
def test_counts_and_incomes_say_nothing(mean):
    for seed in range(300):
        draw = np.random.default_rng(seed)
        counts = draw.negative_binomial(0.5, 0.5 / (0.5 + mean), 60).astype(float)
        incomes = np.round(np.exp(draw.normal(np.log(mean), 1.2, 60)))
        assert code_note("count", counts) is None and code_note("income", incomes) is None


@pytest.mark.parametrize("name", ["framing", "jobs", "garcia"])
def test_the_examples_say_nothing(name):
    file = REFERENCE / f"{name}.csv"
    data = pd.read_csv(file) if file.exists() else bm.load_data(name)
    for column in data.select_dtypes("number"):
        assert code_note(column, data[column].dropna().to_numpy(dtype=float)) is None


@pytest.mark.parametrize("column", ["m", "y", "x"])
def test_a_model_warns_of_its_variables_only(column):
    frame = pd.DataFrame(
        {"t": np.arange(N) % 2, "m": Z, "x": AGE, "y": Z[::-1].copy(), "other": AGE}
    )
    frame.loc[:4, column] = frame.loc[:1, "other"] = 999.0
    arguments = {"mediator": "m ~ t + x", "outcome": "y ~ m + t + x", "treatment": "t"}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = bm.MediationModel(frame, **arguments)
    (said,) = [str(one.message) for one in caught]
    assert said.startswith(f"{column!r} has 999 (5 rows)") and said in model.notes
