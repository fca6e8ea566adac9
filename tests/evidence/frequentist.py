"""Frequentist coverage and bias of 95% intervals, by sample size and strength of the effects.

    uv run python tests/evidence/frequentist.py             # 1000 data sets a cell; resumable
    uv run python tests/evidence/frequentist.py --pair gaussian gaussian
    uv run python tests/evidence/frequentist.py --table     # docs/coverage_frequentist.csv

True effects by tests/evidence/truth.py, fits with default priors and the true rho by
method="laplace". One file a cell in tests/evidence/covered, a line a data set.
"""

import argparse
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.evidence import truth

COVERED = Path(__file__).parent / "covered"
TABLE = Path(__file__).parents[2] / "docs" / "coverage_frequentist.csv"
FAMILIES = (("gaussian", "probit"), ("gaussian", "gaussian"), ("probit", "gaussian"))
SIZES = (50, 200, 1000)
#: Effect of the treatment on the mediator, slope of the mediator, direct effect.
STRENGTHS = {"weak": (0.2, 0.15, 0.1), "strong": (0.8, 0.6, 0.5)}
RHO = 0.3
OF = ("acme", "ade", "total")
CELLS = [(f, n, s) for f in FAMILIES for n in SIZES for s in STRENGTHS]


def world(families, n, strength, k):
    """Data set k of a cell: its people are the same in all, and so is the truth."""
    a, b, direct = STRENGTHS[strength]
    rng = np.random.default_rng([zlib.crc32(f"{families}{n}{strength}".encode()), k])
    treat, x = np.arange(n) % 2.0, np.resize([-1.0, -1.0, 0.0, 0.0, 1.5, 1.5], n)
    mediator = {"Intercept": 0.0, "treat": a, "x": 0.3}
    outcome = {"Intercept": -0.2, "treat": direct, "x": 0.2, "m": b}
    for family, own in zip(families, (mediator, outcome), strict=True):
        own.update({"sigma": 1.0} if family == "gaussian" else {})
    while True:
        e_m, z = rng.standard_normal((2, n))
        e_y = RHO * e_m + np.sqrt(1.0 - RHO**2) * z
        m = truth.mediator_value(families[0], e_m, truth.predictor(mediator, treat, x), mediator)
        y = truth.outcome_value(families[1], e_y, truth.predictor(outcome, treat, x, m), outcome)
        if min(len(np.unique(m)), len(np.unique(y))) > 1:
            return truth.World(families, mediator, outcome, RHO, treat, x, m, y)


def one(families, n, strength, k, true):
    """Median, sd and interval of each effect, and whether the interval holds the truth."""
    import bayesmed as bm

    own = world(families, n, strength, k)
    data = pd.DataFrame({"treat": own.treat, "x": own.x, "m": own.m, "y": own.y})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = bm.fit(
            data, mediator="m ~ treat + x", outcome="y ~ m + treat + x", treatment="treat",
            mediator_family=families[0], outcome_family=families[1], rho=RHO, method="laplace",
            draws=500, chains=4, cores=1, random_seed=k, progress=False,
        )  # fmt: skip
        drawn = fit.effects().draws
    line = {"set": k, "sampler": fit.about["sampler"]}
    for name in OF:
        values = drawn[name].sel(arm="average") if "arm" in drawn[name].dims else drawn[name]
        values = values.to_numpy()
        low, high = np.quantile(values, [0.025, 0.975])
        line[f"{name}_held"] = int(low <= true[name] <= high)
        line[f"{name}_error"] = np.median(values) - true[name]
        line[f"{name}_sd"] = values.std()
    return line


def path_of(families, n, strength):
    return COVERED / f"{families[0]}-{families[1]}-{n}-{strength}.csv"


def run(cell, sets):
    path = path_of(*cell)
    path.parent.mkdir(exist_ok=True)
    done = len(pd.read_csv(path)) if path.exists() else 0
    true = truth.effects(world(*cell, 0))
    for k in range(done, sets):
        line = pd.DataFrame([one(*cell, k, true)])
        line.to_csv(path, mode="a", header=not path.exists(), index=False, float_format="%.6g")


def table():
    """Coverage with the band that chance allows, and bias in posterior sds.

    Cells that an earlier table has, and this machine has not, are kept.
    """
    lines = []
    known = pd.read_csv(TABLE, dtype=str).to_dict("records") if TABLE.exists() else []
    earlier = {(r["mediator"], r["outcome"], r["n"], r["effects"]): r for r in known}
    for families, n, strength in CELLS:
        before = earlier.get((*families, str(n), strength))
        if not path_of(families, n, strength).exists():
            lines += [before] if before else []
            continue
        found = pd.read_csv(path_of(families, n, strength))
        low, high = (stats.binom.ppf(p, len(found), 0.95) / len(found) for p in (0.005, 0.995))
        line = {"mediator": families[0], "outcome": families[1], "n": n, "effects": strength,
                "data sets": len(found), "99% band": f"{100 * low:.1f} to {100 * high:.1f}"}  # fmt: skip
        for name in OF:
            line[f"{name.upper() if name != 'total' else name} covered"] = (
                f"{100 * found[f'{name}_held'].mean():.1f}"
            )
        for name in OF:
            bias = found[f"{name}_error"].mean() / found[f"{name}_sd"].mean()
            line[f"{name.upper() if name != 'total' else name} bias/sd"] = f"{bias:+.2f}"
        lines.append(line)
    return pd.DataFrame(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--pair", nargs=2, metavar=("MEDIATOR", "OUTCOME"))
    given = parser.parse_args()
    if given.pair and tuple(given.pair) not in FAMILIES:
        parser.error(f"no cells of {'/'.join(given.pair)}: {', '.join(map('/'.join, FAMILIES))}")
    if not given.table:
        for cell in CELLS:
            if not given.pair or cell[0] == tuple(given.pair):
                run(cell, given.sets)
    found = table()
    found.to_csv(TABLE, index=False)
    print(found.to_string())


if __name__ == "__main__":
    main()
