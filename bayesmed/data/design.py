"""The design matrix of one equation, and its formula on new rows.

A formula is code: formulaic evaluates the functions in it. Formulas come from the user's own
call only; one that was read from a file is never evaluated.
"""

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from formulaic import ModelSpec
from formulaic.errors import DataMismatchWarning, FormulaicError

from bayesmed.data.formula import NoRows, Parsed, names_in
from bayesmed.families.listing import few


@dataclass(frozen=True)
class Design:
    """One equation on the complete rows.

    Attributes
    ----------
    parsed : Parsed
    spec : formulaic.ModelSpec
        Kept so that new rows get the same coding, knots and centring.
    matrix : numpy.ndarray
        Observed rows, shape (obs, term).
    terms : tuple of str
        Column names.
    kept : numpy.ndarray
        Columns of the formula's matrix that are used: all, or all but the constant where
        free cutpoints supply it.
    basis : numpy.ndarray
        ``basis @ coef`` are the coefficients that default priors speak of, shape (term, term);
        see :func:`bayesmed.data.centring.centred_basis`.
    """

    parsed: Parsed
    spec: ModelSpec
    matrix: np.ndarray
    terms: tuple[str, ...]
    kept: np.ndarray
    basis: np.ndarray = field(default_factory=lambda: np.eye(0))

    def rows(self, frame: pd.DataFrame) -> np.ndarray:
        """Evaluate the right-hand side on new rows, shape (obs, term)."""
        try:
            rows = evaluated(self.spec, frame)[:, self.kept]
        except (FormulaicError, DataMismatchWarning) as error:
            raise NoRows(self.parsed.text, str(error).splitlines()[0]) from None
        broken = [t for t, c in zip(self.terms, rows.T, strict=True) if not finite(c)]
        if broken:
            raise NoRows(self.parsed.text, f"{few(broken)} is not finite")
        return rows

    def uses(self, term: Any, variable: str) -> bool:
        """Whether any factor of a term depends on a variable."""
        return any(variable in self.variables_of(factor) for factor in term.factors)

    def variables_of(self, factor: Any) -> list[str]:
        """The columns of the data that a factor of a term uses."""
        return names_in(factor, self.parsed.variables)

    def holding(self, variable: str) -> np.ndarray:
        """Which columns depend on a variable, boolean of shape (term,)."""
        flags: list[bool] = []
        for part in self.spec.structure:
            flags.extend([self.uses(part.term, variable)] * len(part.columns))
        return np.array(flags)[self.kept]

    def is_affine(self, variable: str, log: bool = False) -> bool:
        """Whether every column is affine in a numeric variable, or in its logarithm.

        True where each term holds the variable at most once, and then as itself, not inside
        a function (other than the logarithm, where that is asked).
        """
        forms = {f"log({variable})", f"np.log({variable})"} if log else {variable}
        for term in self.spec.formula:
            inside = [f for f in term.factors if variable in self.variables_of(f)]
            if len(inside) > 1 or any(
                factor.expr.replace("`", "") not in forms for factor in inside
            ):
                return False
        return True

    def knots(self, variable: str) -> tuple[float, ...]:
        """Knots of the splines of a variable, where its columns are not smooth."""
        found: set[float] = set()
        for factor in self.spec.factors:
            if variable in self.variables_of(factor):
                state = self.spec.transform_state.get(factor.expr, {})
                found.update(float(knot) for knot in state.get("knots", ()))
        return tuple(sorted(found))


def evaluated(spec: ModelSpec, frame: pd.DataFrame) -> np.ndarray:
    """A formula's matrix on other rows than its own; a level that these lacked is an error."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error", DataMismatchWarning)
        matrix: Any = spec.get_model_matrix(frame, context={}, na_action="ignore")
        return np.asarray(matrix, dtype=float)


def finite(values: np.ndarray) -> bool:
    return bool(np.isfinite(values).all())


def sizes(columns: np.ndarray) -> np.ndarray:
    """The largest value of each column in size; one where all are zero."""
    size = np.abs(columns).max(axis=0, initial=0.0)
    return np.where(size > 0.0, size, 1.0)


def column_variables(design: Design) -> list[list[str]]:
    """The data columns behind each column of a design."""
    found = []
    for part in design.spec.structure:
        used = [name for name in design.parsed.variables if design.uses(part.term, name)]
        found += [used] * len(part.columns)
    return [found[j] for j in design.kept]
