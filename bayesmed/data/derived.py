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

from bayesmed.data.design import sizes
from bayesmed.data.frame import is_categorical
from bayesmed.data.roles import is_cut
from bayesmed.data.warn import warn

#: Rows on which columns are compared first.
_PROBES = 64
#: Residuals below this share of a column's spread are rounding.
_ROUNDING = 1e-9
#: Fewer different values of a variable do not tell its functions apart.
_FEWEST = 8
#: Most levels of a factor, or values of a column, that are taken as groups.
_MOST = 10
#: Decimals up to which a column may have been rounded.
_DECIMALS = 6
#: In units of the last decimal: the greatest residual that rounding leaves to least squares, and the
#: spread that a function must have beyond its variables, so that no coarse column seems rounded.
_LEFT, _BEYOND = 0.75, 4.0
#: Below this probability rows fell into the arms as they did by no chance.
_CHANCE = 1e-6


@dataclass(frozen=True)
class Function:
    """What a column may be linear in: ``own`` holds the variable, ``rest`` does not."""

    written: str
    own: tuple[np.ndarray, ...]
    rest: tuple[np.ndarray, ...] = ()
    partner: str = ""
    variable: np.ndarray | None = None

    def linear(self, rows: Any) -> np.ndarray:
        """A constant, the rest and the variable itself on some rows."""
        return self._beside(rows, self.own[0] if self.variable is None else self.variable)

    def basis(self, rows: Any) -> np.ndarray:
        """A constant, the rest and the own columns on some rows."""
        return self._beside(rows, *self.own)

    def _beside(self, rows: Any, *columns: np.ndarray) -> np.ndarray:
        picked = [one[rows] for one in (*self.rest, *columns)]
        return np.column_stack([np.ones(len(picked[0])), *picked])

    def is_sum(self, column: np.ndarray) -> bool:
        """Whether a column is linear in the variable itself and the rest."""
        return bool(_explained(self.linear(slice(None)), column[:, None])[0])

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
    others: pd.DataFrame | None = None,
) -> None:
    """Refuse covariates, of either formula, that are functions of the treatment or of the mediator.

    Parameters
    ----------
    own : sequence of str
        Variables of the mediator's formula. Where they give the mediator by a sum, that is judged
        as an exact fit.
    others : pandas.DataFrame, optional
        Columns that stand in no formula, of which one may be the moderator.
    """
    if len(frame) < _FEWEST:
        return
    numeric = [name for name in covariates if not is_categorical(frame[name])]
    numbers = {name: frame[name].to_numpy(dtype=float) for name in numeric}
    unused = _whole_numbers(others)
    for role, name in (("mediator", mediator), ("treatment", treatment)):
        if role == "mediator":
            _refuse_ranges(frame, covariates, mediator)
        if not numbers or (role == "mediator" and is_categorical(frame[name])):
            continue
        partners = [*covariates, *([treatment] if role == "mediator" else [])]
        for function in _functions(frame, name, partners):
            found = _given_by(numbers, function)
            if found is None:
                continue
            if not ({found, function.partner} <= set(own) and function.is_sum(numbers[found])):
                _refuse(found, function, numbers, role, name)
        for function in _products(name, frame[name], unused):
            found = None if function.cells else _given_by(numbers, function)
            if found is None or function.is_sum(numbers[found]):
                continue
            if _is_product(numbers[found], function) > 0:
                _refuse(found, function, {}, role, name)
    _warn_one_arm(numbers, frame[treatment])


def _whole_numbers(others: pd.DataFrame | None) -> dict[str, pd.Series]:
    """Columns of numbers without a missing value."""
    if others is None:
        return {}
    plain = others.select_dtypes("number")
    whole = {str(name): plain[name].astype(float) for name in plain if plain[name].notna().all()}
    return {name: column for name, column in whole.items() if np.isfinite(column).all()}


