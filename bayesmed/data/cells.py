"""Cells of the data, in a user's terms: rows with one value of a variable, or of two."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayesmed.data.design import Design, sizes
from bayesmed.data.formula import INTERCEPT
from bayesmed.families.listing import in_words

#: A number with more values than this is no grouping, unless a formula takes it as a factor.
_MOST_VALUES = 12
#: Numbers held while cells are looked for in the columns.
_BLOCK = 10_000_000


@dataclass(frozen=True)
class Cell:
    """Rows, by their positions, in which some variables have one value each."""

    names: tuple[str, ...]
    values: tuple[Any, ...]
    rows: np.ndarray

    def __str__(self) -> str:
        return " and ".join(
            f"{n} = {plain(v)}" for n, v in zip(self.names, self.values, strict=True)
        )


def plain(value: Any) -> str:
    """A value as a message shows it."""
    return f"{value:g}" if isinstance(value, (int, float, np.number)) else repr(value)


def where(cells: list[Cell]) -> str:
    """Cells in words: ``"site = 3, 7, 9, ... (38 in all)"``."""
    if len({cell.names for cell in cells}) == 1 and len(cells[0].names) == 1:
        return f"{cells[0].names[0]} = {in_words(plain(cell.values[0]) for cell in cells)}"
    return in_words((str(cell) for cell in cells), most=2)


def factors(design: Design) -> dict[str, str]:
    """Variables that a design takes as factors, each with the term that does."""
    found: dict[str, str] = {}
    for factor in design.spec.factors:
        kind = design.spec.encoder_state.get(factor.expr, ("",))[0]
        if getattr(kind, "value", "") == "categorical":
            for name in design.variables_of(factor):
                found[name] = factor.expr
    return found


def cells_where(
    design: Design, data: pd.DataFrame, holds: Callable[[np.ndarray], bool]
) -> list[Cell]:
    """Cells of one variable, or else of two, that a design tells from all other rows.

    Those of whose rows ``holds`` is true, and whose indicator is a combination of the design's columns.
    """
    known, own = factors(design), design.parsed.variables
    names = [name for name in own if name in known or data[name].nunique() <= _MOST_VALUES]
    basis = None
    for size in (1, 2):
        found = [
            cell
            for own in itertools.combinations(names, size)
            for cell in _cells(data, own)
            if holds(cell.rows)
        ]
        if found:
            basis = _basis(design) if basis is None else basis
            told = _told_apart(basis, found)
            if told:
                return told
    return []


def _cells(data: pd.DataFrame, names: tuple[str, ...]) -> list[Cell]:
    groups = data.groupby(list(names), observed=True, sort=True).indices
    return [
        Cell(names, key if isinstance(key, tuple) else (key,), np.asarray(rows))
        for key, rows in groups.items()
    ]


def _basis(design: Design) -> np.ndarray:
    """Orthonormal columns that span the design, and the constant that cutpoints supply."""
    matrix = design.matrix
    if INTERCEPT not in design.terms and len(design.kept) < len(design.spec.column_names):
        matrix = np.column_stack([np.ones(len(matrix)), matrix])
    return np.linalg.qr(matrix / sizes(matrix))[0]


def _told_apart(basis: np.ndarray, cells: list[Cell]) -> list[Cell]:
    """Cells whose indicator the basis spans."""
    kept, size = [], max(1, _BLOCK // len(basis))
    for start in range(0, len(cells), size):
        block = cells[start : start + size]
        wanted = np.zeros((len(basis), len(block)))
        for column, cell in enumerate(block):
            wanted[cell.rows, column] = 1.0
        gap = np.abs(wanted - basis @ (basis.T @ wanted)).max(axis=0)
        kept += [cell for cell, left in zip(block, gap, strict=True) if left < 1e-7]
    return kept
