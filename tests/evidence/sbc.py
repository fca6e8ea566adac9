"""Simulation-based calibration: ranks of true effects among posterior draws, pair by pair.

    uv run python tests/evidence/sbc.py                 # every pair, 300 data sets; resumable
    uv run python tests/evidence/sbc.py --pair gaussian probit fixed --sets 100
    uv run python tests/evidence/sbc.py --figure        # docs/_static/sbc.png and docs/sbc.csv

Parameters and data are drawn from the priors by tests/evidence/truth.py, which shares no
code with the package; so are the true effects and rho*. Fits are by method="laplace", whose draws
are exact, and by NUTS where its k-hat is above 0.7 or its chains disagree. Ranks go to tests/evidence/ranks, a file
a pair and a line a data set (Talts et al. 2018).
"""

import argparse
import os
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.evidence import truth

RANKS = Path(__file__).parent / "ranks"
DOCS = Path(__file__).parents[2] / "docs"
PAIRS = (
    ("gaussian", "gaussian"), ("gaussian", "probit"), ("probit", "gaussian"), ("probit", "probit"),
    ("gaussian", "logit"), ("poisson", "negative_binomial"), ("ordered_probit", "gaussian"),
)  # fmt: skip
KINDS = ("fixed", "prior")
CLOSED = {("gaussian", "gaussian"), ("gaussian", "probit")}
#: The fixed rho, and the ends of its uniform prior.
RHO, ENDS = 0.4, (-0.8, 0.8)
CHAINS, DRAWS, THIN = 4, 250, 5
#: Ranks are 0, ..., LARGEST.
LARGEST = CHAINS * DRAWS // THIN


def priors(families):
    """The priors of truth.py in the package's words."""
    import bayesmed as bm

    found = {}
    for equation, family, extra in zip(
        ("mediator", "outcome"), families, ((), ("m",)), strict=True
    ):
        own = truth.normals(family)
        names = ["treat", "x", *extra, *([] if family == "ordered_probit" else ["Intercept"])]
        found[equation] = {n: bm.Prior("Normal", mu=own[n][0], sigma=own[n][1]) for n in names}
        if family == "gaussian":
            found[equation]["sigma"] = bm.Prior("Gamma", alpha=truth.SIGMA[0], beta=truth.SIGMA[1])
        if family == "negative_binomial":
            found[equation]["alpha"] = bm.Prior("Gamma", alpha=truth.ALPHA[0], beta=truth.ALPHA[1])
        if family == "ordered_probit":
            mu, sigma = truth.CUTPOINTS
            found[equation]["cutpoints"] = bm.Prior("Normal", mu=mu, sigma=sigma)
    return found


def world_of(families, kind, k, priors_on):
    rng = np.random.default_rng([zlib.crc32("/".join((*families, kind)).encode()), k])
    while True:
        rho = RHO if kind == "fixed" else rng.uniform(*ENDS)
        world = truth.draw_world(families, rho, rng, regression=priors_on == "regression")
        if degenerate(world) is None:
            return world


def degenerate(world):
    """Why no model can be made of these data; the posterior then has no such data to answer for."""
    for name, values in (("mediator", world.m), ("outcome", world.y)):
        if len(np.unique(values)) < 2:
            return f"a constant {name}"
    if world.families[0] == "ordered_probit" and len(np.unique(world.m)) < 3:
        return "a category without rows"
    return None


def converged(model, k):
    """A fit by Laplace, or by NUTS where the former's chains have not come together."""
    settings = {"chains": CHAINS, "cores": 1, "random_seed": k, "progress": False}
    fit = model.fit(method="laplace", draws=DRAWS, tune=500, **settings)
    if fit.convergence.problems:
        fit = model.fit(draws=DRAWS, tune=500, target_accept=0.9, **settings)
    return fit


def thinned(fit):
    """Every fifth draw, nearly independent."""
    import bayesmed as bm

    kept = slice(THIN - 1, None, THIN)
    tree = fit.tree.copy()
    for group in ("posterior", "sample_stats"):
        tree[group] = tree[group].to_dataset().isel(draw=kept)
    return bm.MediationFit(tree, fit.model)


