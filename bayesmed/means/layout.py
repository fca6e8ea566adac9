"""Linear predictors of both equations for the rows under either arm, block by block of draws."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from bayesmed.families.catalogue import GAUSSIAN
from bayesmed.families.family import Families, Family
from bayesmed.means.mediator_functions import MediatorFunctions, mediator_functions
from bayesmed.posterior.blocks import over_blocks
from bayesmed.posterior.draws import Draws
from bayesmed.system.rows import Counterfactuals

ARMS = (0, 1)
Arrays = dict[str, np.ndarray]
# Columns that are one value per category, not per row.
_BY_CATEGORY = ("scores",)
# Of the functions of a count: values and rows that are looked at, and turns of each column.
_LONGEST, _LOOKED, _TURNS = 5_000, 20_000, 4
_SCORES = (0.1, -3.0, -0.9, 0.7, 2.6)
# Continuous ones as far as Gauss-Hermite nodes go, counts as far as SciPy inverts them.
_REACHED, _REACHED_COUNT = np.linspace(-11.0, 11.0, 44), np.linspace(-7.9, 7.9, 4)


@dataclass(frozen=True)
class Layout:
    """Designs of one set of rows; those that are the same in every row are kept once.

    Attributes
    ----------
    families : mapping of str to Family
        Of the mediator, on the scale on which it enters the outcome, and of the outcome.
    rows : Counterfactuals
    size : int
        Number of rows.
    mediator : tuple of numpy.ndarray
        By arm, shape (obs or 1, mediator_term).
    base, slope : tuple of numpy.ndarray or None
        By arm, shape (obs or 1, outcome_term).
    levels : tuple of tuple of numpy.ndarray or None
        Of a mediator with few values, the outcome design by arm and value.
    functions : tuple of MediatorFunctions or None
        By arm.
    offsets, sigmas : dict
        By equation, where there are any; sigmas are designs by arm.
    columns : dict
        By equation: data columns by name, shape (obs or 1, 1), or (category,).
    """

    families: Families
    rows: Counterfactuals
    size: int
    mediator: tuple[np.ndarray, ...]
    base: tuple[np.ndarray, ...] | None
    slope: tuple[np.ndarray, ...] | None
    levels: tuple[tuple[np.ndarray, ...], ...] | None
    functions: tuple[MediatorFunctions, ...] | None
    offsets: dict[str, np.ndarray]
    sigmas: dict[str, tuple[np.ndarray, ...]]
    columns: dict[str, Arrays]

    def location(self, draws: Draws, arm: int) -> np.ndarray:
        """Linear predictor of the mediator under an arm, shape (obs or 1, S)."""
        return self._eta("mediator", self.mediator[arm], draws.mediator.coef)

    def outcome(self, draws: Draws, design: np.ndarray) -> np.ndarray:
        """Linear predictor of the outcome, shape (obs or 1, S)."""
        return self._eta("outcome", design, draws.outcome.coef)

    def _eta(self, equation: str, design: np.ndarray, coef: np.ndarray) -> np.ndarray:
        eta = times(design, coef)
        return eta + self.offsets[equation] if equation in self.offsets else eta

    def parameters(self, draws: Draws, equation: str, arm: int) -> Arrays:
        """Parameters of a family by name, and its data columns.

        Shape (S,) or (category - 1, S); sigma of a regression (obs or 1, S), columns
        (obs or 1, 1).
        """
        own = draws.equations[equation]
        found = {**own.parameters, **self.columns[equation]}
        if "cutpoints" in found:  # where no scores are stated, the codes of the categories
            found.setdefault("scores", np.arange(len(found["cutpoints"]) + 1.0))
        if own.sigma_coef is not None:
            found["sigma"] = np.exp(times(self.sigmas[equation][arm], own.sigma_coef))
        return found


def times(design: np.ndarray, coef: np.ndarray) -> np.ndarray:
    """Design times coefficients, shape (obs, S), the rows of a draw side by side in memory."""
    return (coef @ design.T).T


def lay_out(families: Families, rows: Counterfactuals) -> Layout:
    """Prepare rows for blocks of draws."""
    mediator = GAUSSIAN if rows.log_mediator else families["mediator"]
    finite = mediator.kind in ("binary", "ordered")
    affine = rows.base is not None and not finite
    return Layout(
        families={**families, "mediator": mediator},
        rows=rows,
        size=rows.mediator.shape[1],
        mediator=tuple(_once(design) for design in rows.mediator),
        base=_by_arm(rows.base) if affine else None,
        slope=_by_arm(rows.slope) if affine else None,
        levels=_levels(rows) if finite else None,
        functions=None,
        offsets=_given(
            mediator=_column(rows.mediator_offset), outcome=_column(rows.outcome_offset)
        ),
        sigmas=_given(mediator=_by_arm(rows.mediator_sigma), outcome=_by_arm(rows.outcome_sigma)),
        columns={
            "mediator": _columns(mediator, rows.mediator_columns),
            "outcome": _columns(families["outcome"], rows.outcome_columns),
        },
    )


def with_functions(layout: Layout, draws: Draws) -> Layout:
    """Find the functions of the mediator, from their values where the draws put it."""
    rows_at = layout.rows.rows_at
    if rows_at is None or layout.base is not None or layout.levels is not None:
        return layout
    probes = _probes(layout, draws)
    found = [mediator_functions(partial(rows_at, arm), layout.size, probes) for arm in ARMS]
    edges = np.unique(np.concatenate([_reached(layout, draws), layout.rows.knots]))
    whole = np.arange(edges[-1] + 1.0) if layout.families["mediator"].discrete else None
    return replace(layout, functions=tuple(one.quick(edges, whole) for one in found))


def _reached(layout: Layout, draws: Draws) -> np.ndarray:
    """Values of the mediator at even scores, from the lowest row and draw to the highest."""
    family = layout.families["mediator"]
    scores = _REACHED_COUNT if family.discrete else _REACHED

    def reached(block: Draws, weights: Any, first: Any) -> np.ndarray:
        ends = []
        for arm in ARMS:
            location, own = layout.location(block, arm), layout.parameters(block, "mediator", arm)
            shared = (*family.vectors, *_BY_CATEGORY)
            own = {
                k: v.max(axis=0) if v.ndim > 1 and k not in shared else v for k, v in own.items()
            }
            for e in scores:
                eta = location.min(axis=0) if e < 0.0 else location.max(axis=0)
                values = family.value(e, eta, own)
                ends.append(values.min() if e < 0.0 else values.max())
        return np.reshape(ends, (2, -1))

    found = np.stack(over_blocks(reached, draws, layout.size, 1, None))
    middle = np.sum(scores < 0.0)
    low, high = found.min(axis=(0, 1)), found.max(axis=(0, 1))
    edges = np.concatenate([low[:middle], high[middle:]])
    return edges[np.isfinite(edges)]


def _probes(layout: Layout, draws: Draws) -> np.ndarray:
    """Values of the mediator at some scores, over the reach of the rows, in a middle draw."""
    middle, family = draws.block(np.array([len(draws) // 2])), layout.families["mediator"]
    eta = np.concatenate([layout.location(middle, arm) for arm in ARMS])
    own = at_row(layout.parameters(middle, "mediator", 0), family, 0)
    ends = np.quantile(eta, [0.5, 0.0, 1.0])
    values = [np.ravel(family.value(e, ends[:, None], own)) for e in _SCORES]
    if family.discrete:
        known = np.unique(np.concatenate([[0.0, 1.0, 2.0], *values]))
        return np.union1d(known, _turns(layout, float(known[-1])))
    return np.concatenate([*values, *_beside(layout.rows.knots, values)])


def _beside(knots: tuple[float, ...], values: list[np.ndarray]) -> list[np.ndarray]:
    """Values on both sides of every knot, so that a step between the others is seen."""
    if not knots:
        return []
    known = np.unique(np.concatenate([knots, *values]))
    at = np.searchsorted(known, knots)
    return [
        0.5 * (known[at[inside]] + known[at[inside] + side])
        for side in (-1, 1)
        if (inside := (at + side >= 0) & (at + side < len(known))).any()
    ]


def _turns(layout: Layout, top: float) -> np.ndarray:
    """Whole numbers where the outcome's columns turn most, as at the 12 of ``I(m == 12)``."""
    rows_at, whole = layout.rows.rows_at, np.arange(min(top, _LONGEST) + 2.0)
    assert rows_at is not None
    some = np.unique(np.linspace(0, layout.size - 1, max(4, _LOOKED // len(whole))).astype(int))
    designs = np.concatenate([rows_at(arm, whole, some) for arm in ARMS])
    bend = np.abs(np.diff(designs, 2, axis=1)).max(axis=0)
    largest = np.argsort(-bend, axis=0, kind="stable")[:_TURNS]
    seen = np.take_along_axis(bend, largest, axis=0) > 0.0
    at = np.unique(largest[seen])
    return whole[np.unique(np.concatenate([at, at + 1, at + 2]))]


def at_row(parameters: Arrays, family: Family, row: int) -> Arrays:
    """Parameters with those that differ between rows taken at one row."""
    shared = (*family.vectors, *_BY_CATEGORY)
    return {
        name: value[[min(row, len(value) - 1)]] if value.ndim > 1 and name not in shared else value
        for name, value in parameters.items()
    }


def _once(design: np.ndarray) -> np.ndarray:
    return design[:1] if np.all(design == design[:1]) else design


def _by_arm(designs: np.ndarray | None) -> tuple[np.ndarray, ...] | None:
    return None if designs is None else tuple(_once(design) for design in designs)


def _column(values: np.ndarray | None) -> np.ndarray | None:
    return None if values is None else _once(np.asarray(values, dtype=float)[:, None])


def _given(**values: Any) -> Any:
    return {name: value for name, value in values.items() if value is not None}


def _columns(family: Family, columns: Mapping[str, np.ndarray]) -> Arrays:
    return {
        name: np.asarray(values) if name in _BY_CATEGORY else _once(np.asarray(values)[:, None])
        for name, values in columns.items()
    }


def _levels(rows: Counterfactuals) -> tuple[tuple[np.ndarray, ...], ...]:
    """Designs by arm and value; base and slope serve a 0/1 mediator."""
    if rows.by_level is not None:
        return tuple(tuple(_once(level) for level in arm) for arm in rows.by_level)
    assert rows.base is not None and rows.slope is not None
    return tuple((_once(b), _once(b + s)) for b, s in zip(rows.base, rows.slope, strict=True))
