"""Coverage of 95% intervals, pair by pair, with the truth known and rho fixed at it.

    python tests/evidence/intervals.py            # all pairs, 50 data sets each; resumable

Each pair is one process and one compilation; its data sets share treatments and covariates, so
that one truth (by simulating counterfactuals) serves them all. Draws are kept in
tests/evidence/state, a folder a pair and a file a data set, and the table is written to
docs/coverage.csv. Pairs that the table has are not run again: delete their lines to do so.
"""

import argparse
import csv
import os
import subprocess
import sys
import time
import warnings
import zlib
from pathlib import Path

import numpy as np

STATE = Path(__file__).parent / "state"
TABLE = Path(__file__).parents[2] / "docs" / "coverage.csv"
EFFECTS = ("acme_control", "acme_treated", "ade_control", "ade_treated", "total")
ROWS = 240
SETTINGS = {"draws": 700, "tune": 300, "chains": 1, "cores": 1, "progress": False}
TRUTH_SIZE = 1_000_000

#: Mediator: intercept, effect of the treatment on it, its slope in an outcome of unit scale.
MEDIATORS = {
    "gaussian": (0.0, 0.6, 0.5),
    "student_t": (0.0, 0.6, 0.4),
    "lognormal": (-0.4, 0.5, -0.4),
    "gamma": (-0.4, 0.5, 0.4),
    "beta": (0.0, 0.7, 1.2),
    "probit": (-0.2, 0.6, 0.6),
    "logit": (-0.2, 0.9, 0.6),
    "ordered_probit": (0.0, 0.6, 0.5),
    "ordered_logit": (0.0, 0.9, 0.5),
    "poisson": (0.0, 0.5, 0.3),
    "negative_binomial": (0.0, 0.5, 0.25),
}
#: Outcome: intercept, multiple of the mediator's slope.
OUTCOMES = {
    "gaussian": (0.0, 1.0),
    "student_t": (0.0, 1.0),
    "tobit": (0.0, 1.0),
    "probit": (-0.2, 0.8),
    "logit": (-0.2, 1.2),
    "ordered_probit": (0.0, 0.8),
    "ordered_logit": (0.0, 1.2),
    "binomial": (-0.3, 0.6),
    "poisson": (0.2, 0.5),
    "negative_binomial": (0.4, 0.6),
    "lognormal": (0.0, 0.6),
    "gamma": (0.0, 0.6),
    "weibull": (0.3, 0.6),
    "loglogistic": (0.3, 0.6),
    "beta": (0.0, 0.7),
}
PARAMETERS = {"weibull": {"sigma": 0.7}, "loglogistic": {"sigma": 0.35}}
PAIRS = {
    "gaussian": ("gaussian", "probit", "logit", "student_t", "ordered_probit", "ordered_logit",
                 "poisson", "negative_binomial", "binomial", "tobit", "lognormal", "gamma",
                 "weibull", "loglogistic", "beta"),
    "probit": ("gaussian", "probit", "logit", "weibull", "poisson"),
    "logit": ("gaussian", "tobit", "ordered_logit", "lognormal"),
    "student_t": ("gaussian", "student_t", "probit"),
    "lognormal": ("gaussian", "logit", "gamma"),
    "gamma": ("gaussian", "tobit", "probit"),
    "ordered_probit": ("gaussian", "probit", "student_t"),
    "ordered_logit": ("gaussian", "student_t", "weibull"),
    "poisson": ("gaussian", "student_t", "logit", "lognormal"),
    "negative_binomial": ("gaussian", "gamma"),
    "beta": ("gaussian", "student_t", "probit", "beta"),
}  # fmt: skip


def all_pairs():
    """Every pair of PAIRS; those whose effects take longest come last."""
    pairs = [(m, y) for m, outcomes in PAIRS.items() for y in outcomes]
    slow = {"poisson": 1, "negative_binomial": 2, "beta": 3}
    return sorted(
        pairs, key=lambda pair: max(slow.get(pair[1], 0), 2 * (pair[0] == "negative_binomial"))
    )


def setting(mediator, outcome):
    """The structural model of a pair; the sign of rho alternates with a hash of its name."""
    from bayesmed.api.simulation import truth_of

    start_m, a, slope = MEDIATORS[mediator]
    start_y, multiple = OUTCOMES[outcome]
    sign = 1 if zlib.crc32(f"{mediator} {outcome}".encode()) % 2 else -1
    return truth_of(
        mediator, outcome, rho=0.3 * sign, a=a, b=slope * multiple, direct=0.3, covariate=0.3,
        intercepts=(start_m, start_y), censored=0.25,
        parameters={"mediator": PARAMETERS.get(mediator, {}),
                    "outcome": PARAMETERS.get(outcome, {})},
    )  # fmt: skip


def model_of(truth, data):
    import bayesmed as bm

    columns = {"event": "event", "trials": "trials", "limit": "lower"}
    extra = {name: column for column, name in columns.items() if column in data}
    return bm.MediationModel(
        data, mediator="m ~ treat + x", outcome="y ~ m + treat + x", treatment="treat",
        mediator_family=truth.families[0], outcome_family=truth.families[1], rho=truth.rho,
        outcome_data=extra or None,
    )  # fmt: skip


def design(mediator, outcome):
    """Structural model, treatments and covariates, the same for every data set of a pair."""
    rng = np.random.default_rng(zlib.crc32(f"{mediator}/{outcome}".encode()))
    treat, x = rng.permutation(np.arange(ROWS) % 2), rng.standard_normal(ROWS)
    return setting(mediator, outcome), treat, x


