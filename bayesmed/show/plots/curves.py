"""Several effects along rho in one figure, and the two arms side by side."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr

from bayesmed.effects.rows import select_effect
from bayesmed.effects.setting import setting_of
from bayesmed.families.names import names_nearest
from bayesmed.show.plots.effects import BLUE, GREY, ORANGE, RHO, legend_above, new_axes, open_frame
from bayesmed.show.plots.effects import plot_sensitivity as plot_sensitivity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Effect = Literal["acme", "ade", "total"]
_NAMES = {"acme": "ACME", "ade": "ADE", "total": "Total effect"}
#: Colour, dashes and hatching, so that they are told apart in grey too.
_STYLES = {
    "acme": (BLUE, "solid", None),
    "ade": (ORANGE, (0, (5, 2)), "////"),
    "total": (GREY, (0, (1, 1.5)), None),
}


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
    import arviz_stats as az

    from bayesmed.show.plots.effects import effect_label

    about, grid = setting_of(draws), draws["rho"].to_numpy()
    ax = new_axes(ax, 80.0)
    for effect in effects:
        values = select_effect(draws, effect, arm)
        color, dashes, hatch = _STYLES[effect]
        bounds = az.eti(values, prob=0.95).to_numpy()
        ax.fill_between(grid, bounds[..., 0], bounds[..., 1], facecolor=color, alpha=0.15,
                        linewidth=0, hatch=hatch, edgecolor=color)  # fmt: skip
        label = _NAMES[effect] if effect == "total" else f"{_NAMES[effect]} ({arm})"
        ax.plot(grid, values.median(["chain", "draw"]), color=color, linestyle=dashes,
                linewidth=1.8, label=label)  # fmt: skip
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
        As in :func:`bayesmed.show.plots.effects.plot_sensitivity`.
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
