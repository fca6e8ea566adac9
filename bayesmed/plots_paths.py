"""The path diagram: treatment, mediator, outcome, and the correlation of their residuals."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayesmed.plots import BLUE, GREY, ORANGE, new_axes
from bayesmed.publish import digits_of, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PLACES = {"treatment": (0.0, 0.0), "mediator": (0.5, 0.72), "outcome": (1.0, 0.0)}


def path_labels(table: pd.DataFrame, about: Mapping[str, Any]) -> dict[str, str]:
    """What stands at each arrow: the median and interval of a, b and c', and rho.

    Parameters
    ----------
    table : pandas.DataFrame
        By :meth:`bayesmed.MediationFit.coefficients` with ``round_to=None``.
    about : mapping
        The fit's description.
    """
    found = {}
    for path in ("a", "b", "c'"):
        rows = table[table["path"] == path]
        if len(rows) == 1:
            found[path] = f"{path} = {_quote(rows.iloc[0])}"
        else:
            found[path] = f"{path}: {len(rows)} columns" if len(rows) else f"{path}: in a function"
    both = table[table["path"] == "b x c'"]
    if len(both) == 1:
        found["b"] += f"\nb × c' = {_quote(both.iloc[0])}"
    if about["rho_fixed"] is None:
        found["rho"] = f"ρ = {_quote(table.loc[('both', 'rho')])}"
    else:
        found["rho"] = f"ρ = {number(about['rho_fixed'], 2)} (fixed)"
    return found


def _quote(row: Any) -> str:
    low, high = (
        row[next(c for c in row.index if str(c).endswith(end))] for end in ("_low", "_high")
    )
    digits = min(digits_of(low, high, row["mcse"]), 3)
    return f"{number(row['median'], digits)} [{number(low, digits)}, {number(high, digits)}]"


def plot_paths(table: pd.DataFrame, about: Mapping[str, Any], ax: "Axes | None" = None) -> "Axes":
    """Draw the three variables and their paths, with the posterior of each coefficient.

    Parameters
    ----------
    table : pandas.DataFrame
        By :meth:`bayesmed.MediationFit.coefficients` with ``round_to=None``: on the scale of each
        linear predictor, at the fit's rho.
    about : mapping
        The fit's description.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Arrows are causal paths; the dashed arc is the correlation of the residuals.

    Examples
    --------
    >>> ax = fit.plot_paths()
    >>> len(ax.patches)
    4
    """
    from matplotlib.patches import FancyArrowPatch

    ax = new_axes(ax, 66.0)
    size = _text_size(ax)
    labels = path_labels(table, about)
    boxes = {}
    for role, (x, y) in _PLACES.items():
        boxes[role] = ax.text(
            x, y, str(about[role]), ha="center", va="center", fontsize=size + 1, zorder=3,
            bbox={"boxstyle": "round,pad=0.45", "fc": "white", "ec": GREY, "lw": 1.0},
        )  # fmt: skip
    arrows = (
        ("treatment", "mediator", BLUE),
        ("mediator", "outcome", BLUE),
        ("treatment", "outcome", GREY),
    )
    for start, end, color in arrows:
        ax.add_patch(FancyArrowPatch(
            _PLACES[start], _PLACES[end], arrowstyle="-|>", mutation_scale=12, color=color, lw=1.5,
            patchA=boxes[start].get_bbox_patch(), patchB=boxes[end].get_bbox_patch(),
            shrinkA=1, shrinkB=2, zorder=2,
        ))  # fmt: skip
    ax.add_patch(FancyArrowPatch(
        _PLACES["mediator"], _PLACES["outcome"], arrowstyle="<|-|>", mutation_scale=9, color=ORANGE,
        lw=1.2, linestyle=(0, (4, 2)), connectionstyle="arc3,rad=-0.5",
        patchA=boxes["mediator"].get_bbox_patch(), patchB=boxes["outcome"].get_bbox_patch(),
        shrinkA=1, shrinkB=2, zorder=1,
    ))  # fmt: skip
    words: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": size}
    ax.text(0.17, 0.44, labels["a"], **{**words, "ha": "right"})
    ax.text(0.5, 0.17, labels["b"], **words)
    ax.text(0.5, -0.11, labels["c'"], **words)
    ax.text(0.99, 0.72, labels["rho"], color=ORANGE, **{**words, "ha": "center"})
    ax.set_xlim(-0.32, 1.32)
    ax.set_ylim(-0.22, 0.92)
    ax.axis("off")
    return ax


def _text_size(ax: "Axes") -> float:
    """Smaller in a column's width."""
    figure = ax.get_figure(root=True)
    width = (figure.get_size_inches()[0] if figure is not None else 4.7) * ax.get_position().width
    return float(np.clip(1.75 * width, 6.0, 8.5))