def _refuse(
    found: str, function: Function, numbers: Mapping[str, np.ndarray], role: str, name: str
) -> None:
    written, partner = function.written, function.partner
    sure = _is_product(numbers[found], function) if partner in numbers else 1
    if sure < 0:
        found, partner, written = partner, found, f"{name}:{found}"
    which = f"{found!r} is computed from the {role} {name!r}"
    mend = f"Write {written} in the formula in its place."
    if partner:
        which += f" and {partner!r}"
        if not numbers:
            mend = f"Write {name} * {partner} in the formula in its place."
    if sure == 0:
        which += f", or {partner!r} from it and {found!r}"
        mend = f"Leave out the one that was computed, and write {name} * x with the other as x."
    raise ValueError(
        f"{which}; counterfactual rows keep such a column as it was observed, so what the "
        f"treatment does through it would be left out. {mend}"
    )


def _is_product(column: np.ndarray, function: Function) -> int:
    """Whether a column is the product and its partner the factor (1), the reverse (-1), or either (0).

    Where each gives the other, as with a treatment coded -1 and 1, the one computed has more
    decimals, or differs more by arm.
    """
    of, partner = function.own[0], function.rest[0]
    back = Function("", (of, of * column), (column,))
    if not _given_beyond(back, slice(None), partner[:, None])[0]:
        return 1
    more = _decimals(column) - _decimals(partner)
    if more:
        return 1 if more > 0 else -1
    apart = abs(np.corrcoef(column, of)[0, 1]) - abs(np.corrcoef(partner, of)[0, 1])
    return int(np.sign(apart)) if abs(apart) > 4.0 / np.sqrt(len(of)) else 0


def _warn_one_arm(numbers: Mapping[str, np.ndarray], treatment: pd.Series) -> None:
    """Warn of columns that are one constant in an arm and vary in another, by no chance.

    Those of two values are left alone: the group of difference in differences is such a one.
    """
    levels = sorted(treatment.unique().tolist(), key=str)
    if not 1 < len(levels) <= _MOST:
        return
    for name, values in numbers.items():
        for level in () if _two_valued(values) else levels:
            here = (treatment == level).to_numpy()
            first = values[here][0]
            others = int((values[~here] != first).sum())
            constant = np.all(values[here] == first) and any(
                np.ptp(values[(treatment == one).to_numpy()]) > 0.0 for one in levels
            )
            if constant and (1.0 - here.mean()) ** others < _CHANCE:
                warn(
                    f"{name!r} is {first:g} in every row with {treatment.name} = {level} and varies "
                    "elsewhere: it may be a product with the treatment made as a column, or known in "
                    "one arm only. Counterfactual rows keep it as it was observed, so what the "
                    f"treatment does through it is left out. If it is a product, write "
                    f"{treatment.name} * x in the formulas, x the moderator; if it is measured in one "
                    "arm only, leave it out."
                )
                break


def _two_valued(values: np.ndarray) -> bool:
    return bool(np.all((values == values.min()) | (values == values.max())))


def _refuse_ranges(frame: pd.DataFrame, covariates: Sequence[str], mediator: str) -> None:
    """Refuse what has a value for each of the mediator's; ask about ranges, as a site can be one."""
    for name in covariates:
        few = frame[name].nunique()
        if few > _MOST or not is_cut(frame[name], frame[mediator]):
            continue
        if few == frame[mediator].nunique() == len(frame[[name, mediator]].drop_duplicates()):
            form = _form_of(frame[name], mediator, frame[mediator])
            mend = form or "the function of the mediator"
            raise ValueError(
                f"The values of {name!r} are a function of the mediator {mediator!r}; counterfactual "
                "rows keep it as it was observed, so what the treatment does through it would be left "
                f"out. Write {mend} in the outcome formula in its place, or leave it out."
            )
        warn(
            f"The values of {name!r} are ranges of the mediator {mediator!r}: if {name!r} was "
            f"computed from {mediator!r}, write that function of the mediator in the outcome formula "
            "in its place, since counterfactual rows keep a column as it was observed; if it is a "
            "group of its own, such as a site, all is well."
        )


