"""Figures of the Datasets that results hold."""

from bayesmed.show.plots.benchmarks import draw_benchmarks, plot_benchmarks
from bayesmed.show.plots.contour import plot_contour
from bayesmed.show.plots.curves import plot_arms, plot_curves, plot_reliability, plot_sensitivity
from bayesmed.show.plots.effects import plot_effects
from bayesmed.show.plots.paths import plot_paths
from bayesmed.show.plots.rho import plot_probability, plot_rho, plot_rho_zero

__all__ = [
    "draw_benchmarks",
    "plot_arms",
    "plot_benchmarks",
    "plot_contour",
    "plot_curves",
    "plot_effects",
    "plot_paths",
    "plot_probability",
    "plot_reliability",
    "plot_rho",
    "plot_rho_zero",
    "plot_sensitivity",
]
