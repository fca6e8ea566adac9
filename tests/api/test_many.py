"""Many fits: the same numbers as one by one, failures as rows, runs that go on."""

import json
import os
import signal
import threading
import time

import numpy as np
import pandas as pd
import pytest

import bayesmed as bm
from bayesmed.api import many

KIND = {"mediator": "{m} ~ t + x", "outcome": "y ~ {m} + t + x", "treatment": "t"}
QUICK = {"random_seed": 7, "draws": 500, "progress": False}


def table_of_mediators(count, n=120):
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"t": rng.integers(0, 2, n), "x": rng.normal(size=n)})
    for i in range(count):
        data[f"m{i}"] = 0.4 * data["t"] + rng.normal(size=n)
    data["y"] = 0.5 * data["m0"] + rng.normal(size=n)
    data["g"] = rng.choice(["a", "b"], n)
    data["flat"] = 1.0
    return data


@pytest.fixture(scope="module")
def wide():
    return table_of_mediators(3)


@pytest.mark.fit
def test_each_row_is_the_fit_it_names(wide):
    found = bm.fit_many(wide, **KIND, over={"m": ["m0", "m1", "m2"]}, **QUICK)
    assert found["m"].to_numpy().tolist() == ["m0", "m1", "m2"]
    tasks = many._tasks({None: wide}, {"m": ["m0", "m1", "m2"]}, None, 7)
    own = {name: text.replace("{m}", "m1") for name, text in KIND.items()}
    alone = bm.fit(
        wide, **own, method="laplace", draws=500, random_seed=tasks[1].seed, progress=False
    )  # fmt: skip
    table = alone.effects().summary(round_to=None)
    np.testing.assert_allclose(found["median"][1], table["median"], rtol=1e-10)
    np.testing.assert_allclose(found["high"][1], table["eti95_high"], rtol=1e-10)
    assert (found["reason"] == "").all() and (found["sampler"] == "laplace").all()
    assert float(found["pareto_k"].max()) < 0.7 and len(np.unique([t.seed for t in tasks])) == 3


@pytest.mark.fit
def test_a_failure_is_a_row_with_its_reason(wide):
    found = bm.fit_many(wide, **KIND, over={"m": ["flat", "m1"]}, **QUICK)
    assert "'flat' is constant" in str(found["reason"][0].item())
    assert np.isnan(found["median"][0]).all() and np.isfinite(found["median"][1]).all()


@pytest.mark.fit
def test_groups_and_data_sets(wide):
    own = {name: text.replace("{m}", "m0") for name, text in KIND.items()}
    found = bm.fit_many({"first": wide, "second": wide}, **own, by="g", **QUICK)
    assert found["by"].to_numpy().tolist() == ["a", "b"] * 2
    assert found["dataset"].to_numpy().tolist() == ["first"] * 2 + ["second"] * 2
    sizes = wide["g"].value_counts()
    assert found["n"][:2].to_numpy().tolist() == [sizes["a"], sizes["b"]]
    under = bm.fit_many(wide, **own, by="g", effects={"rho": 0.5}, **QUICK)
    assert not np.allclose(under["median"], found["median"][:2])


@pytest.mark.fit
def test_a_run_goes_on_where_it_stopped(wide, tmp_path, monkeypatch):
    path, names = tmp_path / "run.jsonl", ["m0", "m1", "m2"]
    whole = bm.fit_many(wide, **KIND, over={"m": names}, **QUICK)
    true, seen = many.fit_one, []

    def interrupted(plan, data, task):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(task.place)
        return true(plan, data, task)

    monkeypatch.setattr(many, "fit_one", interrupted)
    with pytest.warns(UserWarning, match="The run stopped.*KeyboardInterrupt.*2 fits are kept"):
        part = bm.fit_many(wide, **KIND, over={"m": names}, path=path, **QUICK)
    assert part["reason"].to_numpy().tolist() == ["", "", "not fitted"]
    path.write_text(path.read_text() + '\n{"place": 2, "rea')  # a crash cuts a line short
    seen.clear()
    rest = bm.fit_many(wide, **KIND, over={"m": names}, path=path, **QUICK)
    assert seen == [2]
    np.testing.assert_array_equal(rest["median"], whole["median"])
    assert len([json.loads(x) for x in path.read_text().split("\n") if x.endswith("}")]) == 4
    with pytest.raises(ValueError, match="another plan"):
        bm.fit_many(wide, **KIND, over={"m": names}, path=path, **{**QUICK, "random_seed": 8})


@pytest.mark.fit
def test_a_full_disk_loses_nothing(wide, tmp_path, monkeypatch):
    path, names = tmp_path / "run.jsonl", ["m0", "m1"]
    opened = type(path).open

    def full(self, mode="r", *rest, **more):
        if self == path and "a" in mode:
            raise OSError(28, "No space left on device")
        return opened(self, mode, *rest, **more)

    monkeypatch.setattr(type(path), "open", full)
    with pytest.warns(UserWarning, match="can no longer be written.*No space left"):
        found = bm.fit_many(wide, **KIND, over={"m": names}, path=path, **QUICK)
    assert (found["reason"] == "").all()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"over": {"m": ["m0", "zz"]}}, r"\['zz'\] are no columns"),
        ({"over": {"q": ["m0"]}}, r"no formula holds \{q\}"),
        ({"over": None, "mediator": "m0 ~ t", "outcome": "y ~ m0 + t"}, "Nothing varies"),
        ({"over": {"m": ["m0"]}, "by": "zz"}, "by='zz' is no column"),
        ({"over": {"m": []}}, "nothing to fit"),
        ({"over": {"m": ["m0"]}, "effects": {"by": "g"}}, "takes one"),
    ],
)
def test_what_cannot_be_meant_is_refused(wide, changed, message):
    with pytest.raises(ValueError, match=message):
        bm.fit_many(wide, **{**KIND, **QUICK, **changed})


@pytest.mark.fit
@pytest.mark.slow
@pytest.mark.parametrize("when", ["while fitting", "while it alone holds the data"])
def test_a_killed_worker_loses_nothing(tmp_path, monkeypatch, when):
    distributed = pytest.importorskip("distributed", reason="Dask is an optional extra")
    data = table_of_mediators(24)
    over = {"m": [f"m{i}" for i in range(24)]}
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        pids, scatter, scattered = client.run(os.getpid), client.scatter, []

        def kill(address, after=0.0):
            time.sleep(after)
            os.kill(pids[address], signal.SIGKILL)

        def to_one_that_dies(frame, **settings):
            scattered.append(scatter(frame, **{**settings, "broadcast": bool(scattered)}))
            if len(scattered) == 1:
                ((address,),) = client.who_has(scattered[0]).values()
                kill(address)
            return scattered[-1]

        if when == "while fitting":
            threading.Thread(target=kill, args=(next(iter(pids)), 4.0)).start()
        else:
            monkeypatch.setattr(client, "scatter", to_one_that_dies)
        found = bm.fit_many(
            data, **KIND, over=over, client=client, path=tmp_path / "run.jsonl", **QUICK
        )
        assert when == "while fitting" or len(scattered) == 2
    assert (found["reason"] == "").all()
    here = bm.fit_many(data, **KIND, over={"m": ["m0", "m1"]}, **QUICK)
    # Seeds depend on the place alone.
    seeds = [many._tasks({None: data}, over, None, 7)[i].seed for i in (0, 1)]
    assert seeds == [t.seed for t in many._tasks({None: data}, {"m": ["m0", "m1"]}, None, 7)]
    np.testing.assert_allclose(found["median"][:2], here["median"], rtol=1e-8)
