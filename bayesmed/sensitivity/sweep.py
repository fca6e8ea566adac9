"""The sweep over rho: by the exact map, by weights, by transport or by refits."""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from bayesmed.data.warn import warn
from bayesmed.effects.estimands import ARMS_AND_AVERAGE, contrasts
from bayesmed.effects.setting import Setting
from bayesmed.effects.view import Asked, View
from bayesmed.families.prior import Prior
from bayesmed.means.along_rho import Regression, regression_draws
from bayesmed.means.tipping import roots_on_grid, tipping_points
from bayesmed.posterior.arrays import prior_basis
from bayesmed.posterior.draw import draw_posterior
from bayesmed.posterior.laplace import Laplace
from bayesmed.posterior.state import Posterior, draws_of
from bayesmed.posterior.transport import Transport, prepare
from bayesmed.posterior.weights import LARGEST_PARETO_K, outcome_log_prior, smooth_and_resample
from bayesmed.sensitivity.grid import (
    EXACT,
    FITTED,
    REFIT,
    TRANSPORT,
    WEIGHTED,
    check_grid,
    identification_note,
)
from bayesmed.sensitivity.shares import with_explained_shares
from bayesmed.system.capabilities import refuse
from bayesmed.system.system import IdentificationWarning


@dataclass(frozen=True)
class RhoPoint:
    """One rho of a sweep: counterfactual means, the effect on the mediator, and how."""

    cells: np.ndarray
    shift: np.ndarray
    how: str
    pareto_k: float = float("nan")


@dataclass
class Run:
    """What a sweep has done so far; it outlives a failure."""

    points: dict[float, RhoPoint] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def each(
        self,
        steps: Iterable[tuple[float, Callable[[], RhoPoint | None]]],
        description: str,
        progress: bool,
    ) -> bool:
        """Take steps until one fails; say whether all were taken.

        A step that returns None leaves its rho to be done otherwise.
        """
        from rich.progress import track

        rho = float("nan")
        try:
            for rho, step in track(list(steps), description=description, disable=not progress):
                point = step()
                if point is not None:
                    self.points[rho] = point
        except (KeyboardInterrupt, Exception) as error:
            if not self.points:
                raise
            warn(
                f"The sweep stopped at rho = {rho:g} ({type(error).__name__}: {error}); the "
                f"{len(self.points)} values before it are kept."
            )
            return False
        return True

    def warn_of_failed(self) -> None:
        """Name the refits that did not converge."""
        if self.failed:
            warn(
                "Refits without convergence, whose values are not to be relied on: "
                + "; ".join(self.failed)
            )


def sweep(
    fit: Posterior,
    rho: Any,
    progress: bool,
    asked: Asked,
    setting: Setting,
) -> tuple[xr.Dataset, xr.Dataset, xr.DataArray]:
    """Effects at each rho, where the ACME is zero, and the means; see :meth:`bayesmed.MediationFit.sensitivity`."""
    grid, about = check_grid(rho), fit.description
    regression = regression_draws(fit)
    if regression is None:
        warn(identification_note(about), IdentificationWarning)
    if regression is not None and about.priors_on == "regression":
        cells = asked.curve(regression, grid)
        how, pareto_k = [EXACT] * len(grid), np.full(len(grid), np.nan)
        for i in np.flatnonzero(grid == about.rho_fixed):
            cells[i], how[i] = asked.cells(fit.draws), FITTED
        shift = asked.shift(fit.draws)[None]
    else:
        asked = asked.thinned(fit.draws, len(grid))
        done = _by_points(fit, asked, regression, grid, progress)
        grid, points = np.array(sorted(done)), [done[value] for value in sorted(done)]
        cells, shift = (
            np.stack(part) for part in zip(*[(p.cells, p.shift) for p in points], strict=True)
        )
        how, pareto_k = [p.how for p in points], np.array([p.pareto_k for p in points])
    kept = asked.kept(fit.shape)
    po = asked.label(cells, kept, grid)
    draws = contrasts(po, asked.scale, asked.unit)
    draws = draws.transpose("rho", *asked.dims, "arm", "chain", "draw")
    draws = draws.assign(pareto_k=("rho", pareto_k), how=("rho", how))
    draws.attrs["bayesmed"] = setting.saying(every=asked.every).to_json()
    draws = with_explained_shares(fit, draws)
    return draws, _rho_zero(fit, regression, asked, draws, cells, shift), po


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
        poor = _carry(base, asked, todo, run, progress)
        if poor:
            run.each(_refits(fit, asked, poor, run), "Refitting where transport fails", progress)
        for rho in set(poor) & set(run.points):
            run.points[rho] = replace(run.points[rho], pareto_k=poor[rho])
    run.warn_of_failed()
    return run.points


def _carry(
    base: Posterior, asked: Asked, todo: list[float], run: Run, progress: bool
) -> dict[float, float]:
    """Points by transport; return k-hat, or NaN, of the values that need a refit."""
    transport = prepare(base, np.array(todo))
    modes = transport.modes(np.array(todo))
    order = sorted(modes, key=lambda rho: abs(rho - transport.rho))
    poor = {rho: float("nan") for rho in todo if rho not in modes}
    steps = [
        (rho, partial(carried_point, transport, asked, rho, modes[rho], poor)) for rho in order
    ]
    whole = run.each(steps, "Carrying the draws along rho", progress)
    return {rho: poor[rho] for rho in sorted(poor)} if whole else {}


def carried_point(
    transport: Transport,
    asked: Asked,
    rho: float,
    target: Laplace,
    poor: dict[float, float],
) -> RhoPoint | None:
    """Counterfactual means of draws carried to rho; None, and k-hat noted, where it is large."""
    fit = transport.fit
    carried = transport.to(rho, target)
    if not carried.pareto_k <= LARGEST_PARETO_K:
        poor[rho] = carried.pareto_k
        return None
    draws = draws_of(transport.posterior(carried), rho, fit.description.parameters)
    used = draws.block(carried.index[asked.kept(fit.shape).ravel()])
    cells = asked.cells(used)
    return RhoPoint(cells, asked.shift(used, cells), TRANSPORT, carried.pareto_k)


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
