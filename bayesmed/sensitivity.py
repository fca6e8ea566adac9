"""Effects as a function of the residual correlation, and where the ACME vanishes."""

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayesmed.curve import Regression, curve_cells
from bayesmed.design import Counterfactuals
from bayesmed.effects import (
    ARMS_AND_AVERAGE,
    Effects,
    contrasts,
    effects_about,
    families_of,
    headline,
    label_cells,
)
from bayesmed.model import IdentificationWarning
from bayesmed.potential import cell_means, mediator_effect
from bayesmed.priors import Prior
from bayesmed.reweight import LARGEST_PARETO_K, outcome_log_prior, smooth_and_resample
from bayesmed.summary import readable_roots, rounded, summarise
from bayesmed.tipping import roots_on_grid, tipping_points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bayesmed.fitting import MediationFit

DEFAULT_GRID = np.round(np.linspace(-0.9, 0.9, 37), 10)
EXACT, WEIGHTED, REFIT, FITTED = "exact map", "reweighted map", "refit", "fitted"


@dataclass(frozen=True)
class Sensitivity:
    """The posterior of every effect along rho.

    Attributes
    ----------
    draws : xarray.Dataset
        As :attr:`bayesmed.Effects.draws` with a leading dimension ``rho``; also
        ``pareto_k(rho)``, NaN where no weights were used, and ``how(rho)``: "exact map",
        "reweighted map", "refit" or "fitted".
    rho_zero : xarray.Dataset
        ``rho_zero(arm, chain, draw)``, the rho at which the ACME is zero, NaN where it has
        no root, the nearest to zero where it has several; ``roots`` counts them. The
        attribute ``searched`` says where: in (-1, 1) where one posterior serves the whole
        curve (closed pairs with priors on the regression, without functions of the
        mediator), on the grid elsewhere. Draws of different posteriors are paired by rank,
        so that P(rho* <= r) = P(ACME(r) / a <= 0), a the effect on the mediator, for a
        monotone curve.
    """

    draws: xr.Dataset
    rho_zero: xr.Dataset

    @property
    def about(self) -> dict[str, Any]:
        """What a table says."""
        return dict(json.loads(self.draws.attrs["bayesmed"]))

    def at(self, rho: float) -> Effects:
        """Effects at one value of the grid.

        Raises
        ------
        ValueError
            If the value is not on the grid.
        """
        grid = self.draws["rho"].to_numpy()
        found = np.flatnonzero(np.isclose(grid, rho, atol=1e-9))
        if not found.size:
            raise ValueError(f"rho={rho!r} is not on the grid {np.round(grid, 4).tolist()}.")
        names = ["acme", "ade", "total", "prop_mediated"]
        chosen = self.draws[names].isel(rho=int(found[0]), drop=True)
        about = {**self.about, "rho": f"set to {grid[found[0]]:g}"}
        if str(self.draws["how"].to_numpy()[found[0]]) not in (EXACT, FITTED):
            about["fit"] += f" at rho {grid[found[0]]:g}"  # these draws pair with no others
        chosen.attrs["bayesmed"] = json.dumps(about)
        return Effects(chosen)

    def summary(
        self,
        ci_prob: float = 0.95,
        ci_kind: Literal["eti", "hdi"] = "eti",
        effect: Literal["acme", "ade", "total"] = "acme",
        arm: Literal["control", "treated", "average"] = "average",
        round_to: Literal["auto"] | None = "auto",
    ) -> pd.DataFrame:
        """Table of one effect along rho.

        Parameters
        ----------
        ci_prob, ci_kind, round_to
            As :meth:`bayesmed.Effects.summary`.
        effect, arm : str
            Which effect; the total has no arm.

        Returns
        -------
        pandas.DataFrame
            Indexed by rho; with ``how`` each value was obtained.

        Raises
        ------
        ValueError
            If there is no such effect or arm.
        """
        values = select_effect(self.draws, effect, arm)
        rows = {
            f"{rho:.10g}": values.sel(rho=rho, drop=True) for rho in self.draws["rho"].to_numpy()
        }
        table = summarise(rows, ci_prob, ci_kind)
        table = rounded(table) if round_to == "auto" else table
        table.index = pd.Index(self.draws["rho"].to_numpy(), name="rho")
        table["how"] = self.draws["how"].to_numpy()
        if np.isfinite(self.draws["pareto_k"]).any():
            table["pareto_k"] = self.draws["pareto_k"].to_numpy()
        return table

    def tipping_point(self) -> xr.Dataset:
        """The posterior of rho*, where the ACME is zero: ``rho_zero(arm, chain, draw)``."""
        return self.rho_zero

    def tipping_summary(
        self,
        ci_prob: float = 0.95,
        ci_kind: Literal["eti", "hdi"] = "eti",
        round_to: Literal["auto"] | None = "auto",
    ) -> pd.DataFrame:
        """Table of rho* per arm, of the draws that have a root.

        Returns
        -------
        pandas.DataFrame
            With ``no_root``, the share of draws whose ACME has no zero (in (-1, 1), or on
            the grid; see :attr:`rho_zero`), and ``several``, the share with more than one.
            Where more than 2.5% of the draws have their root beyond the grid, the median and
            interval are left out: they would be those of the grid; widen ``rho=``.
        """
        rows, shares = {}, []
        for arm in ARMS_AND_AVERAGE:
            values = readable_roots(self.rho_zero, arm)
            roots = self.rho_zero["roots"].sel(arm=arm).to_numpy()
            shares.append((float((roots == 0).mean()), float((roots > 1).mean())))
            rows[f"rho* of ACME ({arm})"] = values
        table = _summarise_with_gaps(rows, ci_prob, ci_kind)
        table = rounded(table) if round_to == "auto" else table
        table["no_root"], table["several"] = zip(*shares, strict=True)
        return table

    def plot(self, ax: "Axes | None" = None, **options: Any) -> "Axes":
        """Median and bands against rho; see :func:`bayesmed.plots.plot_sensitivity`."""
        from bayesmed.plots import plot_sensitivity

        return plot_sensitivity(self.draws, self.rho_zero, ax=ax, **options)

    def __repr__(self) -> str:
        note = identification_note(self.about)
        return (
            f"{headline({**self.about, 'rho': 'as given by the rows'})}\n{note}\n"
            f"{self.summary().to_string()}\n{self.tipping_summary().to_string()}"
        )


