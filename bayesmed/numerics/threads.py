"""Threads of our own, in which BLAS starts none of its own."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def single_blas() -> Iterator[None]:
    """Keep BLAS to one thread: on the cores that ours use, its threads wait for one another."""
    with _controller().limit(limits=1, user_api="blas"):
        yield


@contextmanager
def threads(count: int | None = None) -> Iterator[ThreadPoolExecutor]:
    """A pool of threads, one for each core by default."""
    with single_blas(), ThreadPoolExecutor(count or os.cpu_count()) as pool:
        yield pool