def _form_of(column: pd.Series, name: str, variable: pd.Series) -> str:
    """The form that gives a column one to one with a variable of few values."""
    if is_categorical(column) or is_categorical(variable) or variable.nunique() < 4:
        return ""
    values = {"": column.to_numpy(dtype=float)}
    for form in _forms(name, variable.to_numpy(dtype=float)):
        if _given_by(values, form) is not None:
            return form.written
    return ""


def _forms(name: str, of: np.ndarray) -> Iterator[Function]:
    """Functions of one variable, alone and beside it."""
    forms = {f"I({name}**2)": of**2}
    if of.min() > 0.0:
        forms[f"log({name})"] = np.log(of)
    if of.min() >= 0.0:
        forms[f"np.sqrt({name})"] = np.sqrt(of)
    for written, values in forms.items():
        yield Function(written, (values,), variable=of)
    for written, values in forms.items():
        yield Function(written, (of, values))
    yield Function(f"I({name}**3)", (of, of**2, of**3))


def _functions(frame: pd.DataFrame, name: str, partners: Sequence[str]) -> Iterator[Function]:
    if not is_categorical(frame[name]) and frame[name].nunique() >= _FEWEST:
        yield from _forms(name, frame[name].to_numpy(dtype=float))
    yield from _products(name, frame[name], {partner: frame[partner] for partner in partners})


def _products(
    name: str, variable: pd.Series, partners: Mapping[str, pd.Series]
) -> Iterator[Function]:
    for of in _numbers_of(variable):
        for partner, column in partners.items():
            for values in _numbers_of(column):
                yield Function(f"{name}:{partner}", (of, of * values), (values,), partner)


def _numbers_of(column: pd.Series) -> list[np.ndarray]:
    """A number as it is, a factor as indicators of its levels."""
    if not is_categorical(column):
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
    """Which columns are linear in all of a function's columns on some rows, but not in the rest.

    Those that an export rounded count where the function explains far more than rounding.
    """
    basis = function.basis(rows)
    without = basis[:, : 1 + len(function.rest)]
    exact = _explained(basis, columns) & ~_explained(without, columns)
    if len(basis) < 4 * basis.shape[1]:
        return exact
    left = np.abs(_residuals(basis, columns)).max(axis=0)
    beyond = np.sqrt(np.mean(_residuals(function.linear(rows), columns) ** 2, axis=0))
    near = ~exact & (left * _BEYOND <= beyond * _LEFT) & (beyond > 0.0)
    for place in np.flatnonzero(near):
        unit = _unit(columns[:, place])
        exact[place] = left[place] <= _LEFT * unit and beyond[place] >= _BEYOND * unit
    return exact


def _unit(values: np.ndarray) -> float:
    """In what steps a column was rounded, by an export or to single precision; 0 where it was not."""
    decimals = _decimals(values)
    if decimals <= _DECIMALS:
        return float(10.0**-decimals)
    single = np.array_equal(values, values.astype(np.float32))
    return float(2.0 * np.finfo(np.float32).eps * np.abs(values).max()) if single else 0.0


def _decimals(values: np.ndarray) -> int:
    """Decimals to which a column was rounded; one more than can be told where it was not."""
    for decimals in range(_DECIMALS + 1):
        scaled = values * 10.0**decimals
        if np.all(np.abs(scaled - np.round(scaled)) <= 1e-9 * np.maximum(1.0, np.abs(scaled))):
            return decimals
    return _DECIMALS + 1


def _explained(basis: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Which columns are linear in a basis, but for the rounding of arithmetic."""
    rest = _residuals(basis, columns)
    return np.asarray(np.abs(rest).max(axis=0) <= _ROUNDING * np.abs(columns).max(axis=0))


def _residuals(basis: np.ndarray, columns: np.ndarray) -> np.ndarray:
    directions = np.linalg.qr(basis / sizes(basis))[0]
    return np.asarray(columns - directions @ (directions.T @ columns))
