"""Effects along rho or the reliability: one, several in one figure, or the two arms side by side."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr

from bayesmed.effects.rows import label_of, select_effect
from bayesmed.effects.setting import setting_of
from bayesmed.effects.summary import readable_roots
from bayesmed.families.names import names_nearest
from bayesmed.show.plots.style import (
    BLUE,
    DOTTED,
    GREY,
    INNER,
    ORANGE,
    OUTER,
    RHO,
    draw_interval,
    effect_label,
    legend_above,
    new_axes,
    open_frame,
    pooled,
    quantiles,
    ticks_of_ratios,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Effect = Literal["acme", "ade", "total"]
#: Colour, dashes and hatching, so that they are told apart in grey too.
_STYLES = {
    "acme": (BLUE, "solid", None),
    "ade": (ORANGE, (0, (5, 2)), "////"),
    "total": (GREY, (0, (1, 1.5)), None),
}


@names_nearest
def plot_reliability(
    draws: xr.Dataset,
    ax: "Axes | None" = None,
    effect: Literal["acme", "ade", "total"] = "acme",
    arm: Literal["control", "treated", "average"] = "average",
    color: str = BLUE,
) -> "Axes":
    """An effect against the reliability of the mediator: median, 50% and 95% bands.

    Parameters
    ----------
    draws : xarray.Dataset
        Of :class:`bayesmed.ReliabilityCurve`. Where it holds NaN nothing is drawn.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure of 120 mm otherwise.
    effect, arm : str
        Which effect, on the scale of the outcome.
    color : str

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If there is no such effect or arm.
    """
    ax = _draw_curve(new_axes(ax, 80.0), draws, "reliability", effect, arm, color)
    ax.axhline(0.0, color=GREY, linewidth=0.8)
    ax.set_xlabel(f"Reliability of {setting_of(draws).mediator}")
    legend_above(ax, 3)
    return ax


@names_nearest
def plot_sensitivity(
    draws: xr.Dataset,
    rho_zero: xr.Dataset | None = None,
    ax: "Axes | None" = None,
    effect: Literal["acme", "ade", "total"] = "acme",
    arm: Literal["control", "treated", "average"] = "average",
    color: str = BLUE,
) -> "Axes":
    """An effect against rho: median, 50% and 95% bands, and the posterior of rho*.

    Parameters
    ----------
    draws : xarray.Dataset
        Of :class:`bayesmed.Sensitivity`.
    rho_zero : xarray.Dataset, optional
        Its tipping points; drawn on the zero line for the ACME, median, 50% and 95%
        interval.
    ax : matplotlib.axes.Axes, optional
    effect, arm : str
        Which effect.
    color : str

    Returns
    -------
    matplotlib.axes.Axes
    """
    about, ax = setting_of(draws), _draw_curve(new_axes(ax, 80.0), draws, "rho", effect, arm, color)
    ax.axhline(about.null, color=GREY, linewidth=0.8)
    if about.null == 1.0:
        ax.set_yscale("log")
        ticks_of_ratios(ax.yaxis)
    if about.rho_fixed is not None:
        ax.axvline(about.rho_fixed, color=GREY, linewidth=0.8, linestyle=DOTTED)
    if effect == "acme" and rho_zero is not None:
        _draw_tipping(ax, readable_roots(rho_zero, arm), about.null)
    ax.set_xlabel(RHO)
    legend_above(ax, 2)
    return ax


def _draw_curve(
    ax: "Axes", draws: xr.Dataset, along: str, effect: str, arm: str, color: str
) -> "Axes":
    """Median, 50% and 95% bands of an effect along a dimension of its draws."""
    values, grid = select_effect(draws, effect, arm), draws[along].to_numpy()
    for mass, opacity in ((OUTER, 0.18), (INNER, 0.38)):
        ax.fill_between(grid, *quantiles(values, mass), color=color, alpha=opacity, linewidth=0,
                        label=f"{mass:.0%} interval")  # fmt: skip
    middle = values.median(["chain", "draw"], skipna=False)
    ax.plot(grid, middle, color=color, linewidth=1.6, label="median")
    scale = effect_label(setting_of(draws)).removeprefix("Effect ")
    ax.set_ylabel(f"{label_of(effect, arm)},\n{scale}")
    ax.set_xlim(grid[0], grid[-1])
    open_frame(ax)
    return ax


def _draw_tipping(ax: "Axes", values: xr.DataArray, null: float) -> None:
    roots = values.to_numpy().ravel()
    roots = roots[np.isfinite(roots)]
    if roots.size >= 8:
        label = "ρ*: effect is zero" if null == 0.0 else "ρ*: ratio is one"
        draw_interval(ax, pooled(roots), null, ORANGE, 4, (1.4, 4.5), "butt", label)


@names_nearest
def plot_curves(
    draws: xr.Dataset,
    effects: Sequence[Effect] = ("acme", "ade", "total"),
    arm: Literal["control", "treated", "average"] = "average",
    ax: "Axes | None" = None,
) -> "Axes":
    """Medians and 95% bands of several effects against rho.

    Parameters
    ----------
    draws : xarray.Dataset
        Of :class:`bayesmed.Sensitivity`, of one group and contrast.
    effects : sequence of {"acme", "ade", "total"}
    arm : {"control", "treated", "average"}
        Of those that have arms.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure of 120 mm otherwise.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If there is no such effect or arm, or the draws are of several groups.
    """
    about, grid = setting_of(draws), draws["rho"].to_numpy()
    ax = new_axes(ax, 80.0)
    for effect in effects:
        values = select_effect(draws, effect, arm)
        color, dashes, hatch = _STYLES[effect]
        ax.fill_between(grid, *quantiles(values, OUTER), facecolor=color, alpha=0.15,
                        linewidth=0, hatch=hatch, edgecolor=color)  # fmt: skip
        ax.plot(grid, values.median(["chain", "draw"]), color=color, linestyle=dashes,
                linewidth=1.8, label=label_of(effect, arm))  # fmt: skip
    ax.axhline(about.null, color=GREY, linewidth=0.8)
    ax.set_xlabel(RHO)
    ax.set_ylabel(f"{effect_label(about)}\n(median, 95% interval)", fontsize="small")
    ax.set_xlim(grid[0], grid[-1])
    legend_above(ax, 2)
    open_frame(ax)
    return ax


@names_nearest
def plot_arms(
    draws: xr.Dataset,
    rho_zero: xr.Dataset | None = None,
    axes: "Sequence[Axes] | None" = None,
    effect: Effect = "acme",
) -> np.ndarray:
    """An effect of the control and of the treated arm against rho, side by side.

    Parameters
    ----------
    draws, rho_zero
        As in :func:`plot_sensitivity`.
    axes : sequence of two matplotlib.axes.Axes, optional
        Two panels of a new figure of 170 mm otherwise.
    effect : {"acme", "ade"}

    Returns
    -------
    numpy.ndarray
        The two axes.
    """
    if axes is None:
        import matplotlib.pyplot as plt

        _, axes = plt.subplots(
            1, 2, figsize=(170.0 / 25.4, 80.0 / 25.4), layout="constrained", dpi=150, sharey=True
        )
    plot_sensitivity(draws, rho_zero, ax=axes[0], effect=effect, arm="control")
    plot_sensitivity(draws, rho_zero, ax=axes[1], effect=effect, arm="treated")
    return np.asarray(axes)
