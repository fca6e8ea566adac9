"""The causal diagrams of the documentation.

    uv run python examples/dags.py docs/_static

Writes dags_assumed.png and dags_outside.png.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#4D4D4D"
T, M, Y, X, U = (0.0, 0.0), (0.5, 0.62), (1.0, 0.0), (0.12, 0.95), (0.98, 0.85)


def node(ax, place, name, unseen=False):
    edge = {"ec": ORANGE, "ls": (0, (3, 2))} if unseen else {"ec": GREY}
    return ax.text(*place, name, ha="center", va="center", fontsize=9, zorder=3,
                   bbox={"boxstyle": "circle,pad=0.32", "fc": "white", "lw": 1.1, **edge})  # fmt: skip


def arrow(ax, start, end, color=GREY, curve=0.0, dashed=False):
    ax.add_patch(FancyArrowPatch(
        start, end, arrowstyle="-|>", mutation_scale=10, color=color, lw=1.4, shrinkA=11, shrinkB=12,
        connectionstyle=f"arc3,rad={curve}", linestyle=(0, (4, 2)) if dashed else "solid", zorder=2,
    ))  # fmt: skip


def panel(ax, title, nodes, arrows):
    for place, name, unseen in nodes:
        node(ax, place, name, unseen)
    for one in arrows:
        arrow(ax, *one)
    ax.set_title(title, fontsize=9)
    ax.set_xlim(-0.2, 1.25)
    ax.set_ylim(-0.35, 1.15)
    ax.axis("off")


BASE = [(T, "T", False), (M, "M", False), (Y, "Y", False)]
PATHS = [(T, M, BLUE), (M, Y, BLUE), (T, Y, GREY)]


def assumed(folder):
    _, axes = plt.subplots(1, 2, figsize=(6.2, 2.4), layout="constrained")
    covariates = [(X, M, GREY), (X, Y, GREY, -0.35), (X, T, GREY)]
    panel(axes[0], "ρ = 0: covariates X suffice", [*BASE, (X, "X", False)], [*PATHS, *covariates])
    panel(axes[1], "ρ ≠ 0: U, unmeasured, moves both",
          [*BASE, (X, "X", False), (U, "U", True)],
          [*PATHS, *covariates, (U, M, ORANGE, 0.0, True), (U, Y, ORANGE, 0.0, True)])  # fmt: skip
    plt.savefig(folder / "dags_assumed.png", dpi=150)


def outside(folder):
    _, axes = plt.subplots(1, 3, figsize=(8.4, 2.4), layout="constrained")
    later = (0.98, 0.85)
    panel(axes[0], "a confounder that T changes", [*BASE, (later, "L", False)],
          [*PATHS, (T, later, ORANGE, -0.42), (later, M, GREY), (later, Y, GREY)])  # fmt: skip
    panel(axes[1], "T itself confounded", [*BASE, (X, "U", True)],
          [*PATHS, (X, T, ORANGE, 0.0, True), (X, Y, ORANGE, -0.35, True)])  # fmt: skip
    second = (0.5, -0.22)
    panel(axes[2], "a second mediator", [*BASE, (second, "N", False)],
          [(T, M, BLUE), (M, Y, BLUE), (T, Y, GREY, -0.12), (T, second, ORANGE), (second, Y, ORANGE),
           (M, second, ORANGE)])  # fmt: skip
    plt.savefig(folder / "dags_outside.png", dpi=150)


if __name__ == "__main__":
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/_static")
    assumed(place)
    outside(place)
