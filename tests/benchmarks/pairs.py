"""Time what follows a fit of other pairs, against the straightforward PyMC route in one run.

    uv run python tests/benchmarks/pairs.py [sweep] [effects [pair ...]]

``sweep``: 41 values of rho, probit mediator and Gaussian outcome, n = 899, after the fit.
``effects``: counterfactual means of 10^5 rows and 4000 draws, each pair in a process of its
own, with its peak memory; pairs are written mediator/outcome/rho.
"""

import json
import resource
import subprocess
import sys
import time
import warnings

import numpy as np
from run import REFERENCE_S, timed

SWEEP_S, EFFECTS_S = 15.0, 300.0
PAIRS = (
    "gaussian/logit/0.3", "gaussian/poisson/0", "student_t/probit/0.3", "gamma/probit/0.3",
    "lognormal/logit/0.3", "poisson/gaussian/0.3", "gaussian/gamma/0.3", "probit/logit/0.3",
    "gaussian/lognormal/0.3",
)  # fmt: skip
ROWS, DRAWS = 100_000, 4000


def sweep() -> dict[str, float]:
    """Seconds of a 41-point sweep after the fit, refits in it, and the largest k-hat."""
    import bayesmed as bm

    right = "treat + econ_hard + sex + age"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = bm.fit(
            bm.load_data("jobs"), mediator=f"job_dich ~ {right}",
            outcome=f"depress2 ~ job_dich + {right}", treatment="treat", mediator_family="probit",
            random_seed=1, progress=False,
        )  # fmt: skip
        began = time.perf_counter()
        found = fit.sensitivity(np.linspace(-0.9, 0.9, 41), progress=False)
        seconds = time.perf_counter() - began
    how = found.draws["how"].to_numpy().tolist()
    largest = float(np.nanmax(found.draws["pareto_k"]))
    return {"seconds": seconds, "refits": how.count("refit"), "largest_k": largest}


def effects(pair: str) -> dict[str, float]:
    """Seconds and peak memory of the counterfactual means of many rows."""
    from bayesmed.api.simulation import TYPICAL
    from bayesmed.families.catalogue import FAMILIES
    from bayesmed.means.means import cell_means
    from bayesmed.posterior.draws import Draws, EquationDraws
    from bayesmed.system.rows import Counterfactuals, EquationRows

    mediator, outcome, rho = pair.split("/")
    families = {"mediator": FAMILIES[mediator], "outcome": FAMILIES[outcome]}
    rng = np.random.default_rng(1)
    x = rng.standard_normal((ROWS, 3))
    one = np.ones((ROWS, 1))
    rows = np.stack([np.column_stack([one, t * one, x]) for t in (0, 1)])
    base = np.stack([np.column_stack([one, t * one, x, 0 * one]) for t in (0, 1)])
    slope = np.zeros_like(base)
    slope[..., -1] = 1.0
    near = lambda value: np.asarray(value)[..., None] + 0.02 * rng.standard_normal(DRAWS)
    own = [
        {name: near(TYPICAL[name]) for name in family.parameters} for family in families.values()
    ]
    first = np.array([0.0, 0.4, 0.2, -0.2, 0.1]) + 0.02 * rng.standard_normal((DRAWS, 5))
    second = np.array([0.0, 0.3, 0.2, 0.1, -0.1, -0.3]) + 0.02 * rng.standard_normal((DRAWS, 6))
    equations = {"mediator": EquationDraws(first, own[0]), "outcome": EquationDraws(second, own[1])}
    draws = Draws(equations, np.full(DRAWS, float(rho)))
    began = time.perf_counter()
    equations = {
        "mediator": EquationRows(families["mediator"], rows),
        "outcome": EquationRows(families["outcome"], base, slope),
    }
    cell_means(draws, Counterfactuals(equations))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": time.perf_counter() - began, "peak_mib": peak}


def apart(*arguments: str) -> dict[str, float]:
    command = [sys.executable, __file__, "one", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main(asked: list[str]) -> None:
    timed("naive.py")  # fill the disk caches
    base = timed("naive.py")[0]
    print(f"straightforward PyMC, start to table {base:6.1f} s", flush=True)
    if not asked or "sweep" in asked:
        found = apart("sweep")
        report("41 points, probit/gaussian, n = 899", found["seconds"], base, SWEEP_S)
        print(f"  refits {found['refits']}, largest k-hat {found['largest_k']:.2f}", flush=True)
    if not asked or "effects" in asked:
        named = [word for word in asked if "/" in word]
        for pair in named or PAIRS:
            found = apart("effects", pair)
            report(f"10^5 x 4000, {pair}", found["seconds"], base, EFFECTS_S)
            print(f"  peak memory {found['peak_mib']:.0f} MiB", flush=True)


def report(label: str, seconds: float, base: float, target: float) -> None:
    allowed = target / REFERENCE_S
    verdict = "within" if seconds / base <= allowed else "OVER"
    line = f"{label:38s} {seconds:6.1f} s   ratio {seconds / base:6.2f}   {verdict} {allowed:.2f}"
    print(line, flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["one"]:
        print(json.dumps(sweep() if sys.argv[2] == "sweep" else effects(sys.argv[3])))
    else:
        main(sys.argv[1:])
