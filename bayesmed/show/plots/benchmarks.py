"""Figures of benchmarks, from their Dataset."""

from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr

from bayesmed.effects.setting import Setting, setting_of
from bayesmed.effects.summary import readable_roots
from bayesmed.families.names import names_nearest
from bayesmed.show.plots.style import (
    ABOVE,
    BLUE,
    BROKEN,
    GREY,
    ORANGE,
    OUTER,
    draw_interval,
    new_axes,
    open_frame,
    pooled,
    quantiles,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Below this share of draws with such a confounder a covariate is not drawn.
_ENOUGH = 0.5
_ROW = 0.052


@names_nearest
def plot_benchmarks(
    draws: xr.Dataset,
    rho_zero: xr.Dataset | None = None,
    ax: "Axes | None" = None,
    arm: Literal["control", "treated", "average"] = "average",
    color: str = BLUE,
) -> "Axes":
    """Forest plot of the rho of each covariate: median, 50% and 95% equal-tailed intervals.

    Parameters
    ----------
    draws : xarray.Dataset
        Of :class:`bayesmed.Benchmarks`.
    rho_zero : xarray.Dataset, optional
        The tipping points of a sweep; drawn as a row of their own and a band.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure of 120 mm otherwise.
    arm : str
        Whose ACME is zero at rho*.
    color : str
        Of the benchmarks.

    Returns
    -------
    matplotlib.axes.Axes
    """
    about, rows = setting_of(draws), _rows(draws)
    star = _found(readable_roots(rho_zero, arm)) if rho_zero is not None else np.empty(0)
    labels = [*rows, *(["ρ* (ACME = 0)"] if star.size else [])]
    ax = new_axes(ax, 22.0 + 8.0 * len(labels))
    ax.axvline(0.0, color=GREY, linewidth=0.8, linestyle=BROKEN, zorder=0)
    for place, values in enumerate(rows.values()):
        if values is None:
            ax.annotate("not admissible", (0.02, place), xycoords=("axes fraction", "data"),
                        va="center", color=GREY, fontsize="small")  # fmt: skip
            continue
        draw_interval(ax, pooled(values), place, color, 3)
    if star.size:
        low, high = map(float, quantiles(pooled(star), OUTER))
        ax.axvspan(low, high, color=ORANGE, alpha=0.14, linewidth=0, zorder=0)
        draw_interval(ax, pooled(star), len(rows), ORANGE, 3)
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_xlabel(f"{_what(about)}\n(median, 50% and 95% interval)")
    open_frame(ax)
    return ax


@names_nearest
def draw_benchmarks(draws: xr.Dataset, ax: "Axes", most: int = 5, color: str = "black") -> "Axes":
    """Add benchmarks to a plot against rho, as named rows below the curve.

    Parameters
    ----------
    draws : xarray.Dataset
        Of :class:`bayesmed.Benchmarks`.
    ax : matplotlib.axes.Axes
        With rho along the x axis, such as that of :func:`bayesmed.show.plots.plot_sensitivity`. Room
        is made below, and a legend moves above; intervals that pass the axis are cut off.
    most : int
        How many are drawn, those of the largest rho.
    color : str

    Returns
    -------
    matplotlib.axes.Axes
    """
    there = {name: values for name, values in _rows(draws).items() if values is not None}
    rows = sorted(there.items(), key=lambda item: -abs(np.median(item[1])))[:most]
    if not rows:
        return ax
    share = min(_ROW * (len(rows) + 1), 0.6)
    low, high = ax.get_ylim()
    ax.set_ylim(low - (high - low) * share / (1.0 - share), high)
    left, right = ax.get_xlim()
    both = ax.get_xaxis_transform()  # rho along x, shares of the axes' height along y
    for i, (name, values) in enumerate(rows):
        place = share * (1.0 - (i + 1) / (len(rows) + 1))
        draw_interval(ax, pooled(values), place, color, 3, scale=0.7, transform=both)
        ends = np.clip(quantiles(pooled(values), OUTER), left, right)
        leftward = np.median(values) < 0.0 and ends[0] - left > 0.3 * (right - left)
        leftward = leftward or right - ends[1] < 0.3 * (right - left)
        at, side, gap = (ends[0], "right", -4) if leftward else (ends[1], "left", 4)
        ax.annotate(name, (at, place), xycoords=both, xytext=(gap, 0), ha=side, va="center",
                    textcoords="offset points", fontsize="x-small", color=color)  # fmt: skip
    ax.set_xlim(left, right)
    if ax.get_legend() is not None:
        ax.legend(**ABOVE)
    return ax


def _rows(draws: xr.Dataset) -> dict[str, np.ndarray | None]:
    """The draws of each covariate that exist; None where most do not."""
    rows: dict[str, np.ndarray | None] = {}
    for name in draws["covariate"].to_numpy():
        values = draws["rho"].sel(covariate=name, drop=True)
        kept = _found(values)
        rows[str(name)] = kept if kept.size >= max(_ENOUGH * values.size, 1) else None
    return rows


def _found(values: xr.DataArray) -> np.ndarray:
    flat = values.to_numpy().ravel()
    return np.asarray(flat[np.isfinite(flat)])


def _what(about: Setting) -> str:
    """Label of the rho, in lines that fit below narrow axes."""
    times = "" if about.times == 1 else f"{about.times:g} times "
    if about.kind == "besides":
        return f"ρ from an omitted confounder\n{times}as strong as each covariate"
    return f"ρ from leaving out a covariate\n{times}as strong as each"
