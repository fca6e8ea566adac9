"""The forest plot of effects."""

import itertools
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from bayesmed.effects.rows import effect_rows
from bayesmed.effects.setting import Setting, setting_of
from bayesmed.families.names import names_nearest
from bayesmed.show.plots.style import (
    BLUE,
    BROKEN,
    GREY,
    draw_interval,
    effect_label,
    new_axes,
    open_frame,
    ticks_of_ratios,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Between groups of rows, in rows.
_GAP = 0.7


@names_nearest
def plot_effects(
    draws: xr.Dataset,
    ax: "Axes | None" = None,
    names: Literal["r", "epi"] = "r",
    color: str = BLUE,
) -> "Axes":
    """Forest plot of the effects: median, 50% and 95% equal-tailed intervals.

    The proportion mediated, which is a ratio, is not drawn.

    Parameters
    ----------
    draws : xarray.Dataset
        Of :class:`bayesmed.Effects`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure of 120 mm otherwise.
    names : {"r", "epi"}
        Row names.
    color : str
        Of the estimates.

    Returns
    -------
    matplotlib.axes.Axes
    """
    about = setting_of(draws)
    keys = [k if isinstance(k, tuple) else (k,) for k in effect_rows(draws, names)]
    rows = dict(zip(keys, effect_rows(draws, names).values(), strict=True))
    rows = {k: v for k, v in rows.items() if not k[-1].startswith("Prop.")}
    seen = list(dict.fromkeys(key[:-1] for key in rows))  # groups in the order of the table
    order = sorted(rows, key=lambda key: (seen.index(key[:-1]), key[-1].startswith("Total")))
    groups = [key[:-1] for key in order]
    places = np.arange(len(order)) + _GAP * np.cumsum(
        [0, *(a != b for a, b in itertools.pairwise(groups))]
    )
    from matplotlib.ticker import MaxNLocator

    ax = new_axes(ax, 16.0 + 8.0 * (places[-1] + 1.0))
    ax.axvline(about.null, color=GREY, linewidth=0.8, linestyle=BROKEN, zorder=0)
    if about.null == 1.0:
        ax.set_xscale("log")
        ticks_of_ratios(ax.xaxis)
    for place, name in zip(places, order, strict=True):
        draw_interval(ax, rows[name], place, color)
    ends = ax.get_xlim()
    if about.null != 1.0 or ends[1] < 10.0 * ends[0]:
        ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_yticks(places, [_row_label(key) for key in order])
    ax.set_ylim(places[-1] + 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    label = f"{effect_label(about)}\nmedian, 50% and 95% interval{_of_whom(about)}"
    ax.set_xlabel(label, fontsize="small")
    open_frame(ax)
    return ax


def _of_whom(about: Setting) -> str:
    """Contrast and group in a line, where the rows do not name them."""
    if "; " in about.contrast:
        return ""
    where = ", ".join(part for part in (about.group, about.at) if part)
    told = [about.contrast_words.replace("->", "→"), where]
    return f"\n{'; '.join(part for part in told if part)}"


def _row_label(key: tuple[Any, ...]) -> str:
    label = ", ".join(map(str, (key[-1], *key[:-1])))
    return label.replace("->", "→")
