"""Figures about rho: its prior and posterior, the probability of a claim along it, and rho*."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from bayesmed.effects.numbers import percent
from bayesmed.effects.setting import setting_of
from bayesmed.effects.summary import readable_roots
from bayesmed.families.names import names_nearest
from bayesmed.sensitivity.claims import Claim, Direction, Rope, margins
from bayesmed.sensitivity.conclusions import Extent, extent, likelier_sign
from bayesmed.sensitivity.ranked import build_ladder
from bayesmed.show.plots.style import (
    BLUE,
    DOTTED,
    GREY,
    ORANGE,
    RHO,
    draw_interval,
    legend_above,
    new_axes,
    open_frame,
    pooled,
)
from bayesmed.system.about import About

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FEWEST = 8
_BETWEEN = 12


def _density(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """ArviZ's kernel density estimate, corrected at the ends of the draws."""
    import arviz_stats as az

    estimate = az.kde(xr.DataArray(values, dims="draw"), dim="draw")
    return estimate.sel(plot_axis="x").to_numpy(), estimate.sel(plot_axis="y").to_numpy()


@names_nearest
def plot_rho(draws: xr.Dataset, ax: "Axes | None" = None, color: str = BLUE) -> "Axes":
    """Prior and posterior density of rho.

    Parameters
    ----------
    draws : xarray.Dataset
        Of :meth:`bayesmed.MediationFit.rho_draws`: ``rho(chain, draw)`` and
        ``rho_prior(prior_draw)``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure of 120 mm otherwise.
    color : str
        Of the posterior.

    Returns
    -------
    matplotlib.axes.Axes
    """
    about = setting_of(draws)
    ax = new_axes(ax, 70.0)
    x, y = _density(draws["rho"].to_numpy().ravel())
    ax.fill_between(x, y, color=color, alpha=0.25, linewidth=0)
    ax.plot(x, y, color=color, linewidth=1.6, label="posterior")
    x, y = _density(draws["rho_prior"].to_numpy())
    ax.plot(x, y, color=GREY, linewidth=1.4, linestyle=(0, (4, 2)), label="prior")
    ax.set_ylim(0.0, 1.25 * ax.get_ylim()[1])
    ax.set_xlabel(f"{RHO}\n({_told(about)})", fontsize="small")
    ax.set_ylabel("Density")
    ax.legend(frameon=False, fontsize="small", loc="upper right", ncols=2)
    open_frame(ax)
    return ax


def _told(about: About) -> str:
    """What the data say about rho, in a few words."""
    if not about.closed:
        return "by the shape of the model: no evidence"
    if about.priors_on == "regression":
        return "the data say nothing: posterior = prior"
    return "moved by other priors, not by the data"


@names_nearest
def plot_probability(
    draws: xr.Dataset,
    ax: "Axes | None" = None,
    effect: str = "acme",
    arm: str = "average",
    direction: Direction | None = None,
    rope: Rope | None = None,
    where: Mapping[str, Any] | None = None,
    level: float = 0.95,
    color: str = BLUE,
) -> "Axes":
    """Probability of a claim against rho, and the rho around zero for which it holds.

    Parameters
    ----------
    draws : xarray.Dataset
        Of :class:`bayesmed.Sensitivity`.
    ax : matplotlib.axes.Axes, optional
    effect, arm, direction, rope, where
        The claim; see :meth:`bayesmed.Sensitivity.probability`. Without a direction the sign
        that most draws have at the fit's rho.
    level : float
        The probability at which the claim holds.
    color : str

    Returns
    -------
    matplotlib.axes.Axes
    """
    claim = Claim(effect, arm, direction or "positive", rope, where)
    if direction is None and rope is None:
        claim = likelier_sign(draws, claim)
    about, ladder = setting_of(draws), build_ladder(margins(draws, claim))
    grid = ladder.rho
    ax = new_axes(ax, 75.0)
    places = np.interp(
        np.arange((len(grid) - 1) * _BETWEEN + 1) / _BETWEEN, np.arange(len(grid)), grid
    )
    ax.plot(
        places, [float((ladder.at(rho) > 0.0).mean()) for rho in places],
        color=color, linewidth=1.6, label=claim.text(draws).replace("-", "−"),
    )  # fmt: skip
    ax.axhline(
        level, color=GREY, linewidth=0.9, linestyle=(0, (4, 2)), label=f"probability {level:g}"
    )
    if grid[0] <= 0.0 <= grid[-1]:
        _shade(ax, extent(draws, claim, level))
    if about.rho_fixed is not None:
        ax.axvline(about.rho_fixed, color=GREY, linewidth=0.8, linestyle=DOTTED)
    ax.set_xlim(grid[0], grid[-1])
    ax.set_ylim(-0.02, 1.04)
    ax.set_xlabel(RHO)
    ax.set_ylabel("Probability")
    legend_above(ax, 1)
    open_frame(ax)
    return ax


