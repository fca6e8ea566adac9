"""Formulas become design matrices, whose terms give a row the same value whatever other rows there are.

Formulas are evaluated anew on counterfactual rows, on groups and on parts of the rows. A function
of a whole column, such as ``x - x.mean()`` or ``x.rank()``, is another function there.

A formula is code: formulaic evaluates the functions in it. Formulas come from the user's own
call only; one that was read from a file is never evaluated.
"""

import re
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from formulaic import Formula, ModelSpec
from formulaic.errors import FormulaicError
from scipy import linalg

from bayesmed.data.centring import centred_basis, numeric_means
from bayesmed.data.design import Design, evaluated, finite
from bayesmed.data.formula import INTERCEPT, Parsed, calculated_in, is_elementwise, names_in
from bayesmed.data.frame import is_categorical
from bayesmed.data.texts import number_as_text
from bayesmed.families.listing import few, short

#: Rows that are evaluated together in another order, rows alone drawn at random, and columns of
#: a term of which the ends are evaluated alone.
_TOGETHER, _ALONE, _COLUMNS = 2000, 6, 4
#: In units of the largest value of a column; differences below it are rounding.
_SAME = 1e-9


def build_design(
    parsed: Parsed, data: pd.DataFrame, equation: str, cutpoints: bool = False
) -> Design:
    """Evaluate one formula on the complete rows; ``cutpoints`` leaves the constant to these."""
    _refuse_text_in_arithmetic(parsed, data, equation)
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


def _factors(parsed: Parsed) -> dict[str, Any]:
    return {factor.expr: factor for term in Formula(parsed.rhs) for factor in term.factors}


def _refuse_text_in_arithmetic(parsed: Parsed, data: pd.DataFrame, equation: str) -> None:
    """Refuse ``I(age - 45)`` and ``center(age)`` where age is text or a factor, before they fail."""
    for text, factor in _factors(parsed).items():
        for name in calculated_in(factor):
            column = data.get(name)
            if column is None or not is_categorical(column):
                continue
            how = number_as_text(name, column.cat.categories) or (
                f"is a factor. Make a column of numbers of it first, or write C({name})."
            )
            raise ValueError(
                f"{text!r} in the {equation} formula calculates with {name!r}, which {how}"
            )


def refuse_whole_columns(parsed: Parsed, frame: pd.DataFrame, equation: str) -> None:
    """Evaluate a formula's terms on some of the rows, and on rows alone, and compare.

    Terms made of operators and of functions known to look at one row are passed over.
    """
    for text, factor in _factors(parsed).items():
        if is_elementwise(factor):
            continue
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                matrix = Formula(f"{{{text}}} - 1").get_model_matrix(
                    frame, context={}, na_action="ignore"
                )
                values = np.asarray(matrix, dtype=float)
            except Exception:  # the whole formula fails too, and says why
                return
            alike = all(
                _same(matrix.model_spec, values, frame, rows) for rows in _companies(values)
            )
        if not alike:
            used = frame[names_in(factor, parsed.variables)]
            raise ValueError(_looks_at_others(text, used.select_dtypes("number"), equation))


def _looks_at_others(text: str, numbers: pd.DataFrame, equation: str) -> str:
    found = (
        f"{text!r} in the {equation} formula looks at other rows: the same row gets another value when "
        "other rows stand beside it, as they do when the effects are computed. "
    )
    column = "ake a column of it before the fit, which then has its role in every formula."
    if numbers.empty:
        return f"{found}M{column}"
    name, mean = numbers.columns[0], numbers.iloc[:, 0].mean()
    return (
        f"{found}Write center({name}) or scale({name}), which keep the mean and the spread of the "
        f"data, or the number itself, as in I({name} - {mean:.4g}); or m{column}"
    )


def _companies(values: np.ndarray) -> list[np.ndarray]:
    """Sets of rows to compare: some in another order, and some alone."""
    n, rng = len(values), np.random.default_rng(0)
    mixed = rng.permutation(n)[:_TOGETHER]
    seen = np.nan_to_num(values[:, :_COLUMNS])
    alone = np.unique([*seen.argmin(axis=0), *seen.argmax(axis=0), *mixed[:_ALONE]])
    return [mixed[: max(1, n // 2)], *(np.array([row]) for row in alone)]


def _same(spec: ModelSpec, values: np.ndarray, frame: pd.DataFrame, rows: np.ndarray) -> bool:
    try:
        found = evaluated(spec, frame.iloc[rows].reset_index(drop=True))
    except Exception:  # whatever a function of all rows may raise on one
        return False
    if found.shape != (len(rows), values.shape[1]):
        return False
    scale = np.abs(values).max(axis=0, initial=0.0, where=np.isfinite(values))
    near = np.isclose(found, values[rows], rtol=0.0, atol=_SAME * scale, equal_nan=True)
    return bool(near.all())
