"""The ACME over the two shares of variance of an omitted confounder.

It depends on them through their product only, so one curve along the product makes the surface.
"""

import numpy as np
import xarray as xr

from bayesmed.effects.rows import select_effect
from bayesmed.effects.setting import setting_of
from bayesmed.numerics.score_pair import odds
from bayesmed.sensitivity.grid import EXACT, FITTED
from bayesmed.sensitivity.shares import rho_of_product


def along_products(draws: xr.Dataset, products: np.ndarray, sign: int, arm: str) -> np.ndarray:
    """Median ACME along products of the two shares.

    The draws' curves are interpolated between the values of rho, linearly in
    rho / sqrt(1 - rho^2). Where the curve is not of one posterior, its draws are paired by
    rank and the shares that the equations explain are taken at their medians.

    Parameters
    ----------
    draws : xarray.Dataset
        Of :class:`bayesmed.RSquared`.
    products : numpy.ndarray
        Shape (P,).
    sign : {1, -1}
        Sign of rho.

    Returns
    -------
    numpy.ndarray
        Shape (P,), on the scale of the outcome; NaN where more than 2.5% of the draws would
        need a rho beyond the grid.
    """
    grid = draws["rho"].to_numpy()
    if sign not in (1, -1):
        raise ValueError(f"sign={sign!r}; it must be 1 or -1.")
    if not grid.min() <= 0.0 <= grid.max() or (sign * grid).max() <= 0.0:
        raise ValueError(
            f"The contour for sign={sign} needs a sweep from rho = 0 or beyond to that side; this "
            f"one has {np.round(grid, 4).tolist()}."
        )
    about = setting_of(draws)
    acme = select_effect(draws, "acme", arm).transpose("rho", "chain", "draw").to_numpy()
    acme = acme.reshape(len(grid), -1)
    left = (1.0 - draws["r2_mediator"]) * (1.0 - draws["r2_outcome0"])
    unexplained, shown = left.to_numpy().ravel(), draws["r2_score"].to_numpy().ravel()
    if not set(draws["how"].to_numpy()) <= {EXACT, FITTED}:
        acme = np.sort(acme, axis=1)
        unexplained, shown = np.median(unexplained)[None], np.median(shown)[None]
    at = about.form, unexplained, shown, about.r_compatible
    rho = rho_of_product(products[:, None], sign, *at)
    values = _between(grid, acme, np.broadcast_to(rho, (len(products), acme.shape[1])))
    beyond = np.isnan(values).mean(axis=1) > 0.025
    values[beyond] = 0.0
    return np.where(beyond, np.nan, np.nanmedian(values, axis=1))


def _between(grid: np.ndarray, curves: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """Curves (rho, S) at rho (P, S), NaN beyond the grid."""
    x, where = odds(grid), odds(np.clip(rho, -0.9999, 0.9999))
    place = np.clip(np.searchsorted(x, where, side="right") - 1, 0, len(x) - 2)
    share = (where - x[place]) / (x[place + 1] - x[place])
    low, high = (np.take_along_axis(curves, place + i, axis=0) for i in (0, 1))
    inside = (rho >= grid[0] - 1e-12) & (rho <= grid[-1] + 1e-12)
    return np.where(inside, low + share * (high - low), np.nan)
