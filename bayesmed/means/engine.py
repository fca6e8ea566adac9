r"""Counterfactual means by few nodes, as accurate as is asked.

A cell is a mean over rows of :math:`F(x_i) = \sum_a w_a\, C(e_a, \eta_a)`: nodes a of the
mediator's score e (``nodes``), the outcome's linear predictor :math:`\eta` at the mediator's value
there, and C, the outcome's mean given that score (``series``), made once for all cells; for a
mediator of few values ends of a value and integrals up to them take their place. F is taken at Chebyshev nodes of the one or two numbers in which the rows differ.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bayesmed.means.cell import Coordinates, Pair
from bayesmed.means.coordinates import fewer, pair_of
from bayesmed.means.layout import ARMS, Layout
from bayesmed.means.nodes import Nodes, mediator_nodes
from bayesmed.means.series import Series, Tables, outcome_series
from bayesmed.numerics.chebyshev import nodes, transform
from bayesmed.numerics.surface import grouped, is_column
from bayesmed.posterior.blocks import over_blocks, row_weights
from bayesmed.posterior.draws import Draws

#: Numbers held for each draw: so many draws make a block that a processor's own memory holds.
_HELD = 8_000
#: Rows that are taken one by one, of a discrete mediator and of a continuous one: nodes of all are
#: held at once.
_FEW_ROWS, _MOST_ROWS = 64, 20_000
#: Share of the value at the end of a sum, beyond which there may be more.
_END = 1e-7
#: And for each row where rows are taken one by one.
_PER_ROW = 16
#: Places and weights of rows that differ by less are the same.
_SAME = 1e-11


class Unsuited(Exception):
    """The rows differ in numbers that the series do not take."""


@dataclass(frozen=True)
class Sizes:
    """How many nodes.

    Attributes
    ----------
    score : int
        Over the mediator's score.
    base, other : int
        Over the outcome's linear predictor without the mediator, and over the second number in
        which rows differ.
    table, along : int
        Of the series in the outcome's linear predictor and in the score.
    draw : int
        Along a parameter of the outcome over the draws.
    """

    score: int = 12
    base: int = 8
    other: int = 6
    table: int = 20
    along: int = 16
    draw: int = 6


class _Line:
    """A coordinate in which rows differ, shape (row, S): its ends, and where each row lies."""

    def __init__(self, values: np.ndarray):
        self.values, self.low = values, values.min(axis=0)
        most = 0.5 * (values.max(axis=0) - self.low)
        self.half = np.maximum(most, 1e-9 * (1.0 + np.abs(self.low)))

    def at_nodes(self, size: int) -> np.ndarray:
        """Chebyshev nodes between the ends, shape (size, S)."""
        return np.asarray(self.low + self.half * (1.0 + nodes(size)[:, None]))

    @cached_property
    def places(self) -> np.ndarray:
        """Places of the rows on [-1, 1], shape (S, row)."""
        found = self.values - self.low
        found /= self.half
        found -= 1.0
        return _draw_by_draw(np.clip(found, -1.0, 1.0, out=found), found.shape[1])


@dataclass(frozen=True)
class _Part:
    """Some rows of a cell, of one value of the mediator where it has few.

    ``at`` are coordinates at the nodes, ``varying`` those that differ between the rows, at the
    rows; ``factor`` is the logarithm of what multiplies a row, ``weights`` (S or 1, row).
    """

    cell: tuple[int, int]
    pair: Pair
    at: Coordinates
    varying: dict[str, _Line]
    crossed: bool
    factor: np.ndarray
    weights: np.ndarray
    found: Nodes
    shift: np.ndarray

    @property
    def base(self) -> np.ndarray:
        """Of the outcome's linear predictor, shape (base, 1 or point, S or 1)."""
        own = self.at["base"]
        return own[:, None] if self.crossed or len(own) == 1 else own[None]


@dataclass(frozen=True)
class _Moments:
    """Moments of the rows, and what they are of: places, weights and factors, each (S or 1, row).

    Cells whose rows differ from each other by the same share them, as where nothing interacts with
    the treatment.
    """

    given: list[np.ndarray]
    found: np.ndarray

    def serves(self, asked: list[np.ndarray], shape: tuple[int, ...]) -> bool:
        """Whether others are the same but for rounding."""
        both = [*zip(self.given, asked, strict=True)]
        return (
            self.found.shape[1:] == shape
            and all(a.shape == b.shape for a, b in both)
            and all(a is b or np.abs(a[:1] - b[:1]).max() < _SAME for a, b in both)
            and all(a is b or np.abs(a - b).max() < _SAME for a, b in both)
        )

    @classmethod
    def of(cls, asked: list[np.ndarray], shape: tuple[int, ...]) -> "_Moments":
        from bayesmed.numerics import mean_kernels

        rows = max(one.shape[1] for one in asked)
        x, y, weights, factor = (
            np.ascontiguousarray(np.broadcast_to(a, (len(a), rows))) for a in asked
        )
        found = np.empty(shape)
        x = np.ascontiguousarray(np.broadcast_to(x, (shape[0], rows)))
        mean_kernels.moments(x, y, weights, factor, found)
        return cls(asked, found)


