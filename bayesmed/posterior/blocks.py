"""Draws in blocks, so that no array of rows x draws is held, on all processors."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from bayesmed.numerics.threads import threads
from bayesmed.posterior.draws import Draws

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
    function: Callable[[Draws, np.ndarray | float, R | None], R],
    draws: Draws,
    rows: int,
    held: int,
    bootstrap: int | None,
    weights: np.ndarray | None = None,
) -> list[R]:
    """Apply a function to blocks of draws.

    Parameters
    ----------
    function : callable
        ``function(block, weights, first)`` with the weights of the rows, shape (obs, S) or one
        number, and its own result for the first block, None there.
    held : int
        Numbers that the function holds for each draw, beside some for each row.
    bootstrap : int or None
        Seed of the Bayesian bootstrap.
    weights : numpy.ndarray, optional
        Of the rows, summing to one, shape (obs,); equal where None.

    Returns
    -------
    list
        Results in order.
    """
    size = max(1, (_LIMIT.get() or _BLOCK) // max(rows, held))
    starts = range(0, len(draws), size)

    def run(start: int, first: R | None) -> R:
        block = draws.block(slice(start, start + size))
        own: np.ndarray | float = 1.0 / rows if weights is None else weights[:, None]
        if bootstrap is not None:
            index = block.index if block.index is not None else np.arange(start, start + len(block))
            share = dirichlet(bootstrap, index, rows)
            own = share if weights is None else share * weights[:, None]
            own = own / np.sum(own, axis=0)
        # Overflow and 0/0 are looked for in the results.
        with np.errstate(all="ignore"):
            return function(block, own, first)

    first = run(0, None)
    if len(starts) == 1:
        return [first]
    with threads(min(os.cpu_count() or 1, _THREADS)) as pool:
        return [first, *pool.map(lambda start: run(start, first), starts[1:])]


def dirichlet(seed: int, index: np.ndarray, rows: int) -> np.ndarray:
    """Dirichlet(1, ..., 1) weights of the rows for some draws, shape (obs, S).

    Each draw has a generator of its own, so that neither blocks nor draws that are left out matter.
    """
    weights = np.empty((len(index), rows))
    for i, draw in enumerate(index):
        np.random.default_rng((seed, int(draw))).standard_exponential(out=weights[i])
    return (weights / weights.sum(axis=1, keepdims=True)).T
