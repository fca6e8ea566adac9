"""Draws in blocks, so that no array of rows x draws is held, on all processors."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace

import numpy as np

from bayesmed.numerics.threads import threads
from bayesmed.posterior.draws import Draws
from bayesmed.system.rows import Counterfactuals

_BLOCK = 2_000_000
_THREADS = 4
_LIMIT: ContextVar[int | None] = ContextVar("limit", default=None)


@contextmanager
def at_most(numbers: int) -> Iterator[None]:
    """Keep each array of rows and draws to so many numbers, where one draw's rows allow it."""
    token = _LIMIT.set(min(numbers, _BLOCK))
    try:
        yield
    finally:
        _LIMIT.reset(token)


def over_blocks[R](
    function: Callable[[Draws], R], draws: Draws, rows: int, held: int = 1
) -> list[R]:
    """Apply a function to blocks of draws: to the first, and then to the others at once.

    Parameters
    ----------
    held : int
        Numbers that the function holds for each draw, beside some for each row.

    Returns
    -------
    list
        Results in order.
    """
    size = max(1, (_LIMIT.get() or _BLOCK) // max(rows, held))
    if draws.index is None:
        draws = replace(draws, index=np.arange(len(draws)))
    first, *others = (draws.block(slice(i, i + size)) for i in range(0, len(draws), size))

    def run(block: Draws) -> R:
        # Overflow and 0/0 are looked for in the results.
        with np.errstate(all="ignore"):
            return function(block)

    found = [run(first)]
    if others:
        with threads(min(os.cpu_count() or 1, _THREADS)) as pool:
            found += pool.map(run, others)
    return found


def row_weights(rows: Counterfactuals, block: Draws, bootstrap: int | None) -> np.ndarray | float:
    """Weights of the rows for a block of :func:`over_blocks`, shape (obs, S or 1), or one number.

    ``bootstrap`` is the seed of the Bayesian bootstrap.
    """
    own: np.ndarray | float = 1.0 / rows.n if rows.weights is None else rows.weights[:, None]
    if bootstrap is None:
        return own
    assert block.index is not None
    share = dirichlet(bootstrap, block.index, rows.n)
    own = share if rows.weights is None else share * own
    return own / np.sum(own, axis=0)


def dirichlet(seed: int, index: np.ndarray, rows: int) -> np.ndarray:
    """Dirichlet(1, ..., 1) weights of the rows for some draws, shape (obs, S).

    Each draw has a generator of its own, so that neither blocks nor draws that are left out matter.
    """
    weights = np.empty((len(index), rows))
    for i, draw in enumerate(index):
        np.random.default_rng((seed, int(draw))).standard_exponential(out=weights[i])
    return (weights / weights.sum(axis=1, keepdims=True)).T
