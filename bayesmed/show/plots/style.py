"""What figures have in common: colours, axes, intervals and labels."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bayesmed.effects.setting import Setting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Okabe & Ito's blue and vermilion: told apart by all, also in grey.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#4D4D4D"
RHO = "Residual correlation ρ"
#: Masses of the intervals, and how a line at no effect, and one at the fit's rho, is broken.
INNER, OUTER = 0.5, 0.95
BROKEN, DOTTED = (0, (4, 3)), (0, (1, 2))
_WIDTH_MM = 120.0
_SCALES = {"ratio": "Ratio,", "odds_ratio": "Odds ratio,", "standardised": "Effect in sd,"}
#: A legend above the axes, in two columns that fit 85 mm.
ABOVE: dict[str, Any] = {
    "frameon": False, "fontsize": "x-small", "loc": "lower left", "ncols": 2,
    "bbox_to_anchor": (-0.03, 1.0), "borderaxespad": 0.2, "handlelength": 1.6,
    "columnspacing": 1.0,
}  # fmt: skip


def new_axes(ax: "Axes | None", height_mm: float) -> "Axes":
    """The axes given, or those of a new figure of 120 mm width."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    size = (_WIDTH_MM / 25.4, height_mm / 25.4)
    return plt.subplots(figsize=size, layout="constrained", dpi=150)[1]


def open_frame(ax: "Axes") -> None:
    """Leave out the upper and the right line of the frame."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def legend_above(ax: "Axes", columns: int) -> None:
    """A legend that no line can run through."""
    ax.legend(frameon=False, fontsize="small", ncols=columns, loc="lower center",
              bbox_to_anchor=(0.5, 1.0), columnspacing=1.0, handlelength=1.6)  # fmt: skip


def ticks_of_ratios(axis: Any) -> None:
    """Ticks of a logarithmic axis as plain numbers."""
    from matplotlib.ticker import LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())


def quantiles(values: xr.DataArray, mass: float) -> tuple[np.ndarray, np.ndarray]:
    """Ends of equal-tailed intervals over the draws."""
    import arviz_stats as az

    bounds = az.eti(values, prob=mass).to_numpy()
    return bounds[..., 0], bounds[..., 1]


def pooled(values: np.ndarray) -> xr.DataArray:
    """Draws without their chains."""
    return xr.DataArray(values[None, :], dims=("chain", "draw"))


def draw_interval(
    ax: "Axes", values: xr.DataArray, place: float, color: str, zorder: int = 2,
    widths: tuple[float, float] = (1.2, 4.0), thin_cap: Any = "round", label: str | None = None,
    scale: float = 1.0, **own: Any,
) -> None:  # fmt: skip
    """Median, 50% and 95% interval of some draws as a point and two lines along x."""
    for mass, width, cap in zip((OUTER, INNER), widths, (thin_cap, "butt"), strict=True):
        ax.plot(quantiles(values, mass), [place, place], color=color, linewidth=scale * width,
                solid_capstyle=cap, zorder=zorder, **own)  # fmt: skip
    ax.plot(float(values.median()), place, "o", color="white", markeredgecolor=color, label=label,
            markersize=scale * 5.5, markeredgewidth=scale * 1.4, zorder=zorder + 1, **own)  # fmt: skip


def effect_label(about: Setting) -> str:
    """What an axis of effects shows."""
    outcome, binary = about.outcome, about.traits("outcome").kind == "binary"
    on = f"on P({outcome} = 1)" if binary else f"on the scale of {outcome}"
    return f"{_SCALES.get(about.scale, 'Effect')} {f'on {about.what}' if about.what else on}"
