"""Fits from moments of rows read part by part equal those of the rows in memory."""

import numpy as np
import pandas as pd
import pytest

import bayesmed as bm
from bayesmed.data import chunks as parts
from bayesmed.posterior.moments import Moments
from tests.support.models import BOTH

KIND = {
    "mediator": "m ~ t * x + g + I(x**2)",
    "outcome": "y ~ m * t + m * x + g + t * x + I(x**2)",
    "treatment": "t",
    "priors": BOTH,
}
QUICK = {"random_seed": 1, "progress": False, "method": "laplace", "draws": 500}


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(1)
    n = 2000
    data = pd.DataFrame({"t": rng.integers(0, 2, n), "x": rng.normal(3, 2, n)})
    data["g"] = rng.choice(["low", "middle", "high"], n)
    data["m"] = 0.5 * data["t"] + 0.3 * data["x"] + (data["g"] == "low") + rng.normal(size=n)
    data["y"] = 0.4 * data["m"] + 0.2 * data["t"] * data["m"] + rng.normal(size=n)
    data.loc[7, "x"] = np.nan
    return data


@pytest.fixture(scope="module")
def whole(rows):
    with pytest.warns(UserWarning, match="1 of 2000 rows dropped"):
        return bm.fit(rows, **KIND, **QUICK)


def from_frame(rows, path, monkeypatch):
    monkeypatch.setattr(parts, "ROWS", 300)
    return bm.fit(rows, **KIND, **QUICK, moments=True)


def from_parquet(rows, path, monkeypatch):
    for i in range(3):
        rows.iloc[i * 700 : (i + 1) * 700].to_parquet(path / f"part{i}.parquet")
    return bm.fit(path, **KIND, **QUICK)


def from_dask(rows, path, monkeypatch):
    frames = pytest.importorskip("dask.dataframe", reason="Dask is an optional extra")
    return bm.fit(frames.from_pandas(rows, npartitions=4), **KIND, **QUICK)


@pytest.mark.fit
@pytest.mark.parametrize("source", [from_frame, from_parquet, from_dask])
def test_draws_effects_and_curves_are_those_of_the_rows(rows, whole, source, tmp_path, monkeypatch):
    with pytest.warns(UserWarning, match="1 of 2000 rows dropped"):
        fit = source(rows, tmp_path, monkeypatch)
    assert fit.about["n"] == whole.about["n"] == 1999
    for name in whole.posterior:
        np.testing.assert_allclose(fit.posterior[name], whole.posterior[name], atol=1e-8)
    grid = np.linspace(-0.8, 0.8, 5)
    curve, expected = fit.sensitivity(grid, m=3.0), whole.sensitivity(grid, m=3.0)
    for name in ("acme", "ade", "total", "cde", "int_ref"):
        np.testing.assert_allclose(curve.draws[name], expected.draws[name], atol=1e-8)
    np.testing.assert_allclose(curve.rho_zero["rho_zero"], expected.rho_zero["rho_zero"], atol=1e-8)


@pytest.mark.fit
def test_what_else_the_moments_answer(rows, whole, tmp_path, monkeypatch):
    with pytest.warns(UserWarning, match="dropped"):
        fit = from_frame(rows, tmp_path, monkeypatch)
    pd.testing.assert_frame_equal(fit.prior_sensitivity(), whole.prior_sensitivity())
    assert fit.report() == whole.report()
    fit.save(tmp_path / "fit.nc")
    again = bm.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(again.effects().draws["acme"], fit.effects().draws["acme"])
    with pytest.warns(UserWarning, match="outside the observed range"):
        fit.effects(m=1e3)
    for call in (
        lambda: fit.effects(by="g"),
        lambda: fit.effects(at={"x": 1.0}),
        lambda: fit.effects(average="population"),
        lambda: fit.effects(of=bm.quantile(0.5)),
        lambda: fit.effects(contrast=(0, 1)),
        lambda: fit.add_log_likelihood(),
    ):
        with pytest.raises(ValueError, match="holds the moments only"):
            call()


@pytest.mark.each(2)
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"mediator": "m ~ t + center(x)"}, "looks at all rows at once"),
        ({"outcome": "y ~ bs(m, df=4, extrapolation='extend') + t"}, "looks at all rows"),
        ({"outcome": "y ~ I(m**2) + t"}, "function of the mediator"),
        ({"mediator": "m ~ t:x", "outcome": "y ~ m + t:x"}, "no linear function"),
        ({"outcome_data": {"exposure": "x"}}, "needs all rows"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_moments_cannot_answer_is_refused(rows, changed, message):
    with pytest.raises(ValueError, match=message):
        bm.fit(rows, **{**KIND, **QUICK, **changed}, moments=True)


def test_a_path_without_data(tmp_path):
    with pytest.raises(FileNotFoundError, match="no Parquet file"):
        bm.fit(tmp_path / "none.parquet", **KIND, **QUICK)


def test_infinite_values_are_refused(rows):
    broken = rows.assign(x=rows["x"].where(rows.index != 900, np.inf))
    with pytest.raises(ValueError, match="'x' has infinite values"):
        bm.fit(broken, **KIND, **QUICK, moments=True)


def test_twin_has_the_moments():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(500, 4)) @ rng.normal(size=(4, 4)) + 5.0
    values = np.column_stack([np.ones(500), values])
    mean = values.mean(axis=0)
    twin = Moments(500, mean, np.linalg.qr(values - mean, mode="r"), np.zeros(2)).twin()
    np.testing.assert_allclose(twin.mean(axis=0), mean, rtol=1e-12)
    np.testing.assert_allclose(np.cov(twin.T, ddof=0), np.cov(values.T, ddof=0), atol=1e-12)


@pytest.mark.fit
@pytest.mark.filterwarnings("ignore")
def test_categories_keep_their_order_and_lose_unused_levels(rows, monkeypatch):
    """The first level is the reference, as with the rows in memory."""
    monkeypatch.setattr(parts, "ROWS", 300)
    order = pd.CategoricalDtype(["middle", "none", "low", "high"])
    own = rows.sort_values("g").assign(g=lambda d: d["g"].astype(order))
    kind = {"mediator": "m ~ t + x + g", "outcome": "y ~ m * t + x + g", "treatment": "t"}
    kind["priors"] = BOTH
    mine, theirs = bm.fit(own, **kind, **QUICK, moments=True), bm.fit(own, **kind, **QUICK)
    terms = theirs.posterior["mediator_term"].to_numpy().tolist()
    assert mine.posterior["mediator_term"].to_numpy().tolist() == terms
    assert not any("none" in term or "middle" in term for term in terms)
    np.testing.assert_allclose(
        mine.posterior["mediator_coef"], theirs.posterior["mediator_coef"], atol=1e-8
    )


@pytest.mark.fit
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_every_sampler_counts_all_rows(rows, whole):
    """PyMC's sampler gets the model whose rows count n / q times, too."""
    fit = bm.fit(
        rows, **KIND, moments=True, sampler="pymc", draws=1000, tune=500, random_seed=2,
        progress=False,
    )  # fmt: skip
    for name in ("mediator_coef", "outcome_coef"):
        mine, theirs = (f.posterior[name].stack(s=("chain", "draw")) for f in (fit, whole))
        sd = theirs.std("s")
        assert np.all(np.abs(mine.mean("s") - theirs.mean("s")) < 0.15 * sd)
        assert np.all(np.abs(mine.std("s") / sd - 1.0) < 0.1)