def cells(draws: Draws, layout: Layout, bootstrap: int | None, sizes: Sizes) -> np.ndarray:
    """Means of Y(t, M(t')) over the rows, shape (2, 2, S).

    Raises
    ------
    Unsuited
        If rows differ in parameters of the outcome.
    """
    tables = Tables({"rho": draws.rho, **draws.outcome.parameters})

    def block(some: Draws) -> np.ndarray:
        found = _block(layout, bootstrap, sizes, tables, some)
        tables.open = False
        return found

    held = _HELD if _crosses(layout) else _PER_ROW * layout.size
    return np.concatenate(over_blocks(block, draws, layout.size, held), axis=-1)


def _crosses(layout: Layout) -> bool:
    """Whether nodes take the place of rows, as far as the designs tell."""
    return layout.outcome.functions is None and layout.mediator.sigma is None


def _block(
    layout: Layout, bootstrap: int | None, sizes: Sizes, tables: Tables, draws: Draws
) -> np.ndarray:
    weights = row_weights(layout.rows, draws, bootstrap)
    by_row = np.full((1, layout.size), weights) if np.ndim(weights) == 0 else np.transpose(weights)
    out, alike, known = np.zeros((2, 2, len(draws))), defaultdict(list), list[_Moments]()
    for part in _parts(layout, draws, by_row, sizes):
        # One series for all whose outcome has the same parameters.
        own = (v.tobytes() for name, v in part.at.items() if name.startswith("outcome "))
        alike[(0 if layout.outcome.sigma is None else part.cell[0], *own)].append(part)
    for parts in alike.values():
        series = _series(parts, sizes, tables)
        for part in parts:
            out[part.cell] += _mean(part, series, known)
    return out


def _parts(layout: Layout, draws: Draws, weights: np.ndarray, sizes: Sizes) -> Iterator[_Part]:
    levels = layout.outcome.levels
    made: dict[Any, np.ndarray] = {}
    known: dict[Any, Any] = {}
    for t in ARMS:
        for s in ARMS:
            for level in range(len(levels[t])) if levels else (None,):
                pair, at = pair_of(layout, draws, t, s, level or 0, made)
                at, factor = fewer(pair, at)
                log = np.atleast_2d(factor)
                groups = grouped(at)
                if not groups:
                    yield _part((t, s), pair, at, log, weights, level, sizes, known)
                for rows, same in groups:
                    own = {
                        name: v if len(v) == 1 else v[rows][:1] if name in same else v[rows]
                        for name, v in at.items()
                    }
                    few = log if len(log) == 1 else log[rows]
                    yield _part((t, s), pair, own, few, weights[:, rows], level, sizes, known)


def _part(
    cell: tuple[int, int], pair: Pair, at: Coordinates, factor: np.ndarray, weights: np.ndarray,
    level: int | None, sizes: Sizes, known: dict[Any, Any],
) -> _Part:  # fmt: skip
    # Cells share many of these arrays; known keeps them, so that no other takes their place.
    varying = {n: known.get(id(v)) or _Line(v) for n, v in at.items() if len(v) > 1}
    known |= {id(line.values): line for line in varying.values()}
    if any(name.startswith("outcome ") for name in varying):
        raise Unsuited(f"{', '.join(varying)} differ between rows")
    other = [name for name in varying if name != "base"]
    count = (sizes.base if "base" in varying else 1) * (sizes.other if other else 1)
    rows = weights.shape[1]
    simple = len(other) < 2 and not any(map(is_column, other))
    crossed = simple and count < rows
    if crossed:
        size = {"base": sizes.base, **dict.fromkeys(other, sizes.other)}
        at = at | {name: line.at_nodes(size[name]) for name, line in varying.items()}
    elif not simple and rows > (_FEW_ROWS if pair.mediator.discrete else _MOST_ROWS):
        raise Unsuited(f"{', '.join(varying)} differ between rows")
    own = [v.tobytes() for n, v in at.items() if n == "location" or n.startswith("mediator ")]
    key = (cell[1], level, *own) if pair.mediator.discrete else object()
    if key not in known:
        known[key] = mediator_nodes(pair, at, level, sizes.score)
    found = known[key]
    if level is not None:
        shift = np.zeros((len(found.m), 1, 1))
    elif pair.functions is None:
        shift = at["slope"] * found.m
    else:
        shift = pair.predictor({**at, "base": np.zeros((1, 1))}, found.m)
    _require_end(pair, found, shift)
    return _Part(cell, pair, at, varying, crossed, factor, weights, found, shift)


