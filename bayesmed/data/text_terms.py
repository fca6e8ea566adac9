"""Arithmetic on columns of text, refused before it fails."""

import pandas as pd
from formulaic import Formula

from bayesmed.data.formula import Parsed, calculated_in
from bayesmed.data.texts import number_as_text


def refuse_text_in_arithmetic(parsed: Parsed, data: pd.DataFrame, equation: str) -> None:
    """Refuse ``I(age - 45)`` and ``center(age)`` where age is text or a factor.

    Raises
    ------
    ValueError
        Naming the column, and what to write.
    """
    factors = {factor.expr: factor for term in Formula(parsed.rhs) for factor in term.factors}
    for text, factor in factors.items():
        for name in calculated_in(factor):
            column = data.get(name)
            if column is None or not isinstance(column.dtype, pd.CategoricalDtype):
                continue
            how = number_as_text(name, column.cat.categories) or (
                f"is a factor. Make a column of numbers of it first, or write C({name})."
            )
            raise ValueError(
                f"{text!r} in the {equation} formula calculates with {name!r}, which {how}"
            )
