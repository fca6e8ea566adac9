"""Which rows are equal in every column."""

import numpy as np
import pandas as pd

#: Equal rows are put together where at most this share of the rows is left.
_WORTHWHILE = 0.5
#: Rows that show whether many are equal, before all are compared.
_TRIAL = 4000


def distinct_rows(columns: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray] | None:
    """Which rows are the first of those equal to them, and which of these each row equals.

    Parameters
    ----------
    columns : list of numpy.ndarray
        Each of shape (row,).

    Returns
    -------
    tuple of numpy.ndarray or None
        In the order in which distinct rows first occur; None where few rows are equal.
    """
    n = len(columns[0])
    some = np.linspace(0, n - 1, min(n, _TRIAL)).astype(int)
    if len(np.unique(_codes([column[some] for column in columns]))) > _WORTHWHILE * len(some):
        return None
    _, first, inverse = np.unique(_codes(columns), return_index=True, return_inverse=True)
    return None if len(first) > _WORTHWHILE * n else (first, inverse)


def _codes(columns: list[np.ndarray]) -> np.ndarray:
    """One whole number for each distinct row, in the order in which they first occur."""
    codes = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        # A missing limit of censoring is a value like any other here.
        own, levels = pd.factorize(column, use_na_sentinel=False)
        codes, _ = pd.factorize(codes * len(levels) + own)
    return codes