def folder(mediator, outcome):
    return STATE / f"{mediator}-{outcome}"


def models(mediator, outcome, sets):
    """The models of a pair's data sets."""
    truth, treat, x = design(mediator, outcome)
    for k in range(sets):
        rng = np.random.default_rng([zlib.crc32(f"{mediator}~{outcome}".encode()), k])
        yield k, model_of(truth, truth.data(treat, x, rng))


def fit_pair(mediator, outcome, sets):
    """Fit the data sets of a pair that are not fitted yet, keeping each one's posterior."""
    place = folder(mediator, outcome)
    place.mkdir(parents=True, exist_ok=True)
    for k, model in models(mediator, outcome, sets):
        path = place / f"{k:03d}.npz"
        if not path.exists():
            posterior = model.fit(**SETTINGS, random_seed=k).posterior
            draws = {f"{name}": values.to_numpy() for name, values in posterior.data_vars.items()}
            np.savez(place / "unfinished.npz", **draws)
            os.replace(place / "unfinished.npz", path)


def judge_pair(mediator, outcome, sets):
    """Whether each effect's 95% equal-tailed interval holds the truth, shape (sets, effect)."""
    path = folder(mediator, outcome) / f"covered_{sets}.csv"
    if not path.exists():
        truth, _, x = design(mediator, outcome)
        target = truth.effects(x, np.random.default_rng(1), TRUTH_SIZE)
        flags = [
            covered(model, folder(mediator, outcome) / f"{k:03d}.npz", target)
            for k, model in models(mediator, outcome, sets)
        ]
        np.savetxt(path, flags, fmt="%d", delimiter=",")
    return np.loadtxt(path, dtype=int, delimiter=",", ndmin=2)


def covered(model, path, target):
    import xarray as xr

    from bayesmed.effects.estimands import contrasts
    from bayesmed.effects.means_of import potential_outcomes
    from bayesmed.posterior.state import draws_of

    kept = np.load(path)
    posterior = xr.Dataset({
        name: (("chain", "draw", *(f"{name}_{i}" for i in range(kept[name].ndim - 2))), kept[name])
        for name in kept
    })  # fmt: skip
    names = {key: list(family.parameters) for key, family in model.families.items()}
    draws = draws_of(posterior, model.rho, names)
    shape = (posterior.sizes["chain"], posterior.sizes["draw"])
    po = potential_outcomes(draws, model.counterfactuals, shape)
    found, flags = contrasts(po), []
    for name in EFFECTS:
        variable, _, arm = name.partition("_")
        values = found[variable].sel(arm=arm) if arm else found[variable]
        low, high = np.quantile(values.to_numpy(), [0.025, 0.975])
        flags.append(int(low <= target[name] <= high))
    return flags


def run_pair(mediator, outcome, sets):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit_pair(mediator, outcome, sets)
        judge_pair(mediator, outcome, sets)


def known_pairs(path, sets):
    """Counts of covering intervals by pair, of an earlier table with as many data sets."""
    if not path.exists():
        return {}
    with path.open() as lines:
        rows = list(csv.reader(lines))[1:]
    return {(r[0], r[1]): [int(n) for n in r[3:8]] for r in rows if r[2] == str(sets)}


def write_table(path, sets):
    """One line a pair: how many of the data sets' intervals cover, by effect, and pooled.

    Pairs that an earlier table has, and this machine has not, are kept.
    """
    counts = known_pairs(path, sets)
    for pair in all_pairs():
        state = folder(*pair) / f"covered_{sets}.csv"
        if state.exists():
            counts[pair] = np.loadtxt(state, dtype=int, delimiter=",", ndmin=2).sum(axis=0)
    lines = []
    for pair in [pair for pair in all_pairs() if pair in counts]:
        share = 100.0 * np.sum(counts[pair]) / (sets * len(EFFECTS))
        lines.append([*pair, sets, *counts[pair], f"{share:.1f}"])
    with path.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["mediator", "outcome", "data sets", *EFFECTS, "covered %"])
        writer.writerows(lines)
        if counts:
            every, size = np.sum(list(counts.values()), axis=0), sets * len(counts)
            share = 100.0 * every.sum() / (size * len(EFFECTS))
            writer.writerow(["all", "all", size, *every, f"{share:.2f}"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--pair", nargs=2, metavar=("MEDIATOR", "OUTCOME"))
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--fit-only", action="store_true", help="judge the draws another time")
    given = parser.parse_args()
    if given.fit_only and given.pair:
        fit_pair(*given.pair, given.sets)
        return
    if given.pair:
        run_pair(*given.pair, given.sets)
        return
    known = known_pairs(given.table, given.sets)
    waiting, running, failed = [pair for pair in all_pairs() if pair not in known], [], []
    while waiting or running:
        while waiting and len(running) < given.jobs:
            pair = waiting.pop(0)
            command = [sys.executable, __file__, "--pair", *pair, "--sets", str(given.sets)]
            command += ["--fit-only"] if given.fit_only else []
            running.append((pair, subprocess.Popen(command)))
        time.sleep(0.5)
        for pair, process in list(running):
            if process.poll() is not None:
                running.remove((pair, process))
                failed += [pair] if process.returncode else []
                write_table(given.table, given.sets)
                print(*pair, "failed" if process.returncode else "done", flush=True)
    if failed:
        raise SystemExit(f"These pairs failed: {failed}")


if __name__ == "__main__":
    main()
