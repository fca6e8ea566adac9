"""The sweep over rho: by the exact map, by weights, by transport or by refits."""

import json
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from bayesmed.data.warn import warn
from bayesmed.effects.estimands import ARMS_AND_AVERAGE, Scale, contrasts
from bayesmed.effects.question import Question, ask
from bayesmed.effects.view import Asked, View
from bayesmed.families.prior import Prior
from bayesmed.means.along_rho import Regression, regression_draws
from bayesmed.means.tipping import roots_on_grid, tipping_points
from bayesmed.posterior.arrays import prior_basis
from bayesmed.posterior.draw import draw_posterior
from bayesmed.posterior.state import Posterior
from bayesmed.posterior.weights import LARGEST_PARETO_K, outcome_log_prior, smooth_and_resample
from bayesmed.sensitivity.carry import carry
from bayesmed.sensitivity.grid import (
    EXACT,
    FITTED,
    REFIT,
    WEIGHTED,
    check_grid,
    identification_note,
)
from bayesmed.sensitivity.points import RhoPoint, Run
from bayesmed.sensitivity.shares import with_explained_shares
from bayesmed.system.capabilities import refuse
from bayesmed.system.system import IdentificationWarning


@dataclass(frozen=True)
class Curve:
    """Means along rho, before any scale.

    Attributes
    ----------
    grid : numpy.ndarray
        Shape (rho,).
    cells : numpy.ndarray
        Shape (rho, view, 2, 2 or 3, S).
    shift : numpy.ndarray
        Effects on the mediator, shape (rho or 1, view, S).
    how : list of str
    pareto_k : numpy.ndarray
        Shape (rho,).
    every : int
    error : float or None
    """

    grid: np.ndarray
    cells: np.ndarray
    shift: np.ndarray
    how: list[str]
    pareto_k: np.ndarray
    every: int
    error: float | None

    @property
    def told_nothing(self) -> bool:
        """Whether no refit or weight can have been warned of, which another scale would not repeat."""
        return REFIT not in self.how and not np.any(self.pareto_k > LARGEST_PARETO_K)


def sweep(
    fit: Posterior, rho: Any, progress: bool, question: Question
) -> tuple[xr.Dataset, xr.Dataset, xr.DataArray]:
    """Effects at each rho, where the ACME is zero, and the means; see :meth:`bayesmed.MediationFit.sensitivity`."""
    grid, (asked, setting) = check_grid(rho), ask(fit, question)
    regression = regression_draws(fit)
    if regression is None:
        warn(identification_note(fit.description), IdentificationWarning)
    # Other scales are of the same means; that of a standard deviation is of another contrast.
    scale: Scale = "standardised" if question.scale == "standardised" else "difference"
    key = json.dumps([grid.tolist(), asdict(replace(question, scale=scale))], default=_plain)
    curve = fit.last_curve.get(key)
    if curve is None:
        curve = _curve(fit, asked, regression, grid, progress)
        fit.last_curve.clear()
        if len(curve.grid) == len(grid) and curve.told_nothing:
            fit.last_curve[key] = curve
    asked = replace(asked, every=curve.every)
    po = asked.label(curve.cells, asked.kept(fit.shape), curve.grid)
    draws = contrasts(po, asked.scale, asked.unit)
    draws = draws.transpose("rho", *asked.dims, "arm", "chain", "draw")
    draws = draws.assign(pareto_k=("rho", curve.pareto_k), how=("rho", curve.how))
    draws.attrs["bayesmed"] = setting.saying(every=curve.every, error=curve.error).to_json()
    draws = with_explained_shares(fit, draws)
    return draws, _rho_zero(fit, regression, asked, draws, curve.cells, curve.shift), po


def _plain(value: Any) -> Any:
    """Arrays in full, as part of a key."""
    return np.asarray(value).tolist() if hasattr(value, "__array__") else repr(value)


