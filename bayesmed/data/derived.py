"""Covariates that a user computed from the treatment or the mediator.

Counterfactual rows keep covariates as they were observed. So a product or a square made as a
column, unlike one that is written in the formula, stays at its observed value where the treatment
or the mediator takes another, and effects through it would be left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayesmed.data.roles import is_cut

#: Rows on which columns are compared first.
_PROBES = 64
#: Residuals below this share of a column's spread are rounding.
_ROUNDING = 1e-9
#: Fewer different values of a variable do not tell its functions apart.
_FEWEST = 8
#: Most levels of a factor, or values of a column, that are taken as groups.
_MOST = 10


@dataclass(frozen=True)
class Function:
    """What a column may be linear in: ``own`` holds the variable, ``rest`` does not."""

    written: str
    own: tuple[np.ndarray, ...]
    rest: tuple[np.ndarray, ...] = ()
    partner: str = ""

    def basis(self, rows: Any) -> np.ndarray:
        """A constant, the rest and the own columns on some rows."""
        columns = [one[rows] for one in (*self.rest, *self.own)]
        return np.column_stack([np.ones(len(columns[0])), *columns])

    def is_sum(self, column: np.ndarray) -> bool:
        """Whether a column is linear in the variable itself and the rest."""
        basis = self.basis(slice(None))[:, : 2 + len(self.rest)]
        return bool(_explained(basis, column[:, None])[0])

    @property
    def cells(self) -> bool:
        """Whether two variables of two values each make it, so that any column may seem to be one."""
        pair = (self.own[0], *self.rest)
        return len(pair) == 2 and all(_two_valued(one) for one in pair)


def refuse_derived(
    frame: pd.DataFrame,
    covariates: Sequence[str],
    treatment: str,
    mediator: str,
    own: Sequence[str],
) -> None:
    """Refuse covariates that are functions of the treatment or of the mediator.

    Parameters
    ----------
    frame : pandas.DataFrame
        The complete rows.
    covariates : sequence of str
        Those of either formula.
    treatment, mediator : str
    own : sequence of str
        Variables of the mediator's formula. Where they give the mediator by a sum, that is judged
        as an exact fit.

    Raises
    ------
    ValueError
        For a product with a covariate or with one another, a square, cube, root or logarithm, and
        for ranges of the mediator; it says how to write them in the formula.
    """
    if len(frame) < _FEWEST:
        return
    numbers = {
        name: frame[name].to_numpy(dtype=float) for name in covariates if _numeric(frame[name])
    }
    for role, name in (("mediator", mediator), ("treatment", treatment)):
        if role == "mediator":
            _refuse_ranges(frame, covariates, mediator)
        if not _numeric(frame[name]) or not numbers:
            continue
        partners = [*covariates, *([treatment] if role == "mediator" else [])]
        for function in _functions(frame, name, partners):
            found = _given_by(numbers, function)
            if found is None or (
                {found, function.partner} <= set(own) and function.is_sum(numbers[found])
            ):
                continue
            which = f"{found!r} is computed from the {role} {name!r}"
            if function.partner not in ("", treatment):  # from values alone neither is the first
                which += f" and {function.partner!r}, or {function.partner!r} from it"
            raise ValueError(
                f"{which}; counterfactual rows keep such a column as it was observed, so what the "
                f"treatment does through it would be left out. Write {function.written} in the formula "
                "in its place."
            )


def _two_valued(values: np.ndarray) -> bool:
    return bool(np.all((values == values.min()) | (values == values.max())))


def _numeric(column: pd.Series) -> bool:
    return not isinstance(column.dtype, pd.CategoricalDtype)


def _refuse_ranges(frame: pd.DataFrame, covariates: Sequence[str], mediator: str) -> None:
    for name in covariates:
        if frame[name].nunique() <= _MOST and is_cut(frame[name], frame[mediator]):
            raise ValueError(
                f"The values of {name!r} are ranges of the mediator {mediator!r}; counterfactual rows "
                "keep it as it was observed, so what the treatment does through it would be left out. "
                "Write the function of the mediator in the outcome formula, or leave it out."
            )


def _functions(frame: pd.DataFrame, name: str, partners: Sequence[str]) -> Iterator[Function]:
    of = frame[name].to_numpy(dtype=float)
    if len(np.unique(of)) >= _FEWEST:
        yield Function(f"I({name}**2)", (of, of**2))
        yield Function(f"I({name}**3)", (of, of**2, of**3))
        if of.min() >= 0.0:
            yield Function(f"np.sqrt({name})", (of, np.sqrt(of)))
        if of.min() > 0.0:
            yield Function(f"log({name})", (of, np.log(of)))
    for partner in partners:
        for values in _numbers_of(frame[partner]):
            yield Function(f"{name}:{partner}", (of, of * values), (values,), partner)


def _numbers_of(column: pd.Series) -> list[np.ndarray]:
    """A number as it is, a factor as indicators of its levels."""
    if _numeric(column):
        return [column.to_numpy(dtype=float)]
    levels = column.cat.categories
    if len(levels) > _MOST:
        return []
    return [(column == level).to_numpy(dtype=float) for level in levels]


def _given_by(numbers: Mapping[str, np.ndarray], function: Function) -> str | None:
    """The first column that the function gives, and that it does not give without the variable."""
    if function.cells:  # then each column that is a function of both counts, such as a period
        product = function.own[1]
        zeros = all(set(np.unique(one)) <= {0.0, 1.0} for one in (*function.own, *function.rest))
        others = {name: values for name, values in numbers.items() if name != function.partner}
        same = [name for name, values in others.items() if np.array_equal(values, product)]
        return same[0] if zeros and same else None
    few = np.unique(np.linspace(0, len(function.own[0]) - 1, _PROBES).astype(int))
    candidates = _given_beyond(function, few, np.column_stack([v[few] for v in numbers.values()]))
    for name in np.array(list(numbers), dtype=object)[candidates]:
        if _given_beyond(function, slice(None), numbers[name][:, None])[0]:
            return str(name)
    return None


def _given_beyond(function: Function, rows: Any, columns: np.ndarray) -> np.ndarray:
    """Which columns are linear in all of a function's columns on some rows, but not in the rest."""
    basis = function.basis(rows)
    without = basis[:, : 1 + len(function.rest)]
    return _explained(basis, columns) & ~_explained(without, columns)


def _explained(basis: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Which columns are linear in a basis, but for rounding."""
    scale = np.abs(basis).max(axis=0)
    scaled = basis / np.where(scale > 0.0, scale, 1.0)
    directions = np.linalg.qr(scaled)[0]
    rest = columns - directions @ (directions.T @ columns)
    return np.asarray(np.abs(rest).max(axis=0) <= _ROUNDING * np.abs(columns).max(axis=0))
