"""How times grow with rows, columns, values of rho and draws; a table, and a figure for the docs.

    uv run python tests/benchmarks/scaling.py [figure.png]

Each time is the least of three in one warm process; the exponent is the slope on logarithmic axes
over the upper half of the sizes.
"""

import sys
import time
import warnings

import numpy as np
import pandas as pd

import bayesmed as bm

QUIET = {"random_seed": 1, "progress": False}


def rows(n: int, columns: int = 2, binary: bool = True) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({f"x{i}": rng.standard_normal(n) for i in range(columns)})
    data["t"] = rng.integers(0, 2, n)
    data["m"] = 0.5 * data["t"] + 0.3 * data["x0"] + rng.standard_normal(n)
    y = 0.4 * data["m"] + 0.2 * data["t"] + rng.standard_normal(n)
    data["y"] = (y > 0.5).astype(int) if binary else y
    return data


def model(data: pd.DataFrame, outcome: str) -> bm.MediationModel:
    right = " + ".join(["t", *(name for name in data if name.startswith("x"))])
    return bm.MediationModel(
        data, mediator=f"m ~ {right}", outcome=f"y ~ m * t + {right}", treatment="t",
        outcome_family=outcome,
    )  # fmt: skip


def fastest(function) -> float:
    times = []
    for _ in range(3):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return min(times)


def measure() -> dict[str, tuple[str, list[float], list[float]]]:
    """Label: what grows, its sizes, and seconds."""
    found: dict[str, tuple[str, list[float], list[float]]] = {}

    def along(label, what, sizes, make) -> None:
        found[label] = (what, list(sizes), [fastest(make(size)) for size in sizes])
        seconds = "  ".join(f"{s:g}: {t:.3f}" for s, t in zip(*found[label][1:], strict=True))
        print(
            f"{label:34s} {what:8s} exponent {exponent(*found[label][1:]):5.2f}   {seconds}",
            flush=True,
        )

    many = [10**3, 10**4, 10**5, 3 * 10**5]
    for outcome in ("gaussian", "probit"):
        models = {n: model(rows(n, binary=outcome == "probit"), outcome) for n in many}
        fits = {n: m.fit(method="laplace", draws=250, **QUIET) for n, m in models.items()}
        along(f"{outcome}: fit by Laplace", "rows", many,
              lambda n, m=models: lambda: m[n].fit(method="laplace", draws=250, **QUIET))  # fmt: skip
        along(
            f"{outcome}: effects, 1000 draws",
            "rows",
            many,
            lambda n, f=fits: lambda: f[n].effects(),
        )
    wide = [2, 8, 32, 64]
    models = {p: model(rows(2000, p), "probit") for p in wide}
    along("probit: fit by Laplace, n = 2000", "columns", wide,
          lambda p: lambda: models[p].fit(method="laplace", draws=250, **QUIET))  # fmt: skip
    fit = model(rows(1000), "probit").fit(method="laplace", draws=1000, **QUIET)
    along("probit: curve, n = 1000", "rho", [11, 41, 161, 641],
          lambda k: lambda: fit.sensitivity(np.linspace(-0.9, 0.9, k)))  # fmt: skip
    sizes = [250, 1000, 4000]
    fits = {s: model(rows(1000), "probit").fit(method="laplace", draws=s, **QUIET) for s in sizes}
    along("probit: curve of 41, n = 1000", "draws", [4 * s for s in sizes],
          lambda s: lambda: fits[s // 4].sensitivity(np.linspace(-0.9, 0.9, 41)))  # fmt: skip
    return found


def exponent(sizes: list[float], seconds: list[float]) -> float:
    half = len(sizes) // 2
    return float(np.polyfit(np.log(sizes[-half - 1 :]), np.log(seconds[-half - 1 :]), 1)[0])


def sizes_of(found: dict[str, tuple[str, list[float], list[float]]], what: str) -> list[float]:
    return next(sizes for own, sizes, _ in found.values() if own == what)


def draw(found: dict[str, tuple[str, list[float], list[float]]], path: str) -> None:
    import matplotlib.pyplot as plt

    kinds = list(dict.fromkeys(what for what, _, _ in found.values()))
    figure, axes = plt.subplots(
        1, len(kinds), figsize=(7.2, 2.8), layout="constrained", sharey=True
    )
    lines = iter(
        [("-", "o"), ("--", "s"), ("-.", "^"), (":", "D"), ("-", "v"), ("-", "o"), ("-", "o")]
    )
    for axis, what in zip(axes, kinds, strict=True):
        for label, (own, sizes, seconds) in found.items():
            if own == what:
                style, marker = next(lines)
                name = f"{label.split(', n')[0]} ({exponent(sizes, seconds):.2f})"
                axis.plot(sizes, seconds, style, marker=marker, markersize=4, label=name)
        axis.set(xscale="log", yscale="log", xlabel={"rho": "values of ρ"}.get(what, what))
        axis.xaxis.set_minor_formatter("")
        if what == "columns":
            axis.set_xticks(sizes_of(found, what), [f"{s:g}" for s in sizes_of(found, what)])
        axis.legend(fontsize=6, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("seconds")
    figure.savefig(path, dpi=200)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = measure()
    if len(sys.argv) > 1:
        draw(results, sys.argv[1])
