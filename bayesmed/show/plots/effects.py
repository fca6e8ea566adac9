"""Figures from Datasets: every function takes an axes and returns it."""

import itertools
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from bayesmed.effects.rows import effect_rows, select_effect
from bayesmed.effects.setting import Setting, setting_of
from bayesmed.effects.summary import readable_roots
from bayesmed.families.names import names_nearest

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Okabe & Ito's blue and vermilion: told apart by all, also in grey.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#4D4D4D"
RHO = "Residual correlation ρ"
_INNER, _OUTER = 0.5, 0.95
#: Between groups of rows, in rows.
_GAP = 0.7
_WIDTH_MM = 120.0


def new_axes(ax: "Axes | None", height_mm: float) -> "Axes":
    """The axes given, or those of a new figure of 120 mm width."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    _, made = plt.subplots(
        figsize=(_WIDTH_MM / 25.4, height_mm / 25.4), layout="constrained", dpi=150
    )
    return made


def _quantiles(values: xr.DataArray, mass: float) -> tuple[np.ndarray, np.ndarray]:
    import arviz_stats as az

    bounds = az.eti(values, prob=mass).to_numpy()
    return bounds[..., 0], bounds[..., 1]


_SCALES = {"ratio": "Ratio,", "odds_ratio": "Odds ratio,", "standardised": "Effect in sd,"}


def effect_label(about: Setting) -> str:
    outcome, binary = about.outcome, about.traits("outcome").kind == "binary"
    if about.what:
        on = f"on {about.what}"
    else:
        on = f"on P({outcome} = 1)" if binary else f"on the scale of {outcome}"
    return f"{_SCALES.get(about.scale, 'Effect')} {on}"


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
    ax.axvline(about.null, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    if about.null == 1.0:
        ax.set_xscale("log")
        _ticks_of_ratios(ax.xaxis)
    for place, name in zip(places, order, strict=True):
        values = rows[name]
        for mass, width in ((_OUTER, 1.2), (_INNER, 4.0)):
            low, high = _quantiles(values, mass)
            ax.plot([low, high], [place, place], color=color, linewidth=width,
                    solid_capstyle="butt" if width > 2 else "round")  # fmt: skip
        ax.plot(float(values.median()), place, "o", color="white", markeredgecolor=color,
                markersize=5.5, markeredgewidth=1.4, zorder=3)  # fmt: skip
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


def _ticks_of_ratios(axis: Any) -> None:
    from matplotlib.ticker import LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())


def open_frame(ax: "Axes") -> None:
    """Leave out the upper and the right line of the frame."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def legend_above(ax: "Axes", columns: int) -> None:
    """A legend that no line can run through."""
    ax.legend(frameon=False, fontsize="small", ncols=columns, loc="lower center",
              bbox_to_anchor=(0.5, 1.0), columnspacing=1.0, handlelength=1.6)  # fmt: skip


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
    about = setting_of(draws)
    values, grid = select_effect(draws, effect, arm), draws["reliability"].to_numpy()
    ax = new_axes(ax, 80.0)
    for mass, opacity in ((_OUTER, 0.18), (_INNER, 0.38)):
        low, high = _quantiles(values, mass)
        ax.fill_between(grid, low, high, color=color, alpha=opacity, linewidth=0,
                        label=f"{mass:.0%} interval")  # fmt: skip
    middle = values.median(["chain", "draw"], skipna=False)
    ax.plot(grid, middle, color=color, linewidth=1.6, label="median")
    ax.axhline(0.0, color=GREY, linewidth=0.8)
    name = {"acme": "ACME", "ade": "ADE", "total": "Total effect"}[effect]
    shown = name if effect == "total" else f"{name} ({arm})"
    ax.set_xlabel(f"Reliability of {about.mediator}")
    ax.set_ylabel(f"{shown},\n{effect_label(about).removeprefix('Effect ')}")
    ax.set_xlim(grid[0], grid[-1])
    legend_above(ax, 3)
    open_frame(ax)
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
    about = setting_of(draws)
    values, grid = select_effect(draws, effect, arm), draws["rho"].to_numpy()
    ax = new_axes(ax, 80.0)
    for mass, opacity in ((_OUTER, 0.18), (_INNER, 0.38)):
        low, high = _quantiles(values, mass)
        ax.fill_between(grid, low, high, color=color, alpha=opacity, linewidth=0,
                        label=f"{mass:.0%} interval")  # fmt: skip
    ax.plot(grid, values.median(["chain", "draw"]), color=color, linewidth=1.6, label="median")
    ax.axhline(about.null, color=GREY, linewidth=0.8)
    if about.null == 1.0:
        ax.set_yscale("log")
        _ticks_of_ratios(ax.yaxis)
    if about.rho_fixed is not None:
        ax.axvline(about.rho_fixed, color=GREY, linewidth=0.8, linestyle=(0, (1, 2)))
    if effect == "acme" and rho_zero is not None:
        _draw_tipping(ax, readable_roots(rho_zero, arm), about.null)
    name = {"acme": "ACME", "ade": "ADE", "total": "Total effect"}[effect]
    shown = name if effect == "total" else f"{name} ({arm})"
    ax.set_xlabel(RHO)
    ax.set_ylabel(f"{shown},\n{effect_label(about).removeprefix('Effect ')}")
    ax.set_xlim(grid[0], grid[-1])
    legend_above(ax, 2)
    open_frame(ax)
    return ax


def _draw_tipping(ax: "Axes", values: xr.DataArray, null: float) -> None:
    roots = values.to_numpy().ravel()
    roots = roots[np.isfinite(roots)]
    if roots.size < 8:
        return
    for mass, width in ((_OUTER, 1.4), (_INNER, 4.5)):
        low, high = np.quantile(roots, [(1 - mass) / 2, (1 + mass) / 2])
        ax.plot([low, high], [null, null], color=ORANGE, linewidth=width, zorder=4,
                solid_capstyle="butt", clip_on=True)  # fmt: skip
    ax.plot(np.median(roots), null, "o", color="white", markeredgecolor=ORANGE, markersize=5.5,
            markeredgewidth=1.4, zorder=5, label="ρ*: effect is zero" if null == 0.0 else "ρ*: ratio is one")  # fmt: skip
