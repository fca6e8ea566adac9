"""Formulas become design matrices.

A formula is code: formulaic evaluates the functions in it. Formulas come from the user's own
call only; one that was read from a file is never evaluated.
"""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
from formulaic import Formula
from formulaic.errors import FormulaicError
from scipy import linalg

from bayesmed.data.centring import centred_basis, numeric_means
from bayesmed.data.design import Design, finite
from bayesmed.data.formula import INTERCEPT, Parsed
from bayesmed.data.rowwise import refuse_whole_columns
from bayesmed.data.text_terms import refuse_text_in_arithmetic
from bayesmed.families.listing import few, short


def build_design(
    parsed: Parsed, data: pd.DataFrame, equation: str, cutpoints: bool = False
) -> Design:
    """Evaluate one formula on the complete rows.

    Parameters
    ----------
    parsed : Parsed
    data : pandas.DataFrame
    equation : str
    cutpoints : bool
        Leave the constant to free cutpoints.

    Raises
    ------
    ValueError
        If a term looks at more rows than one or cannot be evaluated, a column is not finite,
        or columns are collinear.
    """
    refuse_text_in_arithmetic(parsed, data, equation)
    refuse_whole_columns(parsed, data, equation)
    try:
        matrix = Formula(parsed.rhs).get_model_matrix(data, context={}, na_action="ignore")
    except (FormulaicError, ValueError) as error:
        raise ValueError(
            f"A term of the {equation} formula {short(parsed.text)} cannot be evaluated: {error}"
        ) from None
    values = np.asarray(matrix, dtype=float)
    terms = tuple(map(str, matrix.columns))
    broken = [term for term, column in zip(terms, values.T, strict=True) if not finite(column)]
    if broken:
        raise ValueError(
            f"{few(broken)} in the {equation} formula is not finite in some rows; the function in it "
            "does not exist at the data's values."
        )
    kept = np.arange(len(terms))
    if cutpoints:
        kept = np.array([j for j, term in enumerate(terms) if term != INTERCEPT], dtype=int)
        constant = np.column_stack([np.ones(len(values)), values[:, kept]])
        terms = tuple(terms[j] for j in kept)
        _refuse_collinear(constant, ("the cutpoints", *terms), equation)
        values = values[:, kept]
    else:
        _refuse_collinear(values, terms, equation)
    design = Design(parsed, matrix.model_spec, values, terms, kept)
    basis = centred_basis(design, data, numeric_means(data), values.mean(axis=0), cutpoints)
    return replace(design, basis=basis)


def _refuse_collinear(matrix: np.ndarray, terms: tuple[str, ...], equation: str) -> None:
    if not terms:
        raise ValueError(f"The {equation} formula has no terms.")
    zero = [term for term, column in zip(terms, matrix.T, strict=True) if not column.any()]
    if zero:
        raise ValueError(
            f"{few(zero)} of the {equation} design is zero in every row; leave it out. Where it is one of an "
            "interaction's, no row has these levels together: merge levels, or leave the interaction out."
        )
    scaled = matrix / np.sqrt((matrix**2).mean(axis=0))
    triangle, pivots = linalg.qr(scaled, mode="r", pivoting=True)[-2:]
    diagonal = np.abs(np.diag(triangle))
    rank = int((diagonal > 1e-9 * max(diagonal[0], 1e-300)).sum())
    if rank == len(terms):
        return
    if len(matrix) < len(terms):
        raise ValueError(
            f"The {equation} design has {len(terms)} columns but only {len(matrix)} rows; "
            "use fewer terms."
        )
    kept, extra = pivots[:rank], pivots[rank]
    weights = linalg.lstsq(scaled[:, kept], scaled[:, extra])[0]
    others = [terms[j] for j, weight in zip(kept, weights, strict=True) if abs(weight) > 1e-6]
    raise ValueError(
        f"The {equation} design is collinear: {terms[extra]!r} is a combination of {few(others)}; "
        f"{_without(terms[extra], others)}."
    )


def _without(extra: str, others: list[str]) -> str:
    """What to do about a column that is a combination of others."""
    splines = re.compile(r"((?:bs|cr|cc|cs)\(.*)\)\[\d+\]$")
    found = {name.group(1) for name in map(splines.match, (extra, *others)) if name}
    if not found:
        return "leave one of them out"
    spline = min(found)
    if spline.startswith("bs(") or "constraints" in spline:
        return f"leave out the other terms that {spline}) holds already, or its include_intercept"
    return f"write {spline}, constraints='center'), and leave out other terms that it holds already"
