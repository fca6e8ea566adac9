"""The ACME over the two shares of variance of an omitted confounder, drawn from Datasets."""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from bayesmed.effects.setting import Setting, setting_of
from bayesmed.effects.summary import readable_roots
from bayesmed.families.names import names_nearest
from bayesmed.sensitivity.contour import along_products
from bayesmed.sensitivity.shares import product_of_rho
from bayesmed.show.plots.style import ABOVE, BLUE, GREY, ORANGE, new_axes, open_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MESH, _CURVE = 201, 400
_TAIL = 0.025
_BAND = 0.22


@names_nearest
def plot_contour(
    draws: xr.Dataset,
    zero: xr.Dataset,
    ax: "Axes | None" = None,
    sign: Literal[1, -1] | None = None,
    arm: Literal["control", "treated", "average"] = "average",
    benchmarks: xr.Dataset | None = None,
    most: int = 5,
    limit: float | None = None,
    color: str = BLUE,
) -> "Axes":
    """Lines of equal ACME over the shares of variance of an omitted confounder.

    Parameters
    ----------
    draws : xarray.Dataset
        Of :class:`bayesmed.RSquared`.
    zero : xarray.Dataset
        Its tipping points.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure of 120 mm otherwise.
    sign : {1, -1}, optional
        Sign of the product of the confounder's two effects, which is that of rho; by default
        the one on which the ACME reaches zero.
    arm : str
        Of the ACME.
    benchmarks : xarray.Dataset, optional
        Of :class:`bayesmed.Benchmarks`: each covariate's confounder, at the medians
        of its shares; hollow where its rho has the other sign. Several columns, as of a factor,
        count as their combination that moves the mediator.
    most : int
        How many of them are named, those of the largest rho; the others are dots.
    limit : float, optional
        End of both axes, at most 1.
    color : str
        Of the lines.

    Returns
    -------
    matplotlib.axes.Axes
        The lines are medians of the ACME. The thick line is the median of where it is zero, in
        a band with that of 95% of the draws. Hatched: beyond the grid of rho. Grey: no such
        confounder exists.

    Raises
    ------
    ValueError
        If the sweep does not reach from rho = 0 to that side, there is no such arm, or the
        benchmarks are of another fit.
    """
    about = setting_of(draws)
    null = about.null
    chosen = _sign(zero, arm) if sign is None else sign
    points = {} if benchmarks is None else _points(draws, benchmarks)
    root = _zero_line(zero, arm, chosen)
    end = min(1.0, limit or _limit(root, points))
    axis = np.linspace(0.0, end, _MESH)
    curve = np.linspace(0.0, end, _CURVE) ** 2
    middle = along_products(draws, curve, chosen, arm)
    none, product = _no_confounder(draws, axis), np.outer(axis, axis)
    value = np.where(none, np.nan, np.interp(product, curve, middle))
    ax = new_axes(ax, 112.0)
    _draw_zero(ax, axis, np.where(none, np.nan, product), root)
    _draw_lines(ax, axis, value, color, null)
    _shade(ax, axis, none, np.isnan(value) & ~none)
    _draw_points(ax, points, chosen, end, most)
    ax.set(xlim=(0.0, end), ylim=(0.0, end), xlabel=_label(about, "mediator"),
           ylabel=_label(about, "outcome"))  # fmt: skip
    _legend(ax, chosen, arm, color, points, null)
    open_frame(ax)
    return ax


def _sign(zero: xr.Dataset, arm: str) -> int:
    roots = zero["rho_zero"].sel(arm=arm).to_numpy()
    roots = roots[np.isfinite(roots)]
    return -1 if roots.size and np.median(roots) < 0.0 else 1


def _zero_line(zero: xr.Dataset, arm: str, sign: int) -> np.ndarray:
    """Products at which the ACME is zero: 2.5%, 50% and 97.5% of the draws.

    Infinite where that many draws have no zero on this side; NaN where the grid cut off too
    many to say.
    """
    roots = readable_roots(zero, arm).transpose("chain", "draw").to_numpy()
    if np.isnan(roots).all():
        return np.full(3, np.nan)
    product = zero["product_zero"].sel(arm=arm).transpose("chain", "draw").to_numpy()
    product = np.where(np.isfinite(roots) & (sign * roots >= 0.0), product, np.inf)
    return np.quantile(product, [_TAIL, 0.5, 1.0 - _TAIL], method="inverted_cdf")


def _limit(root: np.ndarray, points: dict[str, tuple[float, ...]]) -> float:
    """An end of the axes that shows the line of zero and the benchmarks."""
    found = [1.25 * max(point[:2]) for point in points.values()]
    found += [1.8 * float(np.sqrt(root[1]))] if np.isfinite(root[1]) else []
    return float(np.ceil(20.0 * max([*found, 0.2])) / 20.0)


