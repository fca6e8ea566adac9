r"""What the default prior of a coefficient speaks of: a design whose columns are centred before products.

The coefficient of ``t`` in ``t * x`` is the effect of t at x = 0, wherever the zero of x lies. A prior
on it would depend on that origin. Default priors speak of the coefficients of the same design
written in deviations from means,

.. math:: X b = Z g, \qquad Z_{T} = \prod_{f \in T} (X_f - \bar X_f), \qquad g = C b,

so that adding a constant to a column, or changing its unit, changes no posterior of an effect.
"""

import itertools
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import linalg

from bayesmed.data.design import Design
from bayesmed.data.formula import INTERCEPT, NoRows

_EXACT = 1e-9


def centred_basis(
    design: Design,
    frame: pd.DataFrame,
    means: Mapping[str, float],
    columns: np.ndarray,
    cutpoints: bool = False,
) -> np.ndarray:
    """The matrix C of ``g = C b``, shape (term, term).

    The row of the intercept gives the linear predictor at the means of the columns. A product whose
    lower terms are not all in the formula is centred as far as they are.

    Parameters
    ----------
    frame : pandas.DataFrame
        Complete rows, or some that show the linear relations between the columns.
    means, columns : mapping of str to float, and numpy.ndarray
        Means over all rows: of the numeric variables, and of the design's columns.
    cutpoints : bool
        Free cutpoints supply the constant.
    """
    constant = np.zeros(len(columns)) if cutpoints else constant_in(design)
    shifted, to_shifted, rest = _in_deviations(design, frame, means, cutpoints)
    own = np.linalg.solve(to_shifted.T, columns - rest)
    basis = np.linalg.solve(_products(design, own, shifted, constant), to_shifted)
    if INTERCEPT in design.terms:
        basis[design.terms.index(INTERCEPT)] = columns
    return np.asarray(basis)


def numeric_means(frame: pd.DataFrame) -> dict[str, float]:
    """Means of the columns that are numbers."""
    numbers = frame.select_dtypes("number")
    return {str(name): float(value) for name, value in numbers.mean().items()}


def constant_in(design: Design) -> np.ndarray | None:
    """Weights of the columns that give one in every row, where there are such."""
    terms = design.terms
    if INTERCEPT in terms:
        return np.eye(len(terms))[terms.index(INTERCEPT)]
    scaled = design.matrix / np.abs(design.matrix).max(axis=0)
    weights = linalg.lstsq(scaled, np.ones(len(scaled)))[0]
    if np.abs(scaled @ weights - 1.0).max() > _EXACT:
        return None
    found = np.where(np.abs(weights) > _EXACT, weights, 0.0)
    return np.asarray(found / np.abs(design.matrix).max(axis=0))


def _in_deviations(
    design: Design, frame: pd.DataFrame, means: Mapping[str, float], cutpoints: bool
) -> tuple[dict[str, float], np.ndarray, np.ndarray]:
    """Variables inside functions, such as I(x**2), taken as deviations where the formula allows it.

    Returns the means of all numeric variables after that, the matrix that gives the coefficients,
    and what of each column cutpoints take up.
    """
    inside = [
        name
        for factor in design.spec.factors
        if factor.eval_method.value == "python" and not design.spec.transform_state.get(factor.expr)
        for name in design.variables_of(factor)
        if name in means
    ]
    left, moved, matrix = dict(means), frame, np.eye(len(design.terms))
    rest = np.zeros(len(design.terms))
    for name in dict.fromkeys(inside):
        trial = moved.assign(**{name: moved[name] - left[name]})
        try:
            rows = design.rows(trial)
        except NoRows:  # such as the logarithm of a deviation
            continue
        size = np.abs(rows).max(axis=0)
        if not size.all():
            continue
        columns = rows / size
        if cutpoints:  # which are the constant that a square of deviations needs
            columns = np.column_stack([columns, np.ones(len(rows))])
        weights, _, rank, _ = linalg.lstsq(columns, design.matrix)
        gap = np.abs(columns @ weights - design.matrix).max(axis=0)
        if rank == columns.shape[1] and (gap <= _EXACT * np.abs(design.matrix).max(axis=0)).all():
            left[name], moved, matrix = 0.0, trial, weights[: len(size)] / size[:, None]
            rest = weights[len(size) :].sum(axis=0)
    return left, matrix, rest


def _products(
    design: Design,
    columns: np.ndarray,
    variables: Mapping[str, float],
    constant: np.ndarray | None,
) -> np.ndarray:
    """Columns of products of deviations, as combinations of the design's."""
    size = len(design.terms)
    parts = column_parts(design)
    place = {frozenset(own): j for j, own in enumerate(parts)}
    middle = {**variables}
    for j, own in enumerate(parts):  # but for dummies of all levels, which make the constant
        if len(own) == 1 and (constant is None or constant[j] == 0.0):
            middle[own[0]] = columns[j]
    unit = np.eye(size)
    found = np.eye(size)
    for j, own in enumerate(parts):
        for chosen in _subsets([part for part in own if part in middle]):
            rests = {away: frozenset(own) - set(away) for away in _subsets(chosen)}
            lower = [
                unit[place[r]] if r in place else None if r else constant for r in rests.values()
            ]
            if any(column is None for column in lower):
                continue
            for away, column in zip(rests, lower, strict=True):
                assert column is not None
                found[:, j] += float(np.prod([-middle[part] for part in away])) * column
            break
    return found


def _subsets(parts: Any) -> list[tuple[str, ...]]:
    """All but the empty one, the largest first."""
    sizes = range(len(parts), 0, -1)
    return [some for size in sizes for some in itertools.combinations(parts, size)]


def column_parts(design: Design) -> list[tuple[str, ...]]:
    """The columns that each column of the design is the product of; none for the constant."""
    found: dict[str, tuple[str, ...]] = {}
    for term, _, names in design.spec.structure:
        exprs = [f.expr for f in term.factors if f.eval_method.value != "literal"]
        for name in map(str, names):
            found[name] = () if name == INTERCEPT else _split(name, exprs)
    return [found[term] for term in design.terms]


def _split(name: str, exprs: list[str]) -> tuple[str, ...]:
    for some in _subsets(exprs):
        pattern = ":".join(rf"({re.escape(expr)}(?:\[.*\])?)" for expr in some)
        matched = re.fullmatch(pattern, name)
        if matched:
            return matched.groups()
    return (name,)
