"""Laplace fits in passes over rows equal those with the rows in memory."""

import json

import numpy as np
import pandas as pd
import pytest

import bayesmed as bm
from bayesmed.data import chunks as parts
from tests.support.models import SIGMA

QUICK = {"random_seed": 1, "progress": False, "method": "laplace", "draws": 300}
#: outcome, mediator, their families, rho
PROBIT = ("y", "m", "probit", "gaussian", 0.3)
OTHERS = [
    ("l", "m", "logit", "gaussian", 0.0),
    ("c", "m", "poisson", "gaussian", 0.0),
    ("z", "b", "gaussian", "probit", 0.3),
    ("y", "b", "probit", "probit", 0.2),
]


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(1)
    n = 2000
    data = pd.DataFrame({"t": rng.integers(0, 2, n), "x": rng.normal(3, 2, n)})
    data["g"] = rng.choice(["low", "middle", "high"], n)
    data["m"] = 0.5 * data["t"] + 0.3 * data["x"] + (data["g"] == "low") + rng.normal(size=n)
    eta = 0.4 * data["m"] + 0.2 * data["t"] * data["m"] - 1.0
    data["y"] = (eta + rng.normal(size=n) > 0).astype(int)
    data["l"] = (eta + rng.logistic(size=n) > 0).astype(int)
    data["c"] = rng.poisson(np.exp(0.2 * data["m"] + 0.1 * data["t"]))
    data["b"] = (0.3 * data["t"] + 0.2 * data["x"] - 0.5 + rng.normal(size=n) > 0).astype(int)
    data["z"] = 0.4 * data["b"] + 0.2 * data["t"] * data["b"] + rng.normal(size=n)
    data.loc[7, "x"] = np.nan
    return data


def kind(case):
    outcome, mediator, outcome_family, mediator_family, rho = case
    return {
        "mediator": f"{mediator} ~ t * x + g",
        "outcome": f"{outcome} ~ {mediator} * t + t * x + g",
        "treatment": "t", "outcome_family": outcome_family, "mediator_family": mediator_family,
        "rho": rho, "priors": {"mediator": SIGMA} if mediator_family == "gaussian" else None,
    }  # fmt: skip


def compare(fit, whole):
    assert fit.about["n"] == whole.about["n"]
    for name in whole.posterior:
        np.testing.assert_allclose(fit.posterior[name], whole.posterior[name], atol=1e-8)
    for accuracy, tolerance in (("posterior", 1e-4), ("exact", 1e-8)):  # of a posterior sd
        mine, theirs = (each.effects(accuracy=accuracy).draws for each in (fit, whole))
        for name in ("acme", "ade", "total", "prop_mediated"):
            sd = float(theirs[name].std())
            np.testing.assert_allclose(mine[name], theirs[name], rtol=0, atol=tolerance * sd)


@pytest.fixture(scope="module")
def whole(rows):
    with pytest.warns(UserWarning, match="1 of 2000 rows dropped"):
        return bm.fit(rows, **kind(PROBIT), **QUICK)