def _summarise_with_gaps(
    rows: Mapping[str, xr.DataArray], ci_prob: float, ci_kind: Literal["eti", "hdi"]
) -> pd.DataFrame:
    """Summaries of the draws that exist; diagnostics only where all do."""
    tables = []
    for name, values in rows.items():
        flat = values.to_numpy()
        if np.isfinite(flat).all():
            tables.append(summarise({name: values}, ci_prob, ci_kind))
            continue
        kept = flat[np.isfinite(flat)]
        if kept.size < 8:
            blank = summarise({name: xr.zeros_like(values)}, ci_prob, ci_kind)
            blank.loc[:, :] = np.nan
            tables.append(blank)
            continue
        pooled = xr.DataArray(kept[None, :], dims=("chain", "draw"))
        table = summarise({name: pooled}, ci_prob, ci_kind)
        table.loc[:, "r_hat"] = np.nan
        tables.append(table)
    return pd.concat(tables)


def select_effect(draws: xr.Dataset, effect: str, arm: str) -> xr.DataArray:
    """One effect of a Dataset.

    Raises
    ------
    ValueError
        If there is no such effect or arm.
    """
    if effect not in ("acme", "ade", "total", "prop_mediated"):
        raise ValueError(f"effect={effect!r}; choose 'acme', 'ade', 'total' or 'prop_mediated'.")
    if effect == "total":
        return draws["total"]
    if arm not in ARMS_AND_AVERAGE:
        raise ValueError(f"arm={arm!r}; choose one of {list(ARMS_AND_AVERAGE)}.")
    return draws[effect].sel(arm=arm, drop=True)


def identification_note(about: Mapping[str, Any]) -> str:
    """What the data say about rho, in one sentence."""
    if about["closed"]:
        told = "The data say nothing about rho here: every value fits them equally well"
        if about["priors_on"] == "regression":
            return told + ", and the total effect does not depend on it."
        return (
            told + ". The priors were stated for the structural coefficients: they, not the data, "
            "let effects and their total shift with rho beyond the exact map, and pull on a rho that "
            "has a prior."
        )
    return (
        f"rho is identified by {about['identified_by']}. A fit that prefers some rho is no evidence "
        "about confounding."
    )


def check_grid(rho: Any) -> np.ndarray:
    """Sorted distinct values of rho.

    Raises
    ------
    ValueError
        If there are none, or one is not a number in (-1, 1).
    """
    if rho is None:
        return DEFAULT_GRID
    try:
        grid = np.unique(np.round(np.atleast_1d(np.asarray(rho, dtype=float)), 12)) + 0.0
    except (TypeError, ValueError):
        raise ValueError(f"rho must be numbers in (-1, 1); {rho!r} was given.") from None
    if not grid.size or not np.all(np.isfinite(grid)) or np.abs(grid).max() >= 1.0:
        raise ValueError(f"Every rho must lie strictly between -1 and 1; {rho!r} was given.")
    return grid


