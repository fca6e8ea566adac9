r"""Cells whose outcome has a normal latent variable, affine in a normal mediator.

The latent variable of :math:`Y_i(t, M_i(t'))` is normal with variance
:math:`s^2 + g^2 \sigma_m^2 + 2 \rho g s \sigma_m`, so that a mean over rows is one of a smooth
function of its mean, and few nodes can stand for many rows.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesmed.means.means import ARMS, common_slope, design_at, representable
from bayesmed.numerics.grid import spread, spread_parts
from bayesmed.numerics.threads import threads
from bayesmed.posterior.draws import Draws, EquationDraws
from bayesmed.system.rows import Counterfactuals, EquationRows

#: Rows that are made at once where they are many.
_PART = 2000
_BLOCK, _MANY = 200_000, 250


@dataclass(frozen=True)
class LatentCell:
    """One cell of a closed pair: its latent mean is ``u + s v``, the parameters do not move.

    Attributes
    ----------
    u, v : numpy.ndarray
        Shape (obs or 1, S); in units of the latent sd where the family has no scale.
    parameters : dict of str to numpy.ndarray
        Of the family, at that sd.
    weights : numpy.ndarray or None
        Where u holds nodes in place of rows, their weights, shape (node, S).
    smooth : float
        A scale on which the mean is smooth, beside the latent sd: one for an exponential.
    """

    u: np.ndarray
    v: np.ndarray
    parameters: dict[str, Any]
    weights: np.ndarray | None = None
    smooth: float = np.inf

    @property
    def scale(self) -> np.ndarray:
        """Scale on which the mean is smooth in u, shape (S,) or (1,)."""
        return np.minimum(np.ravel(self.parameters.get("sigma", 1.0)), self.smooth)

    @property
    def shares(self) -> bool:
        """Whether v and the parameters are one for all rows."""
        return len(self.v) == 1 and not any(
            np.ndim(value) == 2 and len(value) == len(self.u) and name != "cutpoints"
            for name, value in self.parameters.items()
        )

    def mean(self, values: np.ndarray, rows: Counterfactuals) -> np.ndarray:
        """Mean over the rows, or the nodes that stand for them; shape (S,)."""
        if self.weights is None or len(values) == 1:
            return rows.average(values)
        return np.einsum("gs,gs->s", self.weights, values)

    def on_nodes(self, rows: Counterfactuals) -> "LatentCell":
        """The same with nodes for rows, where v and the parameters are one for all rows."""
        if not self.shares or len(self.u) == 1:
            return self
        found = spread(self.u, self.scale * np.ones(self.u.shape[1]), rows.weights)
        return self if found is None else replace(self, u=found[0], weights=found[1])

    def block(self, index: np.ndarray) -> "LatentCell":
        """Some of the draws."""
        own = {
            name: value[..., index]
            if name != "scores" and np.shape(value)[-1] == self.u.shape[-1]
            else value
            for name, value in self.parameters.items()
        }
        weights = None if self.weights is None else self.weights[:, index]
        return LatentCell(self.u[:, index], self.v[:, index], own, weights, self.smooth)


Cells = dict[tuple[int, int], LatentCell]


def parameters_of(draws: EquationDraws, rows: EquationRows) -> dict[str, Any]:
    """The outcome's parameters by draw, and its data columns."""
    own: dict[str, Any] = dict(draws.parameters)
    own |= {
        name: value if name == "scores" else _column(value) for name, value in rows.columns.items()
    }
    if "cutpoints" in own:
        own.setdefault("scores", np.arange(len(own["cutpoints"]) + 1.0))
    return own


def _column(value: np.ndarray) -> np.ndarray:
    """A data column, shape (obs, 1), or (1, 1) where it holds one value."""
    same = np.array_equal(value, np.full_like(value, value[0]), equal_nan=True)
    return value[:1, None] if same else value[:, None]


def cells_of(draws: Draws, rows: Counterfactuals) -> Cells:
    r"""The four cells at the draws' own rho.

    At rho = 0 they move along rho as :mod:`bayesmed.means.along_rho` says; elsewhere v has no meaning.
    """
    family, design, slopes = rows.outcome.family, rows.mediator.design, rows.outcome.slope
    assert slopes is not None
    beta, coef = draws.mediator.coef, draws.outcome.coef
    sigma = draws.mediator.parameters["sigma"]
    own = parameters_of(draws.outcome, rows.outcome)
    scale = own.get("sigma", np.ones(1))
    shift = common_slope(design[1] - design[0], beta)
    cells: Cells = {}
    for t in ARMS:
        slope = common_slope(slopes[t], coef)
        step = slope * sigma
        deviation = np.sqrt(scale * scale + step * step + 2.0 * draws.rho * scale * step)
        at = {**own, "sigma": deviation} if family.latent == "free" else dict(own)
        if family.latent == "unit" and "cutpoints" in own:
            at["cutpoints"] = own["cutpoints"][:, None] / deviation
        unit = deviation if family.latent == "unit" else np.ones((1, 1))
        gaps = (0.0 * shift, -shift) if t == 0 else (shift, 0.0 * shift)
        v = [scale * gap / (sigma * unit) for gap in gaps]
        index = _Index(rows, t, coef, beta, slope, unit)
        smooth = 1.0 if family.multiplicative else np.inf
        first = _many(index, LatentCell(np.zeros((rows.n, 1)), v[0], at, None, smooth))
        if first is None:
            first = LatentCell(index.part(slice(None)), v[0], at, None, smooth).on_nodes(rows)
        # Where all rows have one shift, the same nodes serve either mediator arm.
        moved = slope * shift / unit
        cells |= {(t, 0): first, (t, 1): replace(first, u=first.u + moved, v=v[1])}
    return cells


