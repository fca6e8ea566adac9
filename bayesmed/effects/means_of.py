"""Counterfactual means of a question, with labels."""

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from bayesmed.effects.estimands import ARMS
from bayesmed.effects.view import Asked, View
from bayesmed.means.target import MEAN, Target, target_of
from bayesmed.posterior.draws import Draws
from bayesmed.system.rows import RowSource


def potential_outcomes(
    draws: Draws,
    rows: RowSource,
    shape: tuple[int, int],
    bootstrap: int | None = None,
    target: Target | None = None,
    m: float | None = None,
) -> xr.DataArray:
    """Counterfactual means with labels.

    Parameters
    ----------
    draws : Draws
    rows : RowSource
        With the weights of the average, where there are any.
    shape : tuple of int
        Numbers of chains and draws.
    bootstrap : int, optional
        Seed of the Bayesian bootstrap of the rows.
    target : Target, optional
        What of the outcome is averaged (:func:`bayesmed.means.target.target_of`); its mean where
        None.
    m : float, optional
        A value at which the mediator is set as well.

    Returns
    -------
    xarray.DataArray
        E[g(Y(t, M(t')))] with dims (arm, mediator_arm, chain, draw), on the scale of the
        response; with m a third mediator arm, "fixed". Where integrals within integrals would
        take more than some minutes, every k-th draw of each chain; k is the attribute ``every``.
        The attribute ``error`` is the largest error in posterior standard deviations, where few
        nodes were used and it was measured.
    """
    view = View(rows, target or target_of(MEAN, rows.held.outcome.family), m)
    return means_of(Asked((view,), {}, "difference", 1.0), draws, shape, bootstrap)


def means_of(
    asked: Asked, draws: Draws, shape: tuple[int, int], bootstrap: int | None = None
) -> xr.DataArray:
    """Counterfactual means of all views of a question; see :func:`potential_outcomes`."""
    asked = asked.thinned(draws)
    kept = asked.kept(shape)
    used = draws
    if asked.every > 1:
        used = replace(draws, index=np.arange(len(draws))).block(kept.ravel())
    found = asked.label(asked.cells(used, bootstrap), kept).assign_attrs(every=asked.every)
    return found if asked.error is None else found.assign_attrs(error=asked.error)


def error_of(means: xr.DataArray) -> float | None:
    """Largest error of the means, in posterior standard deviations, where it was measured."""
    return float(means.attrs["error"]) if "error" in means.attrs else None


def label_cells(values: np.ndarray, **leading: Any) -> xr.DataArray:
    """Name the axes of counterfactual means, (..., arm, mediator_arm, chain, draw)."""
    coords = {
        **leading,
        "arm": list(ARMS),
        "mediator_arm": list(ARMS),
        "chain": np.arange(values.shape[-2]),
        "draw": np.arange(values.shape[-1]),
    }
    return xr.DataArray(values, dims=tuple(coords), coords=coords, name="po")