def _points(draws: xr.Dataset, benchmarks: xr.Dataset) -> dict[str, tuple[float, ...]]:
    """Medians of the two shares of each covariate's confounder, and of its rho."""
    about = setting_of(draws)
    if about.fit != setting_of(benchmarks).fit:
        raise ValueError("The benchmarks and the sensitivity analysis must be of one fit.")
    unexplained = (1.0 - draws["r2_mediator"]) * (1.0 - draws["r2_outcome0"])
    found = {}
    for name in benchmarks["covariate"].to_numpy():
        own = benchmarks.sel(covariate=name)
        rho, x = own["rho"].to_numpy(), own["r2_mediator"].to_numpy()
        if np.isnan(rho).mean() > 0.5:
            continue
        if about.form == "total":
            x = x * (1.0 - draws["r2_mediator"].to_numpy())
        at = about.form, unexplained.to_numpy(), draws["r2_score"].to_numpy()
        # The product, not the two shares, is what rho gives: of several columns theirs is larger.
        y = product_of_rho(rho, *at, about.r_compatible) / x
        found[str(name)] = tuple(float(np.nanmedian(part)) for part in (x, y, rho))
    return found


def _no_confounder(draws: xr.Dataset, axis: np.ndarray) -> np.ndarray:
    """Where a share of a residual variance would pass 1, at the medians; (outcome, mediator)."""
    about = setting_of(draws)
    if about.form == "residual":
        return np.zeros((len(axis), len(axis)), dtype=bool)
    left_m, left_y = (1.0 - float(draws[n].median()) for n in ("r2_mediator", "r2_outcome0"))
    shown = 0.0 if about.r_compatible else float(draws["r2_score"].median())
    x, y = axis[None, :] / left_m, axis[:, None] / left_y
    return (x > 1.0) | (y * (1.0 - shown * x) > 1.0)


def _draw_zero(ax: "Axes", axis: np.ndarray, product: np.ndarray, root: np.ndarray) -> None:
    low, middle, high = root
    top = np.nanmax(product)
    if low < top:
        levels = [low, min(high, 1.01 * top)]
        ax.contourf(axis, axis, product, levels=levels, colors=[ORANGE], alpha=_BAND)
    if middle < top:
        ax.contour(axis, axis, product, levels=[middle], colors=[ORANGE], linewidths=2.2)


def _draw_lines(ax: "Axes", axis: np.ndarray, value: np.ndarray, color: str, null: float) -> None:
    from matplotlib.ticker import MaxNLocator

    # Lines nearer to the axes than this cannot be told from them.
    apart = value[np.sqrt(np.outer(axis, axis)) > 0.12 * axis[-1]]
    low, high = np.nanmin(apart), np.nanmax(apart)
    ticks = MaxNLocator(7).tick_values(low, high)
    levels = [v for v in ticks if low < v < high and abs(v - null) > 1e-9 * (high - low)]
    if levels:
        lines = ax.contour(axis, axis, value, levels=levels, colors=[color], linewidths=0.9)
        ax.clabel(lines, fontsize="x-small", fmt="%g", inline_spacing=3)


def _shade(ax: "Axes", axis: np.ndarray, none: np.ndarray, beyond: np.ndarray) -> None:
    if none.any():
        ax.contourf(axis, axis, none.astype(float), levels=[0.5, 1.5], colors=["0.85"])
    if beyond.any():
        ax.contourf(axis, axis, beyond.astype(float), levels=[0.5, 1.5], colors=["none"],
                    hatches=["///"])  # fmt: skip


def _draw_points(
    ax: "Axes", points: dict[str, tuple[float, ...]], sign: int, end: float, most: int
) -> None:
    """Points, their names in a column beside them, so that no two names meet."""
    if not points:
        return
    named = sorted(points, key=lambda name: -abs(points[name][2]))[:most]
    column = max(points[name][0] for name in named) + 0.05 * end
    height = 0.0
    for name in sorted(points, key=lambda name: points[name][1] - points[name][0]):
        x, y, rho = points[name]
        ax.plot(x, y, "D" if name in named else "o", color="black" if rho * sign > 0.0 else "white",
                markeredgecolor="black", markersize=4.5 if name in named else 3.0, zorder=6,
                clip_on=False)  # fmt: skip
        if name not in named:
            continue
        height = max(height + 0.055 * end, y + 0.02 * end)
        ax.annotate(name, (x, y), (column, height), fontsize="x-small", va="center", zorder=5,
                    arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.5},
                    bbox={"facecolor": "white", "alpha": 0.75, "pad": 0.4, "linewidth": 0},
                    )  # fmt: skip


def _label(about: Setting, equation: str) -> str:
    of = "residual variance" if about.form == "residual" else "variance"
    return f"Share of the {of}\nof {about.roles[equation]}"


def _legend(
    ax: "Axes",
    sign: int,
    arm: str,
    color: str,
    points: dict[str, tuple[float, ...]],
    null: float,
) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    side, other = ("> 0", "< 0") if sign > 0 else ("< 0", "> 0")
    handles: list[Any] = [
        Line2D([], [], color=color, linewidth=0.9, label=f"ACME ({arm}), ρ {side}"),
        Line2D([], [], color=ORANGE, linewidth=2.2, label=f"ACME = {null:g}"),
        Patch(color=ORANGE, alpha=_BAND, linewidth=0, label="its 95% interval"),
    ]
    style: dict[str, Any] = {"marker": "D", "markersize": 4.5, "markeredgecolor": "black"}
    if any(point[2] * sign > 0.0 for point in points.values()):
        handles.append(
            Line2D([], [], linestyle="", color="black", label="as strong as...", **style)
        )
    if any(point[2] * sign <= 0.0 for point in points.values()):
        label = f"the same, ρ {other}"
        handles.append(Line2D([], [], linestyle="", color="white", label=label, **style))
    ax.legend(handles=handles, **ABOVE)