@dataclass(frozen=True)
class _Index:
    """The latent mean of Y(t, M(control)) for some of the rows."""

    rows: Counterfactuals
    arm: int
    coef: np.ndarray
    beta: np.ndarray
    slope: np.ndarray
    unit: np.ndarray

    def part(self, part: slice) -> np.ndarray:
        """Shape (row, S)."""
        first, second, slope, unit = self.rows.mediator, self.rows.outcome, self.slope, self.unit
        assert second.base is not None
        mediator = first.design[0, part] @ self.beta.T
        if first.offset is not None:
            mediator += first.offset[part, None]
        base = second.base[self.arm, part] @ self.coef.T
        if second.offset is not None:
            base += second.offset[part, None]
        slope = slope if len(slope) == 1 else slope[part]
        return np.asarray((base + slope * mediator) / (unit if len(unit) == 1 else unit[part]))

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Bounds from those of the columns, shape (S,), where slope and unit have one row."""
        first, second = self.rows.mediator, self.rows.outcome
        assert second.base is not None
        columns = [
            (second.base[self.arm], self.coef),
            (first.design[0], self.slope.T * self.beta),
        ]
        low, high = np.zeros(len(self.coef)), np.zeros(len(self.coef))
        for values, coef in columns:
            ends = coef * values.min(axis=0), coef * values.max(axis=0)
            low, high = low + np.minimum(*ends).sum(axis=1), high + np.maximum(*ends).sum(axis=1)
        for offset, factor in ((second.offset, 1.0), (first.offset, self.slope[0])):
            if offset is not None:
                at = factor * offset.min(), factor * offset.max()
                low, high = low + np.minimum(*at), high + np.maximum(*at)
        return low / self.unit[0], high / self.unit[0]


def _many(index: _Index, blank: LatentCell) -> LatentCell | None:
    """Nodes of many rows, made part by part; None where rows are few or differ in more.

    ``blank`` is the cell without its rows.
    """
    rows, n = index.rows, len(blank.u)
    if n <= _PART or not blank.shares or len(index.slope) > 1:
        return None
    weights = np.full(n, 1.0 / n) if rows.weights is None else rows.weights
    sigma = blank.scale * np.ones(len(index.coef))
    parts = [slice(start, start + _PART) for start in range(0, n, _PART)]
    found = spread_parts(parts, index.part, *index.ends(), sigma, weights)
    return None if found is None else replace(blank, u=found[0], weights=found[1])


def serves_nodes(rows: Counterfactuals) -> bool:
    """Whether rows differ in their latent mean only, so that a block may hold many draws."""
    design, outcome = rows.mediator.design, rows.outcome
    if outcome.slope is None:
        return False
    columns = [v for name, v in outcome.columns.items() if name != "scores"]
    alike = [design[1] - design[0], *outcome.slope, *(column[:, None] for column in columns)]
    return all(np.array_equal(a, np.broadcast_to(a[:1], a.shape), equal_nan=True) for a in alike)


def has_latent_cells(rows: Counterfactuals) -> bool:
    """Whether the outcome has a normal latent variable, affine in a normal mediator."""
    mediator, outcome = rows.mediator.family, rows.outcome
    plain = all(own.sigma is None for own in rows.equations.values())
    normal = mediator.latent == "free" and (mediator.additive or outcome.log_mediator)
    return outcome.slope is not None and plain and normal and outcome.family.latent is not None


def latent_means(draws: Draws, rows: Counterfactuals) -> np.ndarray:
    """Means of the four cells at the draws' own rho, shape (2, 2, S)."""
    out = np.empty((2, 2, len(draws)))

    def fill(part: slice) -> None:
        for (t, s), cell in cells_of(draws.block(part), rows).items():
            out[t, s, part] = latent_mean_at(rows, cell, 0.0)

    with threads() as pool:
        list(pool.map(fill, cell_blocks(len(draws), rows)))
    return representable(out)


def row_blocks(count: int, rows: Counterfactuals) -> list[slice]:
    """Blocks of draws whose linear predictors by row fit the processor's cache."""
    size = max(1, _BLOCK // rows.n)
    return [slice(start, start + size) for start in range(0, count, size)]


def cell_blocks(count: int, rows: Counterfactuals) -> list[slice]:
    """Blocks of draws for :func:`cells_of`: many draws where nodes stand for the rows."""
    size = max(1, _BLOCK // rows.n)
    if size < _MANY and serves_nodes(rows):
        size = _MANY
    return [slice(start, start + size) for start in range(0, count, size)]


def fixed_cell(draws: Draws, rows: Counterfactuals, arm: int, m: float) -> LatentCell:
    """Y(t, m): its latent mean at the draws' own rho, and how that moves from rho = 0."""
    mediator, outcome = rows.mediator, rows.outcome
    beta, coef, own = draws.mediator.coef, draws.outcome.coef, parameters_of(draws.outcome, outcome)
    offset = 0.0 if mediator.offset is None else mediator.offset[:, None]
    added = 0.0 if outcome.offset is None else outcome.offset[:, None]
    u = design_at(outcome, arm, m) @ coef.T + added
    gap = (np.log(m) if outcome.log_mediator else m) - (mediator.design[arm] @ beta.T + offset)
    scale = own.get("sigma", np.ones(1)) / draws.mediator.parameters["sigma"]
    return LatentCell(u, -scale * gap, own)


def latent_mean_at(rows: Counterfactuals, cell: LatentCell, s: float | np.ndarray) -> np.ndarray:
    """Mean over rows at rho / sqrt(1 - rho^2) = s, a number or one per draw; shape (S,)."""
    value = np.asarray(rows.outcome.family.mean(cell.u + s * cell.v, cell.parameters))
    return cell.mean(value, rows)
