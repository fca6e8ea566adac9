"""Linear predictors of both equations for the rows under either arm, block by block of draws."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from bayesmed.families.catalogue import GAUSSIAN
from bayesmed.families.family import Family
from bayesmed.means.mediator_functions import MediatorFunctions, mediator_functions
from bayesmed.posterior.blocks import over_blocks
from bayesmed.posterior.draws import Draws, EquationDraws
from bayesmed.system.rows import Counterfactuals, EquationRows

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
class EquationLayout:
    """Designs of one equation; those that are the same in every row are kept once.

    Attributes
    ----------
    family : Family
        The mediator's on the scale on which it enters the outcome.
    base, slope : tuple of numpy.ndarray or None
        By arm, shape (obs or 1, term).
    levels : tuple of tuple of numpy.ndarray or None
        Along a mediator with few values, the design by arm and value.
    functions : tuple of MediatorFunctions or None
        By arm.
    offset : numpy.ndarray or None
        Shape (obs or 1, 1).
    sigma : tuple of numpy.ndarray or None
        Designs of log sigma by arm.
    columns : dict
        Data columns by name, shape (obs or 1, 1), or (category,).
    """

    family: Family
    base: tuple[np.ndarray, ...] | None
    slope: tuple[np.ndarray, ...] | None
    levels: tuple[tuple[np.ndarray, ...], ...] | None
    functions: tuple[MediatorFunctions, ...] | None
    offset: np.ndarray | None
    sigma: tuple[np.ndarray, ...] | None
    columns: Arrays

    @property
    def design(self) -> tuple[np.ndarray, ...]:
        """The designs that hold no mediator."""
        assert self.base is not None
        return self.base

    def eta(self, draws: EquationDraws, design: np.ndarray) -> np.ndarray:
        """Linear predictor, shape (obs or 1, S)."""
        eta = times(design, draws.coef)
        return eta if self.offset is None else eta + self.offset

    def parameters(self, draws: EquationDraws, arm: int) -> Arrays:
        """Parameters of the family by name, and its data columns.

        Shape (S,) or (category - 1, S); sigma of a regression (obs or 1, S), columns
        (obs or 1, 1).
        """
        found = {**draws.parameters, **self.columns}
        if "cutpoints" in found:  # where no scores are stated, the codes of the categories
            found.setdefault("scores", np.arange(len(found["cutpoints"]) + 1.0))
        if draws.sigma_coef is not None:
            assert self.sigma is not None
            found["sigma"] = np.exp(times(self.sigma[arm], draws.sigma_coef))
        return found


@dataclass(frozen=True)
class Layout:
    """The designs of both equations.

    Attributes
    ----------
    rows : Counterfactuals
    size : int
        Number of rows.
    mediator, outcome : EquationLayout
    """

    rows: Counterfactuals
    size: int
    mediator: EquationLayout
    outcome: EquationLayout

    def location(self, draws: Draws, arm: int) -> np.ndarray:
        """Linear predictor of the mediator under an arm, shape (obs or 1, S)."""
        return self.mediator.eta(draws.mediator, self.mediator.design[arm])


def times(design: np.ndarray, coef: np.ndarray) -> np.ndarray:
    """Design times coefficients, shape (obs, S), the rows of a draw side by side in memory."""
    return (coef @ design.T).T


def lay_out(rows: Counterfactuals) -> Layout:
    """Prepare rows for blocks of draws."""
    family = GAUSSIAN if rows.outcome.log_mediator else rows.mediator.family
    finite = family.kind in ("binary", "ordered")
    mediator = replace(_lay_out(rows.mediator, False), family=family)
    return Layout(rows, rows.n, mediator, _lay_out(rows.outcome, finite))


def _lay_out(rows: EquationRows, finite: bool) -> EquationLayout:
    return EquationLayout(
        family=rows.family,
        base=None if finite else _by_arm(rows.base),
        slope=None if finite else _by_arm(rows.slope),
        levels=_levels(rows) if finite else None,
        functions=None,
        offset=None if rows.offset is None else _once(rows.offset.astype(float)[:, None]),
        sigma=_by_arm(rows.sigma),
        columns={
            name: values if name in _BY_CATEGORY else _once(values[:, None])
            for name, values in rows.columns.items()
        },
    )


def with_functions(layout: Layout, draws: Draws) -> Layout:
    """Find the functions of the mediator, from their values where the draws put it."""
    rows = layout.rows.outcome
    if rows.rows_at is None or layout.outcome.base is not None or layout.outcome.levels is not None:
        return layout
    probes = _probes(layout, draws)
    found = [mediator_functions(partial(rows.rows_at, arm), layout.size, probes) for arm in ARMS]
    edges = np.unique(np.concatenate([_reached(layout, draws), rows.knots]))
    whole = np.arange(edges[-1] + 1.0) if layout.mediator.family.discrete else None
    functions = tuple(one.quick(edges, whole) for one in found)
    return replace(layout, outcome=replace(layout.outcome, functions=functions))


def _reached(layout: Layout, draws: Draws) -> np.ndarray:
    """Values of the mediator at even scores, from the lowest row and draw to the highest."""
    family = layout.mediator.family
    scores = _REACHED_COUNT if family.discrete else _REACHED

    def reached(block: Draws) -> np.ndarray:
        ends = []
        for arm in ARMS:
            location = layout.location(block, arm)
            own = layout.mediator.parameters(block.mediator, arm)
            shared = (*family.vectors, *_BY_CATEGORY)
            own = {
                k: v.max(axis=0) if v.ndim > 1 and k not in shared else v for k, v in own.items()
            }
            for e in scores:
                eta = location.min(axis=0) if e < 0.0 else location.max(axis=0)
                values = family.value(e, eta, own)
                ends.append(values.min() if e < 0.0 else values.max())
        return np.reshape(ends, (2, -1))

    found = np.stack(over_blocks(reached, draws, layout.size))
    middle = np.sum(scores < 0.0)
    low, high = found.min(axis=(0, 1)), found.max(axis=(0, 1))
    edges = np.concatenate([low[:middle], high[middle:]])
    return edges[np.isfinite(edges)]


def _probes(layout: Layout, draws: Draws) -> np.ndarray:
    """Values of the mediator at some scores, over the reach of the rows, in a middle draw."""
    middle, family = draws.block(np.array([len(draws) // 2])), layout.mediator.family
    eta = np.concatenate([layout.location(middle, arm) for arm in ARMS])
    own = at_row(layout.mediator.parameters(middle.mediator, 0), family, 0)
    ends = np.quantile(eta, [0.5, 0.0, 1.0])
    values = [np.ravel(family.value(e, ends[:, None], own)) for e in _SCORES]
    if family.discrete:
        known = np.unique(np.concatenate([[0.0, 1.0, 2.0], *values]))
        return np.union1d(known, _turns(layout, float(known[-1])))
    return np.concatenate([*values, *_beside(layout.rows.outcome.knots, values)])


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
    rows_at, whole = layout.rows.outcome.rows_at, np.arange(min(top, _LONGEST) + 2.0)
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


def _levels(rows: EquationRows) -> tuple[tuple[np.ndarray, ...], ...]:
    """Designs by arm and value; base and slope serve a 0/1 mediator."""
    if rows.by_level is not None:
        return tuple(tuple(_once(level) for level in arm) for arm in rows.by_level)
    assert rows.base is not None and rows.slope is not None
    return tuple((_once(b), _once(b + s)) for b, s in zip(rows.base, rows.slope, strict=True))
