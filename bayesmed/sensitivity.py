"""Effects as a function of the residual correlation, and where the ACME vanishes."""

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
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
from bayesmed.potential import cell_means
from bayesmed.priors import Prior
from bayesmed.reweight import LARGEST_PARETO_K, outcome_log_prior, smooth_and_resample
from bayesmed.summary import rounded, summarise
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
        no root, the nearest to zero where it has several; ``roots`` counts them. Roots are
        sought in (-1, 1) where one posterior serves the whole curve (closed pairs, priors on
        the regression), and on the grid elsewhere: there draws at different rho are paired
        by rank, so that P(rho* <= r) = P(ACME(r) <= 0) for a monotone curve.
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
        """
        rows, shares = {}, []
        for arm in ARMS_AND_AVERAGE:
            values = self.rho_zero["rho_zero"].sel(arm=arm, drop=True)
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
        return (
            "The data say nothing about rho here: every value fits them equally well, and the "
            "total effect does not depend on it."
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
        cells, how, pareto_k = _by_refits(fit, grid, progress)
    elif about["priors_on"] == "regression":
        cells = curve_cells(regression, families, rows, grid)
        how, pareto_k = [EXACT] * len(grid), np.full(len(grid), np.nan)
    elif about["rho_fixed"] is None:
        cells, how, pareto_k = _by_refits(fit, grid, progress)
    else:
        cells, how, pareto_k = _by_weights(fit, regression, grid, progress)
    grid = grid[: len(cells)]
    for i in np.flatnonzero(grid == about["rho_fixed"]):
        cells[i], how[i], pareto_k[i] = fitted_cells(fit), FITTED, np.nan
    shaped = np.asarray(cells).reshape(len(grid), 2, 2, *fit.shape)
    draws = contrasts(label_cells(shaped, rho=grid)).transpose("rho", "arm", "chain", "draw")
    draws = draws.assign(pareto_k=("rho", pareto_k[: len(grid)]), how=("rho", how[: len(grid)]))
    draws.attrs["bayesmed"] = json.dumps(effects_about(about, None, "sample"))
    # Where the posterior itself changes along rho, only the curve has the answer.
    one_posterior = regression is not None and about["priors_on"] == "regression"
    rho_zero = _rho_zero(fit, regression if one_posterior else None, rows, draws)
    return Sensitivity(draws, rho_zero)


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
    fit: "MediationFit", regression: Regression | None, rows: Counterfactuals, draws: xr.Dataset
) -> xr.Dataset:
    if regression is not None:
        values, roots = tipping_points(regression, families_of(fit.about), rows)
    else:
        # Draws at different rho are of different posteriors: pair them by rank, which gives
        # P(rho* <= r) = P(ACME(r) <= 0) wherever the curve is monotone.
        acme = draws["acme"].transpose("arm", "rho", "chain", "draw").to_numpy()
        flat = acme.reshape(*acme.shape[:2], -1)
        grid = draws["rho"].to_numpy()
        values, roots = roots_on_grid(grid, np.sort(flat, axis=-1))
        # Each ranked curve goes to the draw of its rank near rho = 0, whose order diagnostics use.
        rank = flat[:, np.abs(grid).argmin()].argsort(axis=-1).argsort(axis=-1)
        values, roots = (np.take_along_axis(found, rank, axis=-1) for found in (values, roots))
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
    return result


def _by_refits(
    fit: "MediationFit", grid: np.ndarray, progress: bool
) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Refit at each rho; what was done before a failure is kept."""
    from rich.progress import track

    fit.require_model("refitting at each rho")
    cells: list[np.ndarray] = []
    failed: list[str] = []
    try:
        for value in track(grid, description="Refitting at each rho", disable=not progress):
            at_hand = value == fit.about["rho_fixed"]
            cells.append(fitted_cells(fit) if at_hand else refit_cells(fit, float(value), failed))
    except (KeyboardInterrupt, Exception) as error:
        if not cells:
            raise
        warnings.warn(
            f"The sweep stopped at rho = {grid[len(cells)]:g} "
            f"({type(error).__name__}: {error}); the {len(cells)} values before it are kept.",
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
    return np.stack(cells), [REFIT] * len(cells), np.full(len(cells), np.nan)


def fitted_cells(fit: "MediationFit") -> np.ndarray:
    """Counterfactual means of the fit itself."""
    return cell_means(fit.draws, families_of(fit.about), fit.counterfactuals())


def refit_cells(fit: "MediationFit", rho: float, failed: list[str]) -> np.ndarray:
    """Counterfactual means of a refit at a fixed rho; compiles nothing after the first."""
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
    return cell_means(again.draws, families_of(about), again.counterfactuals())


def _by_weights(
    fit: "MediationFit", regression: Regression, grid: np.ndarray, progress: bool
) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Structural priors in a closed pair: the map, weighted by prior(mapped) / prior(drawn)."""
    about, families, rows = fit.about, families_of(fit.about), fit.counterfactuals()
    priors = {name: Prior(kind, **own) for name, (kind, own) in about["priors"]["outcome"].items()}
    design = fit.tree["constant_data"]["outcome_design"]
    log_prior = outcome_log_prior(
        priors, list(design["outcome_term"].to_numpy()), design.to_numpy().mean(axis=0)
    )
    drawn = fit.draws
    before = log_prior(drawn.outcome_coef, drawn.outcome_parameters.get("sigma"))
    cells: list[np.ndarray] = []
    how: list[str] = []
    ks: list[float] = []
    failed: list[str] = []
    for value in grid:
        mapped = regression.at(float(value))
        after = log_prior(mapped.outcome_coef, mapped.outcome_parameters.get("sigma"))
        index, k = smooth_and_resample(after - before, fit.shape, about["settings"]["random_seed"])
        if k > LARGEST_PARETO_K and fit.model is not None:
            cells.append(refit_cells(fit, float(value), failed))
            how.append(REFIT)
        else:
            cells.append(cell_means(mapped, families, rows)[..., index])
            how.append(WEIGHTED)
        ks.append(k)
    bad = [
        f"{r:g}"
        for r, k, h in zip(grid, ks, how, strict=True)
        if k > LARGEST_PARETO_K and h != REFIT
    ]
    if bad:
        warnings.warn(
            f"Weights are unreliable (Pareto k above {LARGEST_PARETO_K}) at rho = {', '.join(bad)}; "
            "load the fit with its model, so that it can refit there.",
            UserWarning,
            stacklevel=4,
        )
    return np.stack(cells), how, np.array(ks)
