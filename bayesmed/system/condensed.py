r"""Fewer rows with the same likelihood.

Equal rows of a discrete response are one row that counts as often as it occurs. For a Gaussian
equation the rows of R in :math:`[X\; y] = QR` give :math:`\sum_i (y_i - x_i'\beta)^2` exactly, and
a row of zeros, whose residual is zero, supplies the terms of the density that no data enter. The
likelihood remains that of the families; only the rows that it sums over are others.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import linalg

from bayesmed.families.catalogue import FAMILIES
from bayesmed.system.rows import Counterfactuals
from bayesmed.system.system import System

#: Equal rows are put together where at most this share of the rows is left.
_WORTHWHILE = 0.5
#: Rows that show whether many are equal, before all are compared.
_TRIAL = 4000
#: Rows that are rotated at once, to bound the memory.
_ROTATED = 500_000


@dataclass(frozen=True)
class Rows:
    """Rows of one equation and how often each counts.

    Attributes
    ----------
    design : numpy.ndarray
        Shape (row, term).
    values : numpy.ndarray
        The response, shape (row,).
    columns : dict of str to numpy.ndarray
        What else the likelihood reads by row, ``offset`` among it.
    weights : numpy.ndarray
        Shape (row,); they sum to the number of observations.
    """

    design: np.ndarray
    values: np.ndarray
    columns: dict[str, np.ndarray]
    weights: np.ndarray


def condense(model: System) -> tuple[Rows | None, Rows | None]:
    """Rows for the likelihood of the mediator and the outcome; None where all are needed."""
    if model.counted is not None:
        return _of_many(model)
    if not model.independent:
        return _jointly(model)
    first, second = (_one(model, place) for place in (0, 1))
    return first, second


def _of_many(model: System) -> tuple[Rows | None, Rows | None]:
    """Gaussian equations by their moments; rows of the others are read in passes."""
    gaussian = [family is FAMILIES["gaussian"] for family in model.families]
    if not (model.independent or all(gaussian)):
        return None, None
    first, second = (_moments(model, i) if own else None for i, own in enumerate(gaussian))
    return first, second


def _moments(model: System, place: int) -> Rows:
    """Rows that have the moments of many: each counts as its share of them."""
    assert model.counted is not None
    design, values = model.designs[place].matrix, model.responses[place].values
    return Rows(design, values, {}, np.full(len(values), model.counted / len(values)))


def _jointly(model: System) -> tuple[Rows | None, Rows | None]:
    """Both Gaussian: one rotation for both, since residuals of a row belong together."""
    if not (_is_gaussian(model, 0) and _is_gaussian(model, 1)):
        return None, None
    parts = [_columns(model, place) for place in (0, 1)]
    rotated = triangle(np.column_stack([*parts[0], *parts[1]]))
    n, width = len(parts[0][1]), parts[0][0].shape[1]
    return (
        _with_constant(rotated[:, :width], rotated[:, width], n),
        _with_constant(rotated[:, width + 1 : -1], rotated[:, -1], n),
    )


def _one(model: System, place: int) -> Rows | None:
    if _is_gaussian(model, place):
        design, values = _columns(model, place)
        rotated = triangle(np.column_stack([design, values]))
        return _with_constant(rotated[:, :-1], rotated[:, -1], len(values))
    if model.families[place].discrete and model.scale_designs[place] is None:
        return _counted(model, place)
    return None


def _is_gaussian(model: System, place: int) -> bool:
    plain = model.families[place] is FAMILIES["gaussian"] and model.scale_designs[place] is None
    design = model.designs[place].matrix
    return plain and not model.responses[place].rowwise and len(design) > design.shape[1] + 2


def _columns(model: System, place: int) -> tuple[np.ndarray, np.ndarray]:
    response = model.responses[place]
    values = response.values if response.offset is None else response.values - response.offset
    return model.designs[place].matrix, values


def triangle(columns: np.ndarray) -> np.ndarray:
    """R of the columns' QR decomposition, some rows at a time; shape (at most column, column)."""
    kept = np.empty((0, columns.shape[1]))
    for start in range(0, len(columns), _ROTATED):
        stacked = np.concatenate([kept, columns[start : start + _ROTATED]])
        kept = linalg.qr(stacked, mode="r", overwrite_a=True, check_finite=False)[0]
        kept = kept[: columns.shape[1]]
    return kept


def _with_constant(design: np.ndarray, values: np.ndarray, n: int) -> Rows:
    weights = np.append(np.ones(len(design)), n - len(design))
    return Rows(
        np.concatenate([design, np.zeros((1, design.shape[1]))]), np.append(values, 0.0), {},
        weights.astype(float),
    )  # fmt: skip


def _counted(model: System, place: int) -> Rows | None:
    """Equal rows put together, in the order in which they first occur."""
    response, design = model.responses[place], model.designs[place].matrix
    columns = dict(response.rowwise)
    if response.offset is not None:
        columns["offset"] = response.offset
    stacked = [*design.T, response.values, *columns.values()]
    n = len(design)
    some = np.linspace(0, n - 1, min(n, _TRIAL)).astype(int)
    if len(np.unique(_codes([c[some] for c in stacked]))) > _WORTHWHILE * len(some):
        return None
    codes = _codes(stacked)
    _, first, weights = np.unique(codes, return_index=True, return_counts=True)
    if len(first) > _WORTHWHILE * n:
        return None
    own = {name: value[first] for name, value in columns.items()}
    return Rows(design[first], response.values[first], own, weights.astype(float))


def _codes(columns: list[np.ndarray]) -> np.ndarray:
    """One whole number for each distinct row, in the order in which they first occur."""
    codes = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        # A missing limit of censoring is a value like any other here.
        own, levels = pd.factorize(column, use_na_sentinel=False)
        codes, _ = pd.factorize(codes * len(levels) + own)
    return codes


def merge_equal(rows: Counterfactuals) -> Counterfactuals:
    """Counterfactual rows with equal ones put together, weighted by how many they are.

    The same rows where few are equal, or where the design is not kept in full.
    """
    n = rows.mediator.shape[1]
    if rows.rows_at is not None:
        return rows
    by_row = [*rows.mediator, *(rows.base if rows.base is not None else ())]
    by_row += [*(rows.slope if rows.slope is not None else ())]
    if rows.by_level is not None:
        by_row += [level for arm in rows.by_level for level in arm]
    for sigma in (rows.mediator_sigma, rows.outcome_sigma):
        by_row += [*(sigma if sigma is not None else ())]
    columns = [column for block in by_row for column in block.T]
    columns += [c for c in (rows.mediator_offset, rows.outcome_offset) if c is not None]
    for own in (rows.mediator_columns, rows.outcome_columns):
        columns += [column for name, column in own.items() if name != "scores"]
    some = np.linspace(0, n - 1, min(n, _TRIAL)).astype(int)
    if len(np.unique(_codes([c[some] for c in columns]))) > _WORTHWHILE * len(some):
        return rows
    _, first, inverse = np.unique(_codes(columns), return_index=True, return_inverse=True)
    if len(first) > _WORTHWHILE * n:
        return rows
    weights = np.full(n, 1.0 / n) if rows.weights is None else rows.weights
    merged = replace(rows, weights=None).take(first)
    return replace(merged, weights=np.bincount(inverse, weights))
