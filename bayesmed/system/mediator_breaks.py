"""Steps and kinks of the outcome's design along a continuous mediator, such as ``I(m > 0)``."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from bayesmed.data.design import Design
from bayesmed.families.family import Family
from bayesmed.numerics.breaks import MOST, TooMany, breaks
from bayesmed.numerics.piecewise import Functions

#: Rows whose functions of the mediator are searched, where these differ between rows.
_ROWS = 200
_EVEN, _QUANTILES, _SPREADS, _CLOSE = 62, 65, 10.0, 1e-4
#: Values that the mediator repeats and that are looked at, and how far beside them.
_REPEATED, _BESIDE, _APART = 200, 1e-9, 1e-6


def break_points(
    outcome: Design,
    arms: list[pd.DataFrame],
    rows_at: Callable[..., np.ndarray],
    mediator: str,
    treatment: str,
    family: Family,
) -> tuple[float, ...]:
    """Values of the mediator at which the outcome's design has a step or a kink.

    Parameters
    ----------
    arms : list of pandas.DataFrame
        The rows under either arm.
    rows_at : callable
        ``rows_at(arm, m, rows)``.
    family : Family
        The mediator's.
    """
    along = _Along(rows_at, outcome.holding(mediator))
    values = arms[0][mediator].to_numpy(dtype=float)
    texts, others = _functions(outcome, mediator, treatment)
    differing = np.flatnonzero(~arms[0].duplicated(others)) if others else np.empty(0, dtype=int)
    some = differing[:: len(differing) // _ROWS + 1]
    levels = _one_of_each(arms[0], others)
    shown = [np.abs(outcome.rows(arm)[:, along.moving]).argmax(axis=0) for arm in arms]
    try:
        found = _search(along.of(np.unique(np.concatenate([some, levels, *shown]))), values, family)
        if len(found) and len(some) < len(differing):
            for start in (0, 1):
                half = _search(along.of(np.union1d(some[start::2], levels)), values, family)
                if len(half) != len(found) or np.abs(half - found).max() > _APART * values.std():
                    raise TooMany
    except TooMany:
        where = "that differ between rows" if len(some) > 1 else f"which are more than {MOST}"
        raise ValueError(
            f"{texts} of the outcome formula {outcome.parsed.text!r} has steps or kinks at values of "
            f"the mediator {where}, so its mean over the mediator is not computed. Write few "
            f"steps, at values that all rows share, as in I({mediator} > {np.median(values):.3g}), or "
            f"a smooth function such as bs({mediator}, df=5, extrapolation='extend')."
        ) from None
    _refuse_points(along.of(np.unique(shown)), values, f"{texts} of the outcome formula", family)
    return tuple(map(float, found))


@dataclass(frozen=True)
class _Along:
    """The columns of the outcome's design that hold the mediator, as functions of it."""

    rows_at: Callable[..., np.ndarray]
    moving: np.ndarray

    def of(self, rows: np.ndarray) -> Functions:
        """Of some rows under both arms: from shape (n,) to (n, arm * row * column)."""
        return partial(self._at, rows)

    def _at(self, rows: np.ndarray, m: np.ndarray) -> np.ndarray:
        designs = np.concatenate([self.rows_at(arm, m, rows)[..., self.moving] for arm in (0, 1)])
        return np.moveaxis(designs, 1, 0).reshape(len(m), -1)


def _functions(outcome: Design, mediator: str, treatment: str) -> tuple[list[str], list[str]]:
    """Functions of the mediator, and the covariates that stand in them."""
    factors = {factor.expr: factor for factor in outcome.spec.factors}
    used = {text: outcome.variables_of(factor) for text, factor in factors.items()}
    inside = {text: names for text, names in used.items() if mediator in names}
    texts = [text for text in inside if text.strip("`") != mediator]
    others = {name for names in inside.values() for name in names} - {mediator, treatment}
    return texts, sorted(others)


def _one_of_each(frame: pd.DataFrame, names: list[str]) -> np.ndarray:
    """A row for each value of the columns that have few, so that no rare value is passed over."""
    few = [name for name in names if frame[name].nunique() <= MOST]
    chosen = [np.flatnonzero(~frame.duplicated(name)) for name in few]
    return np.unique(np.concatenate([np.empty(0, dtype=int), *chosen]))


def _search(function: Functions, values: np.ndarray, family: Family) -> np.ndarray:
    """Breaks over the reach of the mediator, on the log scale where it is positive."""
    log = values.min() > 0.0 and bool(family.valid(np.array(1e3 * values.max())))
    log = log and not family.valid(np.array(-1.0))
    scaled = np.log(values) if log else values
    high = values.max() + _SPREADS * values.std()
    low = scaled.min() - _SPREADS * scaled.std()
    even = np.linspace(low, np.log(high) if log else high, _EVEN)
    if not log:
        even = even[np.asarray(family.valid(even))]
    inner = np.quantile(scaled, np.linspace(0.0, 1.0, _QUANTILES))
    edges = np.union1d(even, inner)
    edges = edges[np.append(True, np.diff(edges) > _CLOSE * (edges[-1] - edges[0]))]
    # Of size one, so that a large constant hides nothing.
    seen = function(np.exp(inner) if log else inner)
    middle = np.median(seen, axis=0)
    size = np.abs(seen - middle).max(axis=0)
    size[size == 0.0] = 1.0

    def scaled_function(x: np.ndarray) -> np.ndarray:
        return (function(np.exp(x) if log else x) - middle) / size

    found = breaks(scaled_function, edges)
    return np.exp(found) if log else found


def _refuse_points(function: Functions, values: np.ndarray, what: str, family: Family) -> None:
    """Refuse what is not zero at single values only, such as ``I(m == 0)``."""
    own, counts = np.unique(values, return_counts=True)
    own = own[np.argsort(-counts, kind="stable")[: min(_REPEATED, int((counts > 1).sum()))]]
    if not len(own):
        return
    step = _BESIDE * values.std()
    at, below, above = (function(own + shift) for shift in (0.0, -step, step))
    alone = np.minimum(np.abs(at - below), np.abs(at - above)) > _APART * np.abs(at).max(
        initial=0.0
    )
    points = own[alone.any(axis=1)]
    if len(points):
        raise ValueError(
            f"{what} has a value of its own at single values of the mediator ({points[0]:g}), which a "
            f"{family.name} mediator takes with probability zero. A mediator with many rows at one "
            "value needs a family that has them, such as a count or an ordered one."
        )
