"""Batches of work on Dask, sent again where a worker dies with their data."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distributed import Client

#: Times that a batch is sent.
_ROUNDS = 3

#: A batch, what came of it, and why nothing did.
Done = tuple[list[Any], Any, str]


def on_workers(
    client: "Client",
    function: Callable[[Any, list[Any]], Any],
    sets: dict[Any, Any],
    batches: list[tuple[Any, list[Any]]],
) -> Iterator[Done]:
    """Apply ``function(data, batch)`` on the workers, in the order in which they end.

    Parameters
    ----------
    client : distributed.Client
    function : callable
    sets : dict
        Data by label.
    batches : list of (label, list)

    Yields
    ------
    batch : list
    result : object
    reason : str
        Why there is no result; empty where there is.
    """
    for _ in range(_ROUNDS):
        lost: list[tuple[Any, list[Any]]] = []
        yield from _round(client, function, sets, batches, lost)
        batches = lost
    for _, batch in batches:
        yield batch, None, f"The workers that held its data were lost {_ROUNDS} times."


def _round(
    client: "Client", function: Callable[[Any, list[Any]], Any], sets: dict[Any, Any],
    batches: list[tuple[Any, list[Any]]], lost: list[tuple[Any, list[Any]]],
) -> Iterator[Done]:  # fmt: skip
    """Every batch once; ``lost`` gets those whose data went with a worker."""
    from distributed import as_completed

    remote: Any = client  # whose methods have no types
    labels = dict.fromkeys(label for label, _ in batches)
    held = {label: remote.scatter(sets[label], broadcast=True, hash=False) for label in labels}
    futures = {
        remote.submit(function, held[label], batch, pure=False): (label, batch)
        for label, batch in batches
    }
    try:
        for future in as_completed(list(futures)):  # type: ignore[no-untyped-call]
            label, batch = futures[future]
            if future.status == "finished":
                yield batch, future.result(), ""
            elif future.status == "error":
                error = future.exception()
                yield batch, None, f"{type(error).__name__}: {error}"
            else:
                lost.append((label, batch))
    finally:
        remote.cancel(list(futures))
