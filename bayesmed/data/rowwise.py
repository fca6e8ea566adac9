"""Every term gives a row the same value, whatever other rows stand beside it.

Formulas are evaluated anew on counterfactual rows, on groups and on parts of the rows. A function
of a whole column, such as ``x - x.mean()`` or ``x.rank()``, is another function there.
"""

import warnings
from typing import Any

import numpy as np
import pandas as pd
from formulaic import Formula, ModelSpec
from formulaic.errors import DataMismatchWarning

from bayesmed.data.formula import Parsed, is_elementwise, names_in

#: Rows that are evaluated together in another order, rows alone drawn at random, and columns of
#: a term of which the ends are evaluated alone.
_TOGETHER, _ALONE, _COLUMNS = 2000, 6, 4
#: In units of the largest value of a column; differences below it are rounding.
_SAME = 1e-9


def refuse_whole_columns(parsed: Parsed, frame: pd.DataFrame, equation: str) -> None:
    """Evaluate a formula's terms on some of the rows, and on rows alone, and compare.

    Terms made of operators and of functions known to look at one row are passed over.

    Parameters
    ----------
    parsed : Parsed
    frame : pandas.DataFrame
        The complete rows.
    equation : str

    Raises
    ------
    ValueError
        If a row has another value beside other rows; the message names the term and the mend.
    """
    factors = {factor.expr: factor for term in Formula(parsed.rhs) for factor in term.factors}
    for text, factor in factors.items():
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
            raise ValueError(_refusal(text, used.select_dtypes("number"), equation))


def _refusal(text: str, numbers: pd.DataFrame, equation: str) -> str:
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
    part = frame.iloc[rows].reset_index(drop=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataMismatchWarning)
        try:
            found: Any = spec.get_model_matrix(part, context={}, na_action="ignore")
            found = np.asarray(found, dtype=float)
        except Exception:  # whatever a function of all rows may raise on one
            return False
    if found.shape != (len(rows), values.shape[1]):
        return False
    scale = np.abs(values).max(axis=0, initial=0.0, where=np.isfinite(values))
    wanted = values[rows]
    near = np.isclose(found, wanted, rtol=0.0, atol=_SAME * scale, equal_nan=True)
    return bool(near.all())
