"""What is asked of a fit: rows, weights, contrast and functional, each a view of its draws."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

from bayesmed.effects.estimands import ARMS, FIXED, Scale
from bayesmed.means.accuracy import Effort
from bayesmed.means.along_rho import Regression, curve_cells, curve_fixed
from bayesmed.means.means import (
    cell_means,
    common_slope,
    fixed_means,
    is_quick,
    mediator_effect,
)
from bayesmed.means.normal import has_latent_cells, latent_means
from bayesmed.means.quantiles import (
    quantile_cells,
    quantile_curve,
    quantile_curve_fixed,
    quantile_fixed,
)
from bayesmed.means.target import Target
from bayesmed.means.thinning import thinning
from bayesmed.posterior.draws import Draws
from bayesmed.system.rows import Counterfactuals, RowSource


@dataclass(frozen=True)
class View:
    """Rows under two arms, one functional of the outcome, and perhaps a fixed m.

    Attributes
    ----------
    rows : RowSource
    target : Target
    m : float or None
        The value at which the mediator is set for a controlled direct effect; of an ordered
        one the position of its category.
    effort : Effort
        What the means of these rows have needed so far.
    """

    rows: RowSource
    target: Target
    m: float | None = None
    effort: Effort = field(default_factory=Effort, compare=False, repr=False)

    @property
    def in_memory(self) -> bool:
        """Whether all rows are."""
        return self.rows.held.n == self.rows.n

    def cells(self, draws: Draws, bootstrap: int | None = None) -> np.ndarray:
        """Counterfactual means, shape (2, 2 or 3, S): arm, mediator arm, draw."""
        if bootstrap is not None:
            return self._cells(self.rows.held, draws, bootstrap)
        return self.rows.mean(lambda rows: self._cells(rows, draws))

    def _cells(
        self, rows: Counterfactuals, draws: Draws, bootstrap: int | None = None
    ) -> np.ndarray:
        target = self.target
        if target.functional.kind == "quantile":
            cells = quantile_cells(draws, rows, target, bootstrap)
            if self.m is None:
                return cells
            fixed = quantile_fixed(draws, rows, target, self.m, bootstrap)
            return np.concatenate([cells, fixed[:, None]], axis=1)
        rows = target.rows(rows if bootstrap is not None else rows.merged)
        own = target.draws(draws)
        if bootstrap is None and not target.family.additive and has_latent_cells(rows):
            cells = latent_means(own, rows)
        else:
            cells = cell_means(own, rows, bootstrap, self.effort)
        if self.m is None:
            return cells
        fixed = fixed_means(own, rows, self.m, bootstrap)
        return np.concatenate([cells, fixed[:, None]], axis=1)

    def curve(self, regression: Regression, rho: np.ndarray) -> np.ndarray:
        """The same along rho from the draws at rho = 0 of a closed pair: (rho, 2, 2 or 3, S)."""
        return self.rows.mean(lambda rows: self._curve(rows, regression, rho))

    def _curve(self, rows: Counterfactuals, regression: Regression, rho: np.ndarray) -> np.ndarray:
        target = self.target
        if target.functional.kind == "quantile":
            quick = quantile_curve(regression, rows, target, rho)
            if quick is None:
                return np.stack([self._cells(rows, regression.at(value)) for value in rho])
            if self.m is None:
                return quick
            set_to = quantile_curve_fixed(regression, rows, target, rho, self.m)
            return np.concatenate([quick, set_to[:, :, None]], axis=2)
        cells = curve_cells(regression, rows.merged, rho, target)
        if self.m is None:
            return cells
        fixed = curve_fixed(regression, rows.merged, rho, self.m, target)
        return np.concatenate([cells, fixed[:, :, None]], axis=2)

    def shift(self, draws: Draws, cells: np.ndarray | None = None) -> np.ndarray:
        """Mean effect of the treatment on the mediator, shape (S,).

        ``cells`` are the means of the same draws: where the outcome is linear in the mediator
        they are that effect times the slope.
        """
        slope = None if cells is None else self._slope(draws)
        if cells is not None and slope is not None:
            return (cells[0, 1] - cells[0, 0]) / slope
        return self.rows.mean(lambda rows: mediator_effect(draws, rows.merged))

    def _slope(self, draws: Draws) -> np.ndarray | None:
        """Slope in the mediator of a control's mean outcome, (S,); None unless one serves all rows."""
        rows, family = self.rows.held.outcome, self.target.family
        if rows.slope is None or rows.log_mediator or rows.sigma is not None:
            return None
        slope = common_slope(rows.slope[0], self.target.draws(draws).outcome.coef)
        return slope[0] if family.additive and len(slope) == 1 and np.all(slope != 0) else None

    def every(self, draws: Draws, points: int = 1) -> int:
        """Every how many draws to use, so that it takes some minutes at most."""
        if not self.effort.exact and self._quick(draws):
            return 1
        held = self.rows.held
        points *= -(-self.rows.n // held.n)  # all of the rows, not the few with their moments
        return thinning(self.target.rows(held.merged), self.target.draws(draws), points)

    def _quick(self, draws: Draws) -> bool:
        """Whether the means need no adaptive integrals."""
        if self.target.functional.kind == "quantile":
            return False
        rows, own = self.target.rows(self.rows.held.merged), self.target.draws(draws)
        return is_quick(own, rows)


@dataclass(frozen=True)
class Asked:
    """Views in the order of their labels.

    Attributes
    ----------
    views : tuple of View
    dims : dict of str to list
        Labels along each leading dimension: ``contrast``, ``by``, ``category``, ``m``.
    scale : {"difference", "ratio", "odds_ratio", "standardised"}
    unit : float or xarray.DataArray
        Standard deviations that standardise.
    every : int
        Only every k-th draw of each chain is used.
    """

    views: tuple[View, ...]
    dims: dict[str, list[Any]]
    scale: Scale
    unit: Any
    every: int = 1

    @property
    def exact(self) -> bool:
        """Whether adaptive integrals were asked for."""
        return any(view.effort.exact for view in self.views)

    @property
    def error(self) -> float | None:
        """Largest error of the means, in posterior standard deviations, where it was measured."""
        found = [view.effort.error for view in self.views if np.isfinite(view.effort.error)]
        return max(found, default=None)

    def thinned(self, draws: Draws, points: int = 1) -> "Asked":
        """The same of as many draws as some minutes allow, where the means are dear."""
        points *= len(self.views)
        return replace(self, every=max(view.every(draws, points) for view in self.views))

    def kept(self, shape: tuple[int, int]) -> np.ndarray:
        """Which draws are used, shape (chain, draw)."""
        return np.arange(shape[0] * shape[1]).reshape(shape)[:, :: self.every]

    @property
    def mediator_arms(self) -> list[str]:
        """Labels of the means' second axis."""
        return [*ARMS, *([FIXED] if self.views[0].m is not None else [])]

    def cells(self, draws: Draws, bootstrap: int | None = None) -> np.ndarray:
        """Counterfactual means of every view, shape (view, 2, 2 or 3, S)."""
        return np.stack([view.cells(draws, bootstrap) for view in self.views])

    def curve(self, regression: Regression, rho: np.ndarray) -> np.ndarray:
        """The same along rho, shape (rho, view, 2, 2 or 3, S)."""
        return np.stack([view.curve(regression, rho) for view in self.views], axis=1)

    def shift(self, draws: Draws, cells: np.ndarray | None = None) -> np.ndarray:
        """Mean effects on the mediator, shape (view, S); see :meth:`View.shift`."""
        own = [None] * len(self.views) if cells is None else cells
        return np.stack(
            [view.shift(draws, part) for view, part in zip(self.views, own, strict=True)]
        )

    def label(
        self, cells: np.ndarray, kept: np.ndarray, rho: np.ndarray | None = None
    ) -> xr.DataArray:
        """Name the axes of means, (..., view, 2, 2 or 3, S): dims (rho, ..., arm, mediator_arm, ...)."""
        sizes = [len(labels) for labels in self.dims.values()]
        leading = {} if rho is None else {"rho": rho}
        full = (*(len(v) for v in leading.values()), *sizes, *cells.shape[-3:-1], *kept.shape)
        coords = {
            **leading,
            **self.dims,
            "arm": list(ARMS),
            "mediator_arm": self.mediator_arms,
            "chain": np.arange(kept.shape[0]),
            "draw": kept[0],
        }
        dims = (*leading, *self.dims, "arm", "mediator_arm", "chain", "draw")
        return xr.DataArray(cells.reshape(full), dims=dims, coords=coords, name="po")
