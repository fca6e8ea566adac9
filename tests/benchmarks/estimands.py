"""Time every estimand along 41 values of rho, n = 1000, closed pairs, against straightforward PyMC.

    uv run python tests/benchmarks/estimands.py

Each row is one call of ``fit.sensitivity``, after the fit; the targets are stated for a machine
on which the straightforward route takes 14.5 s from process start to its table.
"""

import json
import subprocess
import sys
import time
import warnings

import numpy as np
from run import REFERENCE_S, timed

TARGET_S = 3.0
OUTCOMES = ("gaussian", "probit", "ordered_probit", "lognormal", "tobit")
GRID = np.linspace(-0.9, 0.9, 41)


def questions(outcome):
    """Labels and arguments of the calls."""
    import bayesmed as bm

    asked = {
        "effects": {}, "cde and four-way": {"m": 0.5}, "by group": {"by": "g"},
        "on the treated": {"on": "treated"},
    }  # fmt: skip
    further = {
        "gaussian": {"standardised": {"scale": "standardised"},
                     "P(Y > c)": {"of": bm.probability(above=0.5)},
                     "median": {"of": bm.quantile(0.5)}},
        "probit": {"odds ratios": {"scale": "odds_ratio"}, "ratios": {"scale": "ratio", "m": 0.5}},
        "ordered_probit": {"every category": {"of": "categories"}},
        "lognormal": {"restricted mean": {"of": bm.restricted_mean(2.0)},
                      "survival": {"of": bm.survival(1.0)}, "log time": {"of": "log_time"}},
        "tobit": {"as observed": {"of": "observed"}},
    }  # fmt: skip
    return {**asked, **further[outcome]}


def measure(outcome):
    import bayesmed as bm

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = bm.simulate(
            1000, outcome_family=outcome, random_seed=1, truth_size=100, censored=0.2
        ).data
        data["g"] = np.arange(1000) % 3
        columns = {"event": "event", "limit": "lower"}
        extra = {name: column for column, name in columns.items() if column in data}
        fit = bm.fit(
            data, mediator="m ~ treat + x", outcome="y ~ m * treat + x", treatment="treat",
            outcome_family=outcome, outcome_data=extra or None, random_seed=1, progress=False,
        )  # fmt: skip
        fit.sensitivity([0.1])
        found = {}
        for label, asked in questions(outcome).items():
            began = time.perf_counter()
            curve = fit.sensitivity(GRID, **asked)
            found[label] = time.perf_counter() - began
        began = time.perf_counter()
        curve = fit.sensitivity(GRID, m=0.5)
        curve.conclusions()
        curve.r_squared().summary()
        found["curve, conclusions, R-squared"] = time.perf_counter() - began
    return found


def main():
    timed("naive.py")
    base = timed("naive.py")[0]
    allowed = TARGET_S / REFERENCE_S
    print(f"straightforward PyMC, start to table {base:6.1f} s", flush=True)
    for outcome in sys.argv[1:] or OUTCOMES:
        command = [sys.executable, __file__, "one", outcome]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        for label, seconds in json.loads(done.stdout.splitlines()[-1]).items():
            verdict = "within" if seconds / base <= allowed else "OVER"
            name = f"gaussian/{outcome}: {label}"
            print(
                f"{name:52s} {seconds:6.2f} s   ratio {seconds / base:.3f}   {verdict}", flush=True
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["one"]:
        print(json.dumps(measure(sys.argv[2])))
    else:
        main()