def _require_end(pair: Pair, found: Nodes, shift: np.ndarray) -> None:
    """A log link can make values of a count matter that its probability does not."""
    if pair.mediator.kind != "count" or pair.outcome.link != "log":
        return
    value = np.repeat(np.arange(len(shift)), np.diff(found.first))
    share = found.w * np.exp(shift - shift.max(axis=0))[value]
    total = share.sum(axis=0)
    ends = [len(shift) - 1] if np.all(found.m[0] == 0.0) else [0, len(shift) - 1]
    if not all(np.all(share[value == end].sum(axis=0) < _END * total) for end in ends):
        raise Unsuited("the sum over the mediator is longer")


def _series(parts: list[_Part], sizes: Sizes, tables: Tables) -> Series:
    """The outcome's series over the reach of some parts."""
    pair, draws = parts[0].pair, len(parts[0].pair.rho)
    spans = []
    for part in parts:
        base = part.base
        together = part.shift if base.shape[1] == 1 else part.shift + base
        own = base if base.shape[1] == 1 else np.zeros((1, 1, 1))
        for least in (np.min, np.max):
            end = least(together, axis=(0, 1)) + least(own, axis=(0, 1))
            spans.append(np.broadcast_to(end, draws))
    span = np.min(spans[::2], axis=0), np.max(spans[1::2], axis=0)
    scores = [part.found.e for part in parts]
    fixed = all(part.found.fixed for part in parts) and pair.mediator.kind == "continuous"
    ends = parts[0].found.ends
    reach: Any = scores[0]
    if ends:
        reach = min(float(e.min()) for e in scores), max(float(e.max()) for e in scores)
    elif not fixed:
        most = max(max(float(np.abs(e).max()) for e in scores), 1.0)
        reach = -most, most
    parameters = pair.parameters(parts[0].at)[1]
    chosen = (sizes.table, sizes.along, sizes.draw)
    return outcome_series(pair.outcome, parameters, pair.rho, span, (reach, ends), chosen, tables)


def _mean(part: _Part, series: Series, known: list[_Moments]) -> np.ndarray:
    """Mean over the rows of a part, shape (S,)."""
    values, factor = series.means(part.found, part.shift, part.base), part.factor
    if series.link and not part.pair.outcome.multiplicative:
        line = part.varying.get("base")
        factor = factor + (part.at["base"] if line is None else line.values)
    draws, rows = values.shape[-1], part.weights.shape[1]
    if part.crossed and part.varying:
        return _over_rows(part, values, factor, known)
    own = np.broadcast_to(values[:, 0] * np.exp(factor), (rows, draws))
    return np.einsum("is,si->s", own, np.broadcast_to(part.weights, (draws, rows)))


def _over_rows(
    part: _Part, values: np.ndarray, factor: np.ndarray, known: list[_Moments]
) -> np.ndarray:
    """The same by moments, from values at nodes (other, base, S)."""
    draws = values.shape[-1]
    common = factor.max(axis=0)
    by_row = _draw_by_draw(factor - common, draws) if len(factor) > 1 else np.zeros((1, 1))
    names = sorted(part.varying, key="base".__eq__)  # the axes of the values
    places = [part.varying[name].places for name in names]
    if len(names) == 1:
        values, places = values.reshape(-1, 1, draws), [*places, np.zeros((1, 1))]
    shape = values.shape[:2]
    asked = [*places, np.ascontiguousarray(part.weights), by_row]
    own = next((one for one in known if one.serves(asked, shape)), None)
    if own is None:
        own = _Moments.of(asked, (draws, *shape))
        known[:] = [own, *known[:1]]
    for axis in (0, 1):
        matrix = transform(values.shape[axis])
        values = np.moveaxis(np.tensordot(matrix, values, axes=(1, axis)), 0, axis)
    return np.asarray(np.einsum("spq,pqs->s", own.found, values) * np.exp(common))


def _draw_by_draw(values: np.ndarray, draws: int) -> np.ndarray:
    """Rows of a draw side by side, shape (S, row)."""
    return np.ascontiguousarray(np.broadcast_to(values, (len(values), draws)).T)