def sweep(fit: "MediationFit", rho: Any, progress: bool) -> Sensitivity:
    """Effects at each rho; see :meth:`bayesmed.MediationFit.sensitivity`."""
    grid, about = check_grid(rho), fit.about
    rows, families = fit.counterfactuals(), families_of(about)
    regression = regression_draws(fit)
    if regression is None:
        warnings.warn(identification_note(about), IdentificationWarning, stacklevel=3)
    if regression is not None and about["priors_on"] == "regression":
        cells = curve_cells(regression, families, rows, grid)
        how, pareto_k = [EXACT] * len(grid), np.full(len(grid), np.nan)
        for i in np.flatnonzero(grid == about["rho_fixed"]):
            cells[i], how[i] = fitted_point(fit).cells, FITTED
        shift = mediator_effect(fit.draws, families, rows)[None]
    else:
        if regression is None or about["rho_fixed"] is None:
            points = _by_refits(fit, grid, progress)
        else:
            points = _by_weights(fit, regression, grid, progress)
        grid = grid[: len(points)]
        cells, shift = (
            np.stack(part) for part in zip(*[(p.cells, p.shift) for p in points], strict=True)
        )
        how, pareto_k = [p.how for p in points], np.array([p.pareto_k for p in points])
    shaped = cells.reshape(len(grid), 2, 2, *fit.shape)
    draws = contrasts(label_cells(shaped, rho=grid)).transpose("rho", "arm", "chain", "draw")
    draws = draws.assign(pareto_k=("rho", pareto_k), how=("rho", how))
    draws.attrs["bayesmed"] = json.dumps(effects_about(about, None, "sample"))
    return Sensitivity(draws, _rho_zero(fit, regression, rows, draws, shift))


def regression_draws(fit: "MediationFit") -> Regression | None:
    """Draws at rho = 0 of a closed pair; None for other pairs."""
    closed, draws = fit.closed_map, fit.draws
    if closed is None:
        return None
    coef0, scale0 = closed.regression(
        draws.outcome_coef,
        draws.outcome_parameters.get("sigma"),
        draws.mediator_coef,
        draws.mediator_parameters["sigma"],
        draws.rho,
    )
    if "outcome_coef_rho0" in fit.posterior:  # the very draws, without rounding by the map
        values = fit.posterior["outcome_coef_rho0"].transpose("chain", "draw", ...).to_numpy()
        coef0 = values.reshape(len(draws), -1)
    return Regression(draws, coef0, scale0, closed)


def _rho_zero(
    fit: "MediationFit",
    regression: Regression | None,
    rows: Counterfactuals,
    draws: xr.Dataset,
    shift: np.ndarray,
) -> xr.Dataset:
    grid = draws["rho"].to_numpy()
    acme = draws["acme"].transpose("arm", "rho", "chain", "draw").to_numpy()
    flat = acme.reshape(*acme.shape[:2], -1)
    searched = [float(grid[0]), float(grid[-1])]
    families = families_of(fit.about)
    smooth = families[1].kind == "continuous" or rows.base is not None
    if regression is not None and fit.about["priors_on"] == "regression":
        if smooth:
            values, roots = tipping_points(regression, families, rows)
            searched = [-1.0, 1.0]
        else:  # functions of the mediator: the draws' own curves, between grid values
            values, roots = roots_on_grid(grid, flat)
    else:
        values, roots = _roots_by_rank(grid, flat / shift)
    dims = ("arm", "chain", "draw")
    coords = {
        "arm": list(ARMS_AND_AVERAGE),
        "chain": draws["chain"],
        "draw": draws["draw"],
    }
    shape = (3, *fit.shape)
    result = xr.Dataset(
        {"rho_zero": (dims, values.reshape(shape)), "roots": (dims, roots.reshape(shape))}, coords
    )
    result.attrs["bayesmed"] = draws.attrs["bayesmed"]
    result.attrs["searched"] = searched
    return result


