r"""Cells whose outcome has a normal latent variable, affine in a normal mediator.

The latent variable of :math:`Y_i(t, M_i(t'))` is normal with variance
:math:`s^2 + g^2 \sigma_m^2 + 2 \rho g s \sigma_m`, so that a mean over rows is one of a smooth
function of its mean, and few nodes can stand for many rows.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesmed.design import Counterfactuals
from bayesmed.draws import Draws
from bayesmed.family import Family
from bayesmed.potential import ARMS, common_slope, design_at
from bayesmed.spreading import spread


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
    """

    u: np.ndarray
    v: np.ndarray
    parameters: dict[str, Any]
    weights: np.ndarray | None = None

    def mean(self, values: np.ndarray, rows: Counterfactuals) -> np.ndarray:
        """Mean over the rows, or the nodes that stand for them; shape (S,)."""
        if self.weights is None or len(values) == 1:
            return rows.mean(values)
        return np.einsum("gs,gs->s", self.weights, values)

    def on_nodes(self, rows: Counterfactuals) -> "LatentCell":
        """The same with nodes for rows, where v and the parameters are one for all rows."""
        shared = len(self.v) == 1 and not any(
            np.ndim(value) == 2
            and len(value) == len(self.u)
            and name not in ("cutpoints", "scores")
            for name, value in self.parameters.items()
        )
        if not shared or len(self.u) == 1:
            return self
        sigma = np.ravel(self.parameters.get("sigma", 1.0)) * np.ones(self.u.shape[1])
        found = spread(self.u, sigma, rows.weights)
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
        return LatentCell(self.u[:, index], self.v[:, index], own, weights)


Cells = dict[tuple[int, int], LatentCell]


def parameters_of(draws: Draws, rows: Counterfactuals) -> dict[str, Any]:
    """The outcome's parameters by draw, and its data columns."""
    own: dict[str, Any] = dict(draws.outcome_parameters)
    own |= {
        name: value if name == "scores" else _column(value)
        for name, value in rows.outcome_columns.items()
    }
    if "cutpoints" in own:
        own.setdefault("scores", np.arange(len(own["cutpoints"]) + 1.0))
    return own


def _column(value: np.ndarray) -> np.ndarray:
    """A data column, shape (obs, 1), or (1, 1) where it holds one value."""
    same = np.array_equal(value, np.full_like(value, value[0]), equal_nan=True)
    return value[:1, None] if same else value[:, None]


def cells_of(draws: Draws, family: Family, rows: Counterfactuals) -> Cells:
    r"""The four cells at the draws' own rho.

    At rho = 0 they move along rho as :mod:`bayesmed.curve` says; elsewhere v has no meaning.
    """
    assert rows.base is not None and rows.slope is not None
    beta, coef = draws.mediator_coef, draws.outcome_coef
    sigma, own = draws.mediator_parameters["sigma"], parameters_of(draws, rows)
    scale = own.get("sigma", np.ones(1))
    offset = 0.0 if rows.mediator_offset is None else rows.mediator_offset[:, None]
    added = 0.0 if rows.outcome_offset is None else rows.outcome_offset[:, None]
    mediator = rows.mediator[0] @ beta.T + offset
    gaps = {(t, s): _shift(rows, beta, t, s) for t in ARMS for s in ARMS}
    cells: Cells = {}
    for t in ARMS:
        slope = common_slope(rows.slope[t], coef)
        step = slope * sigma
        deviation = np.sqrt(scale * scale + step * step + 2.0 * draws.rho * scale * step)
        base = rows.base[t] @ coef.T + added
        at = {**own, "sigma": deviation} if family.latent == "free" else dict(own)
        if family.latent == "unit" and "cutpoints" in own:
            at["cutpoints"] = own["cutpoints"][:, None] / deviation
        unit = deviation if family.latent == "unit" else 1.0
        v = {s: scale * gaps[t, s] / (sigma * unit) for s in ARMS}
        first = LatentCell((base + slope * mediator) / unit, v[0], at)
        # Where all rows have one shift, the same nodes serve either mediator arm.
        if len(gaps[1, 0]) == 1:
            first = first.on_nodes(rows)
        moved = slope * gaps[1, 0] / unit
        cells |= {(t, 0): first, (t, 1): replace(first, u=first.u + moved, v=v[1])}
    return cells


def fixed_cell(draws: Draws, rows: Counterfactuals, arm: int, m: float) -> LatentCell:
    """Y(t, m): its latent mean at the draws' own rho, and how that moves from rho = 0."""
    beta, coef, own = draws.mediator_coef, draws.outcome_coef, parameters_of(draws, rows)
    offset = 0.0 if rows.mediator_offset is None else rows.mediator_offset[:, None]
    added = 0.0 if rows.outcome_offset is None else rows.outcome_offset[:, None]
    u = design_at(rows, arm, m) @ coef.T + added
    gap = (np.log(m) if rows.log_mediator else m) - (rows.mediator[arm] @ beta.T + offset)
    scale = own.get("sigma", np.ones(1)) / draws.mediator_parameters["sigma"]
    return LatentCell(u, -scale * gap, own)


def _shift(rows: Counterfactuals, beta: np.ndarray, t: int, s: int) -> np.ndarray:
    """The effect on the mediator's mean of arm t in place of s; one row where all agree."""
    return common_slope(rows.mediator[t] - rows.mediator[s], beta)


def latent_mean_at(
    family: Family, rows: Counterfactuals, cell: LatentCell, s: float | np.ndarray
) -> np.ndarray:
    """Mean over rows at rho / sqrt(1 - rho^2) = s, a number or one per draw; shape (S,)."""
    value = np.asarray(family.mean(cell.u + s * cell.v, cell.parameters))
    return cell.mean(value, rows)
