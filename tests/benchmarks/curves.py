"""Fit, first effects and default curve of each pair of families, as a CSV.

    uv run python tests/benchmarks/curves.py FILE [all | mediator/outcome ...]

Without names the everyday pairs. Each pair in a process of its own: 4 x 1000 draws of 400
simulated people at rho = 0, then ``fit.effects()`` and ``fit.sensitivity()``. Every process does
it twice, so that what is compiled is on disk, and the second time counts. ``curve_ratio`` is to
the straightforward PyMC route, timed before and after; ``apart`` is the largest distance of the
curve of the average ACME and ADE, in posterior standard deviations, from that by adaptive
integrals at each of five values of rho (with ``exact`` as the last word; it takes minutes).
"""

import csv
import itertools
import json
import subprocess
import sys
import time
import warnings

import numpy as np
from run import timed

EVERYDAY = (
    "gaussian/logit", "logit/gaussian", "logit/logit", "probit/probit", "probit/gaussian",
    "gaussian/poisson", "poisson/gaussian", "gaussian/negative_binomial", "ordered_logit/gaussian",
    "gaussian/ordered_logit", "gamma/gaussian", "gaussian/gamma", "student_t/gaussian",
    "gaussian/weibull", "logit/poisson", "negative_binomial/logit", "gaussian/beta",
)  # fmt: skip
AT = [-0.8, -0.4, 0.2, 0.6, 0.9]


def one(pair: str, exact: bool) -> dict[str, object]:
    import bayesmed as bm

    mediator, outcome = pair.split("/")
    warnings.simplefilter("ignore")
    data = bm.simulate(
        400, mediator_family=mediator, outcome_family=outcome, random_seed=7, truth_size=100
    ).data
    columns = {"trials": "trials", "limit": "lower", "event": "event"}
    own = {role: name for name, role in columns.items() if name in data}
    for _ in range(2):
        began = [time.perf_counter()]
        fit = bm.fit(
            data, mediator="m ~ treat + x", outcome="y ~ m + treat + x", treatment="treat",
            mediator_family=mediator, outcome_family=outcome, rho=0, random_seed=1,
            progress=False, **({"outcome_data": own} if own else {}),
        )  # fmt: skip
        began.append(time.perf_counter())
        fit.effects()
        began.append(time.perf_counter())
        found = fit.sensitivity(progress=False)
        began.append(time.perf_counter())
    seconds = np.diff(began)
    how = found.draws["how"].to_numpy().tolist()
    row = dict(zip(("fit_s", "effects_s", "curve_s"), seconds.round(2).tolist(), strict=True))
    row |= {
        "every": json.loads(found.draws.attrs["bayesmed"])["every"],
        "refits": how.count("refit"), "largest_k": largest(found.draws["pareto_k"].to_numpy()),
        "error": json.loads(found.draws.attrs["bayesmed"])["error"],
    }  # fmt: skip
    if exact:
        right = fit.sensitivity(AT, progress=False, accuracy="exact")
        own, other = (c.draws.sel(rho=AT, arm="average")[["acme", "ade"]] for c in (found, right))
        gap = abs(own.mean(("chain", "draw")) - other.mean(("chain", "draw")))
        row["apart"] = round(float((gap / other.std(("chain", "draw"))).to_array().max()), 4)
    return row


def largest(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return round(float(known.max()), 2) if len(known) else None


def main(path: str, asked: list[str]) -> None:
    from bayesmed.families.catalogue import FAMILIES

    exact = asked[-1:] == ["exact"]
    named = [word for word in asked if "/" in word]
    if "all" in asked:
        first = [name for name, family in FAMILIES.items() if not family.outcome_only]
        named = ["/".join(pair) for pair in itertools.product(first, FAMILIES)]
    timed("naive.py")  # fill the disk caches
    base = [timed("naive.py")[0]]
    rows = []
    for pair in named or EVERYDAY:
        command = [sys.executable, __file__, "one", pair, str(exact)]
        done = subprocess.run(command, capture_output=True, text=True)
        row = {"pair": pair}
        if done.returncode:
            row["fault"] = done.stderr.strip().splitlines()[-1][:200]
        else:
            row |= json.loads(done.stdout.splitlines()[-1])
        rows.append(row)
        print(row, flush=True)
    base.append(timed("naive.py")[0])
    route = float(np.mean(base))
    print(f"straightforward PyMC, start to table: {route:.1f} s")
    for row in rows:
        if "curve_s" in row:
            row["curve_ratio"] = round(row["curve_s"] / route, 3)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    if sys.argv[1] == "one":
        print(json.dumps(one(sys.argv[2], sys.argv[3] == "True")))
    else:
        main(sys.argv[1], sys.argv[2:])
