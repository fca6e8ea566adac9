r"""Fewer rows with the same likelihood.

Equal rows of a discrete response are one row that counts as often as it occurs. For a Gaussian
equation the rows of R in :math:`[X\; y] = QR` give :math:`\sum_i (y_i - x_i'\beta)^2` exactly, and
a row of zeros, whose residual is zero, supplies the terms of the density that no data enter. The
likelihood remains that of the families; only the rows that it sums over are others.
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from bayesmed.data.distinct import distinct_rows
from bayesmed.system.equation import Equation
from bayesmed.system.system import System

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


def condense(model: System) -> dict[str, Rows | None]:
    """Rows for the likelihood of each equation; None where all are needed."""
    equations = list(model.equations.values())
    if model.counted is not None:
        found = _of_many(equations, model.counted, model.independent)
    elif model.independent:
        found = [_one(equation) for equation in equations]
    else:
        found = _jointly(equations)
    return dict(zip(model.equations, found, strict=True))


def _of_many(equations: list[Equation], count: int, independent: bool) -> list[Rows | None]:
    """Gaussian equations by their moments; rows of the others are read in passes."""
    gaussian = [equation.family.is_normal for equation in equations]
    if not (independent or all(gaussian)):
        return [None] * len(equations)
    return [
        _moments(one, count) if own else None for one, own in zip(equations, gaussian, strict=True)
    ]


def _moments(equation: Equation, count: int) -> Rows:
    """Rows that have the moments of many: each counts as its share of them."""
    design, values = equation.design.matrix, equation.response.values
    return Rows(design, values, {}, np.full(len(values), count / len(values)))


def _jointly(equations: list[Equation]) -> list[Rows | None]:
    """All Gaussian: one rotation for all, since residuals of a row belong together."""
    if not all(_is_gaussian(equation) for equation in equations):
        return [None] * len(equations)
    parts = [np.column_stack(_columns(equation)) for equation in equations]
    rotated = triangle(np.column_stack(parts))
    ends = np.cumsum([part.shape[1] for part in parts])[:-1]
    return [
        _with_constant(own[:, :-1], own[:, -1], len(parts[0]))
        for own in np.split(rotated, ends, axis=1)
    ]


def _one(equation: Equation) -> Rows | None:
    if _is_gaussian(equation):
        design, values = _columns(equation)
        rotated = triangle(np.column_stack([design, values]))
        return _with_constant(rotated[:, :-1], rotated[:, -1], len(values))
    if equation.family.discrete and equation.sigma is None:
        return _counted(equation)
    return None


def _is_gaussian(equation: Equation) -> bool:
    plain = equation.family.is_normal and equation.sigma is None
    design = equation.design.matrix
    return plain and not equation.response.rowwise and len(design) > design.shape[1] + 2


def _columns(equation: Equation) -> tuple[np.ndarray, np.ndarray]:
    response = equation.response
    values = response.values if response.offset is None else response.values - response.offset
    return equation.design.matrix, values


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


def _counted(equation: Equation) -> Rows | None:
    """Equal rows put together, in the order in which they first occur."""
    response, design = equation.response, equation.design.matrix
    columns = dict(response.rowwise)
    if response.offset is not None:
        columns["offset"] = response.offset
    found = distinct_rows([*design.T, response.values, *columns.values()])
    if found is None:
        return None
    first, inverse = found
    own = {name: value[first] for name, value in columns.items()}
    return Rows(design[first], response.values[first], own, np.bincount(inverse).astype(float))