@pytest.fixture(scope="module")
def passed(rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    for i in range(3):
        rows.iloc[i * 700 : (i + 1) * 700].to_parquet(folder / f"part{i}.parquet")
    with pytest.warns(UserWarning, match="1 of 2000 rows dropped"):
        return bm.fit(folder, **kind(PROBIT), **QUICK)


@pytest.mark.fit
def test_a_probit_outcome_from_files(passed, whole):
    compare(passed, whole)
    grid = np.linspace(-0.8, 0.8, 17)
    curve, expected = passed.sensitivity(grid, m=3.0), whole.sensitivity(grid, m=3.0)
    for name in ("acme", "ade", "total", "cde"):
        np.testing.assert_allclose(curve.draws[name], expected.draws[name], atol=1e-8)
    # Roots between values of the grid, against exact ones.
    np.testing.assert_allclose(curve.rho_zero["rho_zero"], expected.rho_zero["rho_zero"], atol=2e-3)
    np.testing.assert_allclose(
        passed.effects(rho=0.5).draws["acme"], whole.effects(rho=0.5).draws["acme"], atol=1e-8
    )


@pytest.mark.fit
def test_a_file_keeps_the_effects_and_says_what_needs_the_rows(passed, tmp_path):
    passed.save(tmp_path / "fit.nc")
    again = bm.load(tmp_path / "fit.nc")
    for scale in ("difference", "ratio"):
        np.testing.assert_array_equal(
            again.effects(scale=scale).draws["acme"], passed.effects(scale=scale).draws["acme"]
        )
    exact = again.effects(accuracy="exact")  # a closed pair's means are
    np.testing.assert_array_equal(exact.draws["acme"], again.effects().draws["acme"])
    assert "PNIE" in str(again.effects().summary(names="epi"))
    for call in (again.sensitivity, lambda: again.effects(m=1.0), lambda: again.effects(rho=0.1)):
        with pytest.raises(ValueError, match=r"needs the 1999 rows.*not in the file"):
            call()


@pytest.mark.fit
def test_what_needs_single_rows_is_refused(passed):
    for call in (
        lambda: passed.effects(by="g"),
        lambda: passed.effects(at={"x": 1.0}),
        lambda: passed.effects(average="population"),
        lambda: passed.effects_with_error(0.8),
        lambda: passed.prior_sensitivity(),
        lambda: passed.add_log_likelihood(),
    ):
        with pytest.raises(ValueError, match="holds the moments only"):
            call()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"outcome_family": "beta"}, "rows that are read part by part serve the families"),
        ({"method": "nuts"}, "needs all rows in memory"),
        ({"outcome": "answer ~ m + t"}, "'answer' is categorical with levels"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_passes_cannot_fit_is_refused(rows, changed, message):
    given = rows.assign(answer=np.where(rows["y"] == 1, "yes", "no"))
    with pytest.raises(ValueError, match=message):
        bm.fit(given, **{**kind(PROBIT), **QUICK, **changed}, moments=True)


@pytest.mark.filterwarnings("ignore")
def test_a_value_that_only_a_late_part_has_is_checked(rows, monkeypatch):
    monkeypatch.setattr(parts, "ROWS", 1000)
    broken = rows.assign(y=rows["y"].where(rows.index != 1900, 0.5))
    with pytest.raises(ValueError, match=r"'y' has values such as 0.5, but the probit family"):
        bm.fit(broken, **kind(PROBIT), **QUICK, moments=True)


@pytest.mark.fit
@pytest.mark.slow
@pytest.mark.parametrize("case", OTHERS, ids=lambda case: f"{case[3]}-{case[2]}")
@pytest.mark.filterwarnings("ignore")
def test_other_families_from_parts_of_a_frame(rows, case, monkeypatch, tmp_path):
    monkeypatch.setattr(parts, "ROWS", 300)
    fit = bm.fit(rows, **kind(case), **QUICK, moments=True)
    compare(fit, bm.fit(rows, **kind(case), **QUICK))
    if case[2:4] == ("logit", "gaussian"):  # the means that are kept are not exact, and say so
        fit.save(tmp_path / "fit.nc")
        again = bm.load(tmp_path / "fit.nc")
        assert 0.0 < json.loads(again.effects().draws.attrs["bayesmed"])["error"] < 1e-3
        with pytest.raises(ValueError, match=r"needs the 1999 rows.*not in the file"):
            again.effects(accuracy="exact")


@pytest.mark.fit
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_workers_of_a_cluster_take_the_passes(rows, whole):
    frames = pytest.importorskip("dask.dataframe", reason="Dask is an optional extra")
    distributed = pytest.importorskip("distributed", reason="Dask is an optional extra")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        fit = bm.fit(frames.from_pandas(rows, npartitions=4), **kind(PROBIT), **QUICK)
        compare(fit, whole)
