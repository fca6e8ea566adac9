"""Many rows and many fits: seconds, peak memory and ratios to the straightforward PyMC route.

    uv run python tests/benchmarks/large.py [moments | parquet | laplace | passes | many ...]

``moments``: two Gaussian equations, 1e7 rows of 10 columns, whole process with making the data.
``parquet``: the same from files, 2e7 rows. ``laplace``: a probit outcome, 1e6 rows, 1000 draws and
effects. ``passes``: the same of 4e6 rows in files, under 1 GB. ``many``: 1000 mediators at n = 300 by Laplace and 50 by NUTS on two Dask workers, against a
loop of single fits.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from run import REFERENCE_S, timed

#: Seconds and GB that the targets allow.
TARGETS = {
    "moments": (15.0, 4.0),
    "parquet": (None, 1.0),
    "laplace": (90.0, 4.0),
    "passes": (None, 1.0),
}
COVARIATES = [f"x{i}" for i in range(7)]


def rows(n: int, seed: int, binary: bool = False) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({name: rng.standard_normal(n) for name in COVARIATES})
    data["t"] = rng.integers(0, 2, n).astype(float)
    data["m"] = 0.5 * data["t"] + 0.3 * data["x1"] + rng.standard_normal(n)
    y = 0.4 * data["m"] + 0.2 * data["t"] + 0.2 * data["x2"] + rng.standard_normal(n)
    data["y"] = (y > 0.5).astype(float) if binary else y
    return data


def kind(columns: list[str]) -> dict[str, str]:
    right = " + ".join(["t", *columns])
    return {"mediator": f"m ~ {right}", "outcome": f"y ~ m * t + {right}", "treatment": "t"}


def one(task: str, folder: str) -> None:
    import bayesmed as bm

    began = time.perf_counter()
    data = {"moments": 10_000_000, "laplace": 1_000_000}.get(task, 0)
    made = rows(data, 1, binary=task == "laplace") if data else folder
    seconds = time.perf_counter() - began
    quiet = {"random_seed": 1, "progress": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if task == "moments":
            fit = bm.fit(made, **kind(COVARIATES), **quiet, moments=True)
        elif task == "parquet":
            fit = bm.fit(folder, **kind(COVARIATES), **quiet)
        elif task == "passes":
            fit = bm.fit(
                folder, **kind(COVARIATES[:3]), **quiet, outcome_family="probit", draws=250
            )
        else:
            fit = bm.fit(
                made, **kind(COVARIATES[:3]), **quiet,
                outcome_family="probit", method="laplace", draws=250,
            )  # fmt: skip
        fit.effects().summary()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(json.dumps({"n": fit.about["n"], "peak": peak, "made": seconds}))


def large(task: str, base: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for i in range({"parquet": 40, "passes": 8}.get(task, 0)):
            made = rows(500_000, i, binary=task == "passes")
            made.to_parquet(Path(folder) / f"{i}.parquet")
        seconds, printed = timed("large.py", "one", task, folder)
    found = json.loads(printed.splitlines()[-1])
    allowed, memory = TARGETS[task]
    words = [f"{task:10s} n = {found['n']:.0e}  {seconds:6.1f} s  ratio {seconds / base:5.2f}"]
    if allowed is not None:
        over = seconds / base > allowed / REFERENCE_S
        words.append(f"{'OVER' if over else 'within'} {allowed / REFERENCE_S:.2f}")
        words.append(f"of which {found['made']:.1f} s make the data")
    words.append(f"peak {found['peak']:.2f} GB ({'OVER' if found['peak'] > memory else 'within'} "
                 f"{memory:g})")  # fmt: skip
    print("   ".join(words), flush=True)


def many() -> None:
    from distributed import Client, LocalCluster

    import bayesmed as bm

    rng = np.random.default_rng(1)
    columns = {f"m{i}": rng.standard_normal(300) for i in range(1000)}
    data = pd.DataFrame({"t": rng.integers(0, 2, 300), "x": rng.standard_normal(300), **columns})
    data["y"] = 0.3 * data["m0"] + rng.standard_normal(300)
    formulas = {"mediator": "{m} ~ t + x", "outcome": "y ~ {m} + t + x", "treatment": "t"}
    quiet = {"random_seed": 1, "progress": False}
    names = list(columns)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        for method, count, loop in (("laplace", 1000, 30), ("nuts", 50, 6)):
            began = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for name in names[:loop]:
                    own = {key: text.replace("{m}", name) for key, text in formulas.items()}
                    bm.fit(data, **own, **quiet, method=method).effects().summary()
            alone = (time.perf_counter() - began) / loop
            began = time.perf_counter()
            found = bm.fit_many(
                data, **formulas, **quiet, over={"m": names[:count]}, method=method, client=client
            )
            each = (time.perf_counter() - began) / count
            failed = int((found["reason"] != "").sum())
            print(
                f"many       {count} by {method}: {each:.3f} s a fit on 2 workers, {failed} failed; a "
                f"loop of single fits {alone:.3f} s; per core {alone / each / 2:.2f} of the loop",
                flush=True,
            )


def main(tasks: list[str]) -> None:
    timed("naive.py")
    base = timed("naive.py")[0]
    print(f"straightforward PyMC, start to table {base:.1f} s", flush=True)
    for task in tasks:
        if task == "many":
            done = subprocess.run(
                [sys.executable, __file__, "several"], capture_output=True, text=True, check=True
            )
            print(done.stdout.strip(), flush=True)
        else:
            large(task, base)


if __name__ == "__main__":
    if sys.argv[1:2] == ["one"]:
        one(*sys.argv[2:])
    elif sys.argv[1:] == ["several"]:
        many()
    else:
        main(sys.argv[1:] or [*TARGETS, "many"])
