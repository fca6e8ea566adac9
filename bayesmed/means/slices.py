"""Means over rows taken some rows at a time, so that their memory has a bound."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmed.families.listing import is_number
from bayesmed.posterior.blocks import at_most
from bayesmed.system.rows import Counterfactuals, RowSource

#: Arrays of rows that a mean holds at once, in all threads together.
_ARRAYS = 64
_NUMBERS_PER_GB = 1e9 / 8
_LEAST = 0.05


@dataclass(frozen=True)
class Slices:
    """Rows of which some are used at a time.

    Attributes
    ----------
    rows : Counterfactuals
    at_once : int
        So many of them.
    numbers : int
        So many in each array of rows and draws.
    """

    rows: Counterfactuals
    at_once: int
    numbers: int

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.rows.n

    @property
    def held(self) -> Counterfactuals:
        """All of them."""
        return self.rows

    def mean(self, function: Callable[[Counterfactuals], np.ndarray]) -> np.ndarray:
        """Average, over all rows, what a function makes of some of them."""
        total: Any = 0.0
        with at_most(self.numbers):
            for start in range(0, self.n, self.at_once):
                index = np.arange(start, min(start + self.at_once, self.n))
                weights = self.rows.weights
                share = len(index) / self.n if weights is None else float(weights[index].sum())
                if share > 0.0:
                    total = total + share * function(self.rows.take(index))
        return np.asarray(total)


def numbers_within(memory: Any) -> int:
    """How many numbers each working array of rows and draws may have.

    Raises
    ------
    ValueError
        If the memory is no number of gigabytes, or too little for anything.
    """
    if not is_number(memory) or not memory >= _LEAST:
        raise ValueError(
            f"memory must be a number of gigabytes of {_LEAST:g} or more; {memory!r} was given."
        )
    return int(memory * _NUMBERS_PER_GB / _ARRAYS)


def sliced(rows: RowSource, memory: Any) -> RowSource:
    """Rows by slices, so that working arrays stay within some gigabytes; as they are without a bound."""
    if memory is None or not isinstance(rows, Counterfactuals):
        return rows
    numbers = numbers_within(memory)
    designs = (rows.mediator.base, rows.outcome.base, rows.outcome.slope)
    each = sum(np.size(part) for part in designs if part is not None) / rows.n + _ARRAYS
    return Slices(rows, max(1, int(memory * _NUMBERS_PER_GB / each)), numbers)
