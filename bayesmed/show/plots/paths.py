"""The path diagram: treatment, mediator, outcome, and the correlation of their residuals."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bayesmed.effects.numbers import digits_of, number
from bayesmed.effects.paths import contrast_words
from bayesmed.effects.summary import summarise
from bayesmed.families.names import names_nearest
from bayesmed.show.plots.style import BLUE, GREY, ORANGE, new_axes
from bayesmed.system.about import About

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Longer labels of a take two lines.
_LONG = 36
_PLACES = {"treatment": (0.0, 0.0), "mediator": (0.5, 0.72), "outcome": (1.0, 0.0)}
_ARROWS = (
    ("treatment", "mediator", BLUE), ("mediator", "outcome", BLUE), ("treatment", "outcome", GREY),
)  # fmt: skip


def path_labels(
    paths: Mapping[str, xr.DataArray],
    rho: str | xr.DataArray,
    log_mediator: bool = False,
    contrast: str = "",
) -> dict[str, str]:
    """What stands at each arrow: medians and intervals of a, b and c', and rho.

    Parameters
    ----------
    paths : mapping of str to xarray.DataArray
        Draws of ``a``; ``b``, or ``b (control)`` and ``b (treated)``; and ``c'``; of dims
        (chain, draw).
    rho : str or xarray.DataArray
        Its fixed value in words, or its draws.
    log_mediator : bool
        Whether the outcome formula holds the mediator's logarithm.
    contrast : str
        Of what a and c' are, where that is not one unit of the treatment.
    """
    slopes = [name for name in paths if name.startswith("b")]
    shown = {}
    for name, values in paths.items():
        path, _, arm = name.partition(" ")
        marks = [arm.strip("()")] if path == "b" else [contrast]
        if path == "c'" and len(slopes) == 2:
            marks.append(f"at {'log M' if log_mediator else 'M'} = 0")
        marks.append("average" if values.attrs.get("average") else "")
        told = ", ".join(filter(None, marks))
        shown[name] = (
            f"{path} ({told}) = {_quote(values)}" if told else f"{path} = {_quote(values)}"
        )
    found = {"a": shown["a"]}
    found["b"] = "\n".join(shown[name] for name in slopes) if slopes else "b: in a function"
    found["c'"] = shown.get("c'", "c'")
    found["rho"] = f"ρ = {rho}" if isinstance(rho, str) else f"ρ = {_quote(rho)}"
    return found


def _quote(values: xr.DataArray) -> str:
    table = summarise({"x": values})
    median, low, high = table.iloc[0, :3].to_numpy(dtype=float)
    digits = digits_of(low, high, float(table["mcse"].to_numpy()[0]))
    return f"{number(median, digits)} [{number(low, digits)}, {number(high, digits)}]"


@names_nearest
def plot_paths(
    paths: Mapping[str, xr.DataArray],
    about: About,
    rho: xr.DataArray | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the three variables and their paths, with the posterior of each.

    Parameters
    ----------
    paths : mapping of str to xarray.DataArray
        By :func:`bayesmed.effects.paths.path_draws`: on the scale of each linear predictor, at the fit's
        rho.
    about : About
        The fit's description.
    rho : xarray.DataArray, optional
        Its draws, where it has a prior.
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
    ax = new_axes(ax, 66.0)
    size = _text_size(ax)
    fixed = about.rho_fixed
    said = rho if rho is not None else f"{number(0.0 if fixed is None else fixed, 2)} (fixed)"
    labels = path_labels(paths, said, about.log_mediator, contrast_words(about))
    boxes = {}
    for role, (x, y) in _PLACES.items():
        boxes[role] = ax.text(
            x, y, about.roles[role], ha="center", va="center", fontsize=size + 1, zorder=3,
            bbox={"boxstyle": "round,pad=0.45", "fc": "white", "ec": GREY, "lw": 1.0},
        )  # fmt: skip
    for start, end, color in _ARROWS:
        _arrow(
            ax,
            boxes,
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=12,
            color=color,
            lw=1.5,
            zorder=2,
        )
    _arrow(
        ax, boxes, "mediator", "outcome", arrowstyle="<|-|>", mutation_scale=9, color=ORANGE, lw=1.2,
        linestyle=(0, (4, 2)), connectionstyle="arc3,rad=-0.5", zorder=1,
    )  # fmt: skip
    words: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": size}
    a = labels["a"] if len(labels["a"]) < _LONG else labels["a"].replace(") = ", ")\n", 1)
    ax.text(0.17, 0.44, a, **{**words, "ha": "right"})
    ax.text(0.5, 0.17, labels["b"], **words)
    ax.text(0.5, -0.11, labels["c'"], **words)
    ax.text(0.99, 0.72, labels["rho"], color=ORANGE, **{**words, "ha": "center"})
    ax.set_xlim(-0.32, 1.32)
    ax.set_ylim(-0.22, 0.92)
    ax.axis("off")
    return ax


def _arrow(ax: "Axes", boxes: Mapping[str, Any], start: str, end: str, **style: Any) -> None:
    from matplotlib.patches import FancyArrowPatch

    ax.add_patch(FancyArrowPatch(
        _PLACES[start], _PLACES[end], patchA=boxes[start].get_bbox_patch(),
        patchB=boxes[end].get_bbox_patch(), shrinkA=1, shrinkB=2, **style,
    ))  # fmt: skip


def _text_size(ax: "Axes") -> float:
    """Smaller in a column's width."""
    figure = ax.get_figure(root=True)
    width = (figure.get_size_inches()[0] if figure is not None else 4.7) * ax.get_position().width
    return float(np.clip(1.75 * width, 6.0, 8.5))