def _shade(ax: "Axes", found: Extent) -> None:
    if found.at_zero < found.level:
        ax.plot([], [], " ", label="does not hold at ρ = 0")
        return
    low, high = found.interval
    label = f"holds for ρ from {_signed(low)} to {_signed(high)}"
    ax.axvspan(low, high, color=GREY, alpha=0.16, linewidth=0, label=label, zorder=0)


def _signed(rho: float) -> str:
    """To two digits, towards zero, so that what is said is true."""
    return f"{np.trunc(rho * 100 + np.copysign(1e-9, rho)) / 100 + 0.0:.2f}".replace("-", "−")


@names_nearest
def plot_rho_zero(
    rho_zero: xr.Dataset,
    ax: "Axes | None" = None,
    arm: Literal["control", "treated", "average"] = "average",
    color: str = ORANGE,
) -> "Axes":
    """Density of rho*, the rho at which the ACME is zero.

    The area is the share of draws that have a root. On the zero line stand the median, 50% and 95%
    interval, unless more than 2.5% of the draws have their root beyond the grid.

    Parameters
    ----------
    rho_zero : xarray.Dataset
        Of :meth:`bayesmed.Sensitivity.tipping_point`.
    ax : matplotlib.axes.Axes, optional
    arm : str
    color : str

    Returns
    -------
    matplotlib.axes.Axes
    """
    values = rho_zero["rho_zero"].sel(arm=arm).to_numpy().ravel()
    found = values[np.isfinite(values)]
    low, high = (float(end) for end in rho_zero.attrs["searched"])
    ax = new_axes(ax, 70.0)
    top = 1.0
    if found.size >= _FEWEST:
        x, y = _density(found)
        y = y * found.size / values.size
        ax.fill_between(x, y, color=color, alpha=0.3, linewidth=0)
        ax.plot(x, y, color=color, linewidth=1.4)
        top = float(y.max())
    if np.isfinite(readable_roots(rho_zero, arm)).any() and found.size >= _FEWEST:
        draw_interval(ax, pooled(found), 0.0, color, 4, (1.4, 4.5), "butt")
    ax.axvline(0.0, ymax=0.85, color=GREY, linewidth=0.8, linestyle=DOTTED, zorder=0)
    ax.set_xlim(low, high)
    ax.set_ylim(-0.05 * top, 1.3 * top)
    ax.set_xlabel(f"ρ*, where the ACME ({arm}) is zero")
    ax.set_ylabel("Density")
    ax.text(
        0.01, 0.99, _missing(rho_zero, arm, low, high), transform=ax.transAxes, va="top",
        fontsize="small",
    )  # fmt: skip
    open_frame(ax)
    return ax


def _missing(rho_zero: xr.Dataset, arm: str, low: float, high: float) -> str:
    """How many draws have no root, or several, in words."""
    roots = rho_zero["roots"].sel(arm=arm).to_numpy()
    none, several = float((roots == 0).mean()), float((roots > 1).mean())
    ends = f"between {low:g} and {high:g}".replace("-", "−")
    lines = [f"no root {ends}: {percent(none)} of draws"] if none > 0.0 else []
    if several > 0.0:
        lines.append(f"several, nearest to 0 shown: {percent(several)}")
    return "\n".join(lines)