def _curve(
    fit: Posterior, asked: Asked, regression: Regression | None, grid: np.ndarray, progress: bool
) -> Curve:
    about = fit.description
    if regression is not None and about.priors_on == "regression":
        cells = asked.curve(regression, grid)
        how, pareto_k = [EXACT] * len(grid), np.full(len(grid), np.nan)
        for i in np.flatnonzero(grid == about.rho_fixed):
            cells[i], how[i] = asked.cells(fit.draws), FITTED
        return Curve(grid, cells, asked.shift(fit.draws)[None], how, pareto_k, 1, asked.error)
    asked = asked.thinned(fit.draws, len(grid))
    done = _by_points(fit, asked, regression, grid, progress)
    points = [done[value] for value in sorted(done)]
    return Curve(
        np.array(sorted(done)), np.stack([p.cells for p in points]),
        np.stack([p.shift for p in points]), [p.how for p in points],
        np.array([p.pareto_k for p in points]), asked.every, asked.error,
    )  # fmt: skip


def _by_points(
    fit: Posterior,
    asked: Asked,
    regression: Regression | None,
    grid: np.ndarray,
    progress: bool,
) -> dict[float, RhoPoint]:
    """Where each rho has a posterior of its own."""
    if regression is None or "cutpoints" in regression.draws.outcome.parameters:
        return _by_transport(fit, asked, grid, progress)
    if fit.description.rho_fixed is None:
        return _by_refits(fit, asked, grid, progress)
    return _by_weights(fit, asked, regression, grid)


def _by_refits(
    fit: Posterior, asked: Asked, grid: np.ndarray, progress: bool
) -> dict[float, RhoPoint]:
    """Refit at each rho."""
    refuse("refits", fit)
    run = Run()
    run.each(_refits(fit, asked, grid, run), "Refitting at each rho", progress)
    run.warn_of_failed()
    return run.points


def _refits(
    fit: Posterior, asked: Asked, grid: Iterable[float], run: Run
) -> list[tuple[float, Callable[[], RhoPoint]]]:
    return [(float(rho), partial(refit_point, fit, asked, float(rho), run.failed)) for rho in grid]