def ranks_of(families, kind, k, priors_on=None):
    """Ranks of one data set's true values; rho* in closed pairs, rho and |rho| where it has a prior.

    |rho| shows a posterior that is too wide or too narrow on both sides (Modrak et al. 2023).
    """
    import bayesmed as bm

    if priors_on is None:
        priors_on = "regression" if families in CLOSED else "structural"
    world = world_of(families, kind, k, priors_on)
    data = pd.DataFrame({"treat": world.treat, "x": world.x, "m": world.m, "y": world.y})
    rho = RHO if kind == "fixed" else bm.Prior("Uniform", lower=ENDS[0], upper=ENDS[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = bm.MediationModel(
            data, mediator="m ~ treat + x", outcome="y ~ m + treat + x", treatment="treat",
            mediator_family=families[0], outcome_family=families[1], priors=priors(families),
            rho=rho, priors_on=priors_on,
        )  # fmt: skip
        fit = thinned(converged(model, k))
        drawn = fit.effects().draws
        found = {
            "acme": drawn["acme"].sel(arm="average"), "ade": drawn["ade"].sel(arm="average"),
            "total": drawn["total"],
        }  # fmt: skip
        true = truth.effects(world)
        if kind == "prior":
            found["rho"], found["size"] = fit.posterior["rho"], abs(fit.posterior["rho"])
            true["size"] = abs(world.rho)
        if families in CLOSED and priors_on == "regression":
            tipping = fit.sensitivity([-0.3, 0.3], progress=False).tipping_point()
            found["rho_zero"] = tipping["rho_zero"].sel(arm="average")
            true["rho_zero"] = truth.rho_zero(world)
    return {n: int((values.to_numpy() < true[n]).sum()) for n, values in found.items()}


def path_of(families, kind):
    return RANKS / f"{families[0]}-{families[1]}-{kind}.csv"


def run_pair(families, kind, sets):
    """Append the ranks of the data sets that are not there yet."""
    path = path_of(families, kind)
    path.parent.mkdir(exist_ok=True)
    done = set(pd.read_csv(path)["set"]) if path.exists() else set()
    for k in [k for k in range(sets) if k not in done]:
        line = pd.DataFrame([{"set": k, **ranks_of(families, kind, k)}])
        line.to_csv(path, mode="a", header=not path.exists(), index=False)


def evidence(ranks, largest=LARGEST, random_seed=1):
    """Greatest distance of the ranks' ECDF from the diagonal, and its p-value by simulation."""
    rng = np.random.default_rng(random_seed)
    grid = np.arange(largest + 1)

    def distance(values):
        return np.abs((np.sort(values, -1)[..., None, :] <= grid[:, None]).mean(-1)
                      - (grid + 1) / (largest + 1)).max(-1)  # fmt: skip

    chance = np.array([distance(rng.integers(0, largest + 1, len(ranks))) for _ in range(2000)])
    found = float(distance(np.asarray(ranks)))
    return found, float((chance >= found).mean())


NAMES = {
    "acme": "ACME",
    "ade": "ADE",
    "total": "total",
    "rho_zero": "ρ*",
    "rho": "ρ",
    "size": "|ρ|",
}


def table():
    """One line a pair, kind of rho and quantity."""
    lines = []
    for families, kind in [(pair, kind) for pair in PAIRS for kind in KINDS]:
        path = path_of(families, kind)
        if not path.exists():
            continue
        ranks = pd.read_csv(path)
        for name in [n for n in NAMES if n in ranks]:
            distance, p = evidence(ranks[name])
            inside = ranks[name].between(0.025 * LARGEST, 0.975 * LARGEST).mean()
            lines.append({
                "mediator": families[0], "outcome": families[1], "rho": kind, "of": NAMES[name],
                "data sets": len(ranks), "largest gap": f"{distance:.3f}", "p": f"{p:.3f}",
                "in the 95% interval": f"{100 * inside:.1f}%",
            })  # fmt: skip
    return pd.DataFrame(lines)


def figure(path):
    """ECDF of the ranks less the uniform one, with simultaneous 95% bands by ArviZ."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from arviz_stats.ecdf_utils import ecdf_pit

    present = [(p, k) for p in PAIRS for k in KINDS if path_of(p, k).exists()]
    fig, axes = plt.subplots(
        len(PAIRS), 2, figsize=(7.0, 1.45 * len(PAIRS)), sharex=True, sharey=True,
        layout="constrained",
    )  # fmt: skip
    colours = dict(
        zip(NAMES, ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00"), strict=True)
    )
    for pair, kind in [(p, k) for p in PAIRS for k in KINDS]:
        ax = axes[PAIRS.index(pair), KINDS.index(kind)]
        what = f"ρ = {RHO:g}" if kind == "fixed" else "ρ uniform"
        ax.set_title(f"{pair[0]} / {pair[1]}, {what}".replace("_", " "), fontsize=8)
        ax.tick_params(labelsize=7)
        if (pair, kind) not in present:
            ax.text(0.5, 0.0, "not run", ha="center", va="center", fontsize=8)
            continue
        ranks = pd.read_csv(path_of(pair, kind))
        for name in [n for n in NAMES if n in ranks]:
            pit = (ranks[name].to_numpy() + 0.5) / (LARGEST + 1)
            at, share, low, high = ecdf_pit(pit, 0.95, 1000)
            ax.step(at, share - at, color=colours[name], lw=1.0, where="post", label=NAMES[name])
        ax.fill_between(at, low - at, high - at, color="0.85", lw=0, zorder=0, label="95% band")
    handles = {}
    for ax in axes.flat:
        handles.update({label: h for h, label in zip(*ax.get_legend_handles_labels(), strict=True)})
    fig.legend(
        handles.values(), handles, loc="outside upper center", ncols=7, fontsize=8, frameon=False
    )
    fig.supxlabel("rank, as a share of the draws", fontsize=8)
    fig.supylabel("ECDF less the uniform", fontsize=8)
    fig.savefig(path, dpi=160)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--pair", nargs=3, metavar=("MEDIATOR", "OUTCOME", "KIND"))
    parser.add_argument("--figure", action="store_true")
    given = parser.parse_args()
    if given.figure:
        figure(DOCS / "_static" / "sbc.png")
        found = table()
        found.to_csv(DOCS / "sbc.csv", index=False)
        print(found.to_string())
    elif given.pair:
        run_pair(tuple(given.pair[:2]), given.pair[2], given.sets)
    else:
        waiting, running = [(*pair, kind) for pair in PAIRS for kind in KINDS], []
        while waiting or running:
            while waiting and len(running) < given.jobs:
                own = [sys.executable, __file__, "--pair", *waiting.pop(0)]
                running.append(subprocess.Popen([*own, "--sets", str(given.sets)]))
            running[0].wait()
            running = [process for process in running if process.poll() is None]


if __name__ == "__main__":
    main()