def _roots_by_rank(grid: np.ndarray, ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Roots where the draws at different rho are of different posteriors.

    They are paired by the rank of ACME / (effect on the mediator), whose sign does not hang
    on that effect's; then P(rho* <= r) = P(ratio(r) <= 0) for a monotone curve. Each ranked
    curve goes to the draw of its rank near rho = 0, for the order that diagnostics use.
    """
    values, roots = roots_on_grid(grid, np.sort(ratio, axis=-1))
    rank = ratio[:, np.abs(grid).argmin()].argsort(axis=-1).argsort(axis=-1)
    return np.take_along_axis(values, rank, axis=-1), np.take_along_axis(roots, rank, axis=-1)


@dataclass(frozen=True)
class RhoPoint:
    """One rho of a sweep: counterfactual means, the effect on the mediator, and how."""

    cells: np.ndarray
    shift: np.ndarray
    how: str
    pareto_k: float = float("nan")


def _by_refits(fit: "MediationFit", grid: np.ndarray, progress: bool) -> list[RhoPoint]:
    """Refit at each rho; what was done before a failure is kept."""
    from rich.progress import track

    fit.require_model("refitting at each rho")
    points: list[RhoPoint] = []
    failed: list[str] = []
    try:
        for value in track(grid, description="Refitting at each rho", disable=not progress):
            at_hand = value == fit.about["rho_fixed"]
            points.append(fitted_point(fit) if at_hand else refit_point(fit, float(value), failed))
    except (KeyboardInterrupt, Exception) as error:
        if not points:
            raise
        warnings.warn(
            f"The sweep stopped at rho = {grid[len(points)]:g} "
            f"({type(error).__name__}: {error}); the {len(points)} values before it are kept.",
            UserWarning,
            stacklevel=4,
        )
    if failed:
        warnings.warn(
            "Refits without convergence, whose values are not to be relied on: "
            + "; ".join(failed),
            UserWarning,
            stacklevel=4,
        )
    return points


def fitted_point(fit: "MediationFit", how: str = FITTED) -> RhoPoint:
    """Counterfactual means of a fit at its own rho."""
    families, rows = families_of(fit.about), fit.counterfactuals()
    cells = cell_means(fit.draws, families, rows)
    return RhoPoint(cells, mediator_effect(fit.draws, families, rows), how)


def refit_point(fit: "MediationFit", rho: float, failed: list[str]) -> RhoPoint:
    """A refit at a fixed rho; compiles nothing after the first."""
    model = fit.require_model("a refit")
    about = fit.about
    chains, draws = fit.shape
    settings = {**about["settings"], "chains": chains, "draws": draws}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = model.with_rho(rho).fit(**settings, sampler=about["sampler"], progress=False)
    if again.about["interrupted"]:
        raise KeyboardInterrupt
    if again.convergence.problems:
        failed.append(f"rho = {rho:g} ({again.convergence.problems[0]})")
    return fitted_point(again, REFIT)


def _by_weights(
    fit: "MediationFit", regression: Regression, grid: np.ndarray, progress: bool
) -> list[RhoPoint]:
    """Structural priors in a closed pair: the map, weighted by prior(mapped) / prior(drawn)."""
    about, families, rows = fit.about, families_of(fit.about), fit.counterfactuals()
    priors = {name: Prior(kind, **own) for name, (kind, own) in about["priors"]["outcome"].items()}
    design = fit.tree["constant_data"]["outcome_design"]
    log_prior = outcome_log_prior(
        priors, list(design["outcome_term"].to_numpy()), design.to_numpy().mean(axis=0)
    )
    drawn = fit.draws
    before = log_prior(drawn.outcome_coef, drawn.outcome_parameters.get("sigma"))
    shift = mediator_effect(drawn, families, rows)
    points: list[RhoPoint] = []
    failed: list[str] = []
    bad: list[str] = []
    for value in grid:
        if value == about["rho_fixed"]:
            points.append(fitted_point(fit))
            continue
        mapped = regression.at(float(value))
        after = log_prior(mapped.outcome_coef, mapped.outcome_parameters.get("sigma"))
        index, k = smooth_and_resample(after - before, fit.shape, about["settings"]["random_seed"])
        if k > LARGEST_PARETO_K and fit.model is not None:
            points.append(replace(refit_point(fit, float(value), failed), pareto_k=k))
            continue
        if k > LARGEST_PARETO_K:
            bad.append(f"{value:g}")
        cells = cell_means(mapped, families, rows)[..., index]
        points.append(RhoPoint(cells, shift[index], WEIGHTED, k))
    if bad:
        warnings.warn(
            f"Weights are unreliable (Pareto k above {LARGEST_PARETO_K}) at rho = {', '.join(bad)}; "
            "load the fit with its model, so that it can refit there.",
            UserWarning,
            stacklevel=4,
        )
    return points