def _by_transport(
    fit: Posterior, asked: Asked, grid: np.ndarray, progress: bool
) -> dict[float, RhoPoint]:
    """Carry the draws to each rho, nearest first; refit where the weights are unreliable."""
    refuse("transport", fit)
    run, base = Run(), fit
    if fit.description.rho_fixed is None:  # one fit at the middle of the grid serves the others
        middle = float(grid[len(grid) // 2])
        base = refit(fit, middle, run.failed)
        run.points[middle] = fitted_point(base, asked, REFIT)
    elif fit.description.rho_fixed in grid:
        run.points[fit.description.rho_fixed] = fitted_point(fit, asked)
    todo = [float(rho) for rho in grid if rho not in run.points]
    if todo:
        poor = carry(base, asked, todo, run, progress)
        if poor:
            run.each(_refits(fit, asked, poor, run), "Refitting where transport fails", progress)
        for rho in set(poor) & set(run.points):
            run.points[rho] = replace(run.points[rho], pareto_k=poor[rho])
    run.warn_of_failed()
    return run.points


def fitted_point(fit: Posterior, asked: Asked, how: str = FITTED) -> RhoPoint:
    """Counterfactual means of a fit at its own rho."""
    used = fit.draws.block(asked.kept(fit.shape).ravel())
    cells = asked.cells(used)
    return RhoPoint(cells, asked.shift(used, cells), how)


def refit_point(fit: Posterior, asked: Asked, rho: float, failed: list[str]) -> RhoPoint:
    """Counterfactual means of a refit at a fixed rho."""
    return fitted_point(refit(fit, rho, failed), asked, REFIT)


def refit(fit: Posterior, rho: float, failed: list[str]) -> Posterior:
    """Fit again at a fixed rho; compiles nothing after the first."""
    model = fit.require_model("refits")
    about = fit.description
    chains, draws = fit.shape
    settings = {**about.settings, "chains": chains, "draws": draws}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = {"method": "laplace"} if about.by_laplace else {"sampler": about.sampler}
        again = draw_posterior(model.with_rho(rho), **settings, **own, progress=False)
    if again.description.interrupted:
        raise KeyboardInterrupt
    if again.convergence.problems:
        failed.append(f"rho = {rho:g} ({again.convergence.problems[0]})")
    return again


def _by_weights(
    fit: Posterior, asked: Asked, regression: Regression, grid: np.ndarray
) -> dict[float, RhoPoint]:
    """Structural priors in a closed pair: the map, weighted by prior(mapped) / prior(drawn)."""
    about = fit.description
    priors = {name: Prior(kind, **own) for name, (kind, own) in about.priors["outcome"].items()}
    data = fit.tree["constant_data"].to_dataset()
    log_prior = outcome_log_prior(
        priors, data["outcome_term"].to_numpy().tolist(), prior_basis(data, "outcome")
    )
    drawn = fit.draws
    before = log_prior(drawn.outcome.coef, drawn.outcome.parameters.get("sigma"))
    kept = asked.kept(fit.shape).ravel()
    run = Run()
    bad: list[str] = []
    for value in grid:
        if value == about.rho_fixed:
            run.points[float(value)] = fitted_point(fit, asked)
            continue
        mapped = regression.at(float(value))
        after = log_prior(mapped.outcome.coef, mapped.outcome.parameters.get("sigma"))
        index, k = smooth_and_resample(after - before, fit.shape, about.settings["random_seed"])
        if k > LARGEST_PARETO_K and fit.model is not None:
            again = refit_point(fit, asked, float(value), run.failed)
            run.points[float(value)] = replace(again, pareto_k=k)
            continue
        if k > LARGEST_PARETO_K:
            bad.append(f"{value:g}")
        used = mapped.block(index[kept])
        run.points[float(value)] = RhoPoint(asked.cells(used), asked.shift(used), WEIGHTED, k)
    if bad:
        warn(
            f"Weights are unreliable (Pareto k above {LARGEST_PARETO_K}) at rho = {', '.join(bad)}; "
            "load the fit with its model, so that it can refit there."
        )
    return run.points


def _rho_zero(
    fit: Posterior,
    regression: Regression | None,
    asked: Asked,
    draws: xr.Dataset,
    cells: np.ndarray,
    shift: np.ndarray,
) -> xr.Dataset:
    """Where the difference of the ACME's two means is zero, for every view."""
    grid = draws["rho"].to_numpy()
    found = [
        _roots_of(fit, regression, view, grid, cells[:, i], shift[:, i])
        for i, view in enumerate(asked.views)
    ]
    values, roots, searched = zip(*found, strict=True)
    coords = {
        **asked.dims,
        "arm": list(ARMS_AND_AVERAGE),
        "chain": draws["chain"],
        "draw": draws["draw"],
    }
    dims = (*asked.dims, "arm", "chain", "draw")
    sizes = (len(labels) for labels in asked.dims.values())
    shape = (*sizes, 3, *asked.kept(fit.shape).shape)
    result = xr.Dataset(
        {
            "rho_zero": (dims, np.stack(values).reshape(shape)),
            "roots": (dims, np.stack(roots).reshape(shape)),
        },
        coords,
    )
    result.attrs["bayesmed"] = draws.attrs["bayesmed"]
    result.attrs["searched"] = searched[0]
    return result


def _roots_of(
    fit: Posterior,
    regression: Regression | None,
    view: View,
    grid: np.ndarray,
    cells: np.ndarray,
    shift: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Roots of one view, how many, and where they were searched for."""
    by_arm = [cells[:, t, 1] - cells[:, t, 0] for t in (0, 1)]
    flat = np.stack([*by_arm, 0.5 * (by_arm[0] + by_arm[1])])
    on_grid = [float(grid[0]), float(grid[-1])]
    if regression is None or fit.description.priors_on != "regression":
        return *_roots_by_rank(grid, flat / shift), on_grid
    additive = view.target.family.additive
    smooth = (additive or view.rows.held.outcome.base is not None) and view.in_memory
    if not smooth or view.target.functional.kind == "quantile":
        # Functions of the mediator, quantiles, rows that are not in memory: the draws' own
        # curves, between grid values.
        return *roots_on_grid(grid, flat), on_grid
    return *tipping_points(regression, view.rows.held, view.target), [-1.0, 1.0]


def _roots_by_rank(grid: np.ndarray, ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Roots where the draws at different rho are of different posteriors.

    They are paired by the rank of ACME / (effect on the mediator), whose sign does not hang
    on that effect's; then P(rho* <= r) = P(ratio(r) <= 0) for a monotone curve. Each ranked
    curve goes to the draw of its rank near rho = 0, for the order that diagnostics use.
    """
    values, roots = roots_on_grid(grid, np.sort(ratio, axis=-1))
    rank = ratio[:, np.abs(grid).argmin()].argsort(axis=-1).argsort(axis=-1)
    return np.take_along_axis(values, rank, axis=-1), np.take_along_axis(roots, rank, axis=-1)
