"""The observed response of an equation: checked, coded, with the data its family needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from bayesmed.family import Family
from bayesmed.frame import Frame

#: Data columns any equation may have; the others depend on the family.
ALWAYS = ("offset",)
_SHOWN = 5


@dataclass(frozen=True)
class Response:
    """One equation's response on the complete rows.

    Attributes
    ----------
    values : numpy.ndarray
        Shape (obs,), float; categories are coded 0, 1, ...
    columns : dict of str to numpy.ndarray
        ``trials``, ``event``, ``lower``, ``upper`` of shape (obs,); for an ordered family
        ``scores`` of shape (category,).
    offset : numpy.ndarray or None
        Added to the linear predictor, shape (obs,).
    levels : tuple
        Categories of an ordered response in their order.
    """

    values: np.ndarray
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    offset: np.ndarray | None = None
    levels: tuple[Any, ...] = ()

    @property
    def rowwise(self) -> dict[str, np.ndarray]:
        """The columns that the likelihood reads, each of shape (obs,)."""
        return {name: value for name, value in self.columns.items() if name != "scores"}


def data_variables(data: Mapping[str, Any] | None, equation: str, family: Family) -> list[str]:
    """Names of the columns that an equation's data mapping refers to.

    Raises
    ------
    TypeError
        If it is not a mapping from names to columns or numbers.
    ValueError
        If the family has no use for a name, or needs one that is not given.
    """
    given = {} if data is None else data
    allowed = (*family.needs, *family.takes, *ALWAYS)
    if not isinstance(given, Mapping):
        raise TypeError(
            f"{equation}_data must be a mapping such as {{{allowed[0]!r}: 'column'}}; {data!r} was "
            "given."
        )
    unknown = [name for name in given if name not in allowed]
    if unknown:
        raise ValueError(
            f"{equation}_data has {unknown}, of which the {family.name} family has no use; it takes "
            f"{list(allowed)}."
        )
    missing = [name for name in family.needs if name not in given]
    if missing:
        raise ValueError(
            f"The {family.name} family needs {missing}: give {equation}_data={{{missing[0]!r}: "
            "'column'}."
        )
    for name, value in given.items():
        number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
        if not isinstance(value, str) and not (number and np.isfinite(value)):
            raise TypeError(
                f"{equation}_data[{name!r}] must be the name of a column, or a number; {value!r} was "
                "given."
            )
    if family.name == "tobit" and not {"lower", "upper"} & set(given):
        raise ValueError(
            f"The tobit family needs the limit at which values are censored: give {equation}_data="
            "{'lower': 0.0}, or {'upper': ...}, a number or a column."
        )
    return [value for value in given.values() if isinstance(value, str)]


def build_response(
    frame: Frame,
    name: str,
    family: Family,
    data: Mapping[str, Any] | None,
    equation: str,
    given_levels: list[Any] | None = None,
) -> Response:
    """Check the response against its family's support and collect its data columns.

    Parameters
    ----------
    frame : Frame
    name : str
        The response.
    family : Family
    data : mapping, optional
        Column names or numbers by ``trials``, ``exposure``, ``offset``, ``event``,
        ``lower``, ``upper``.
    equation : str
    given_levels : list, optional
        The categories as the user declared them.

    Raises
    ------
    ValueError
        For values outside the support, and for data columns that are not usable.
    """
    if family.kind == "ordered":
        values, levels, scores = _ordered(frame, name, family, equation, given_levels)
    else:
        values, levels, scores = _numbers(frame, name, family, equation), (), None
    columns = {
        key: _column(frame, value, key, equation)
        for key, value in (data or {}).items()
        if key not in ("offset", "exposure")
    }
    _check_trials(frame, name, values, columns, equation)
    _check_censoring(frame, name, values, columns, equation)
    if scores is not None:
        columns["scores"] = scores
    return Response(values, columns, offset_of(frame, data, equation), levels)


def offset_of(frame: Frame, data: Mapping[str, Any] | None, equation: str) -> np.ndarray | None:
    """The offset plus the logarithm of the exposure, shape (obs,), or None."""
    given = data or {}
    total = None
    if "offset" in given:
        total = _column(frame, given["offset"], "offset", equation)
    if "exposure" in given:
        exposure = _column(frame, given["exposure"], "exposure", equation)
        _refuse(frame, exposure, ~(exposure > 0.0), f"The exposure {given['exposure']!r}", "it must be positive")
        total = np.log(exposure) + (0.0 if total is None else total)
    return total


def _refuse(frame: Frame, values: Any, bad: np.ndarray, what: str, rule: str) -> None:
    """Raise if any row is bad, naming rows (of the data as given) and values."""
    if not bad.any():
        return
    rows = np.flatnonzero(bad)
    values = np.broadcast_to(np.asarray(values), bad.shape)
    shown = ", ".join(f"{_show(values[i])} (row {frame.kept[i]})" for i in rows[:_SHOWN])
    more = ", ..." if len(rows) > _SHOWN else ""
    raise ValueError(f"{what} has {len(rows)} value(s) that cannot be used, such as {shown}{more}; {rule}.")


def _show(value: Any) -> str:
    return f"{value:g}" if isinstance(value, (float, np.floating)) else repr(value)


def _column(frame: Frame, value: Any, key: str, equation: str) -> np.ndarray:
    if not isinstance(value, str):
        return np.full(len(frame.data), float(value))
    column = frame.data[value]
    if isinstance(column.dtype, pd.CategoricalDtype):
        raise ValueError(
            f"{equation}_data[{key!r}] names {value!r}, which is categorical; it must be numeric."
        )
    return column.to_numpy(dtype=float)


def _numbers(frame: Frame, name: str, family: Family, equation: str) -> np.ndarray:
    column = frame.data[name]
    if isinstance(column.dtype, pd.CategoricalDtype):
        levels = column.cat.categories.tolist()
        raise ValueError(
            f"The {equation} {name!r} is categorical with levels {levels}, but the {family.name} "
            f"family takes {family.domain}; recode it, for example "
            f"df[{name!r}] = (df[{name!r}] == {levels[-1]!r}).astype(int), or choose an ordered "
            "family."
        )
    values = column.to_numpy(dtype=float)
    _refuse(
        frame, values, ~np.asarray(family.valid(values)), f"The {equation} {name!r}",
        f"outside the support of the {family.name} family ({family.domain}); recode it or choose "
        "another family",
    )  # fmt: skip
    return values


def _ordered(
    frame: Frame, name: str, family: Family, equation: str, given_levels: list[Any] | None
) -> tuple[np.ndarray, tuple[Any, ...], np.ndarray]:
    column = frame.data[name]
    if isinstance(column.dtype, pd.CategoricalDtype):
        levels = column.cat.categories.tolist()
        if not column.cat.ordered:
            raise ValueError(
                f"The {equation} {name!r} has categories without an order ({levels}); say their "
                f"order: df[{name!r}] = pd.Categorical(df[{name!r}], categories=[...], ordered=True)."
            )
        empty = [level for level in given_levels or [] if level not in levels]
        codes = column.cat.codes.to_numpy().astype(float)
    else:
        values = column.to_numpy(dtype=float)
        _refuse(
            frame, values, values != np.floor(values), f"The {equation} {name!r}",
            f"the {family.name} family takes whole numbers or an ordered categorical",
        )  # fmt: skip
        levels = np.unique(values).astype(int).tolist()
        empty = sorted(set(range(levels[0], levels[-1] + 1)) - set(levels))
        codes = np.searchsorted(levels, values).astype(float)
    if empty:
        raise ValueError(
            f"The {equation} {name!r} has no rows in the categories {empty}: a cutpoint beside an empty "
            "category is not identified. Merge it with its neighbour, or drop it from the "
            "categories (df[col].cat.remove_unused_categories(), or recode the numbers)."
        )
    numeric = all(isinstance(level, (int, float, np.number)) for level in levels)
    scores = np.array(levels if numeric else range(1, len(levels) + 1), dtype=float)
    return codes, tuple(levels), scores


def _check_trials(
    frame: Frame, name: str, values: np.ndarray, columns: dict[str, np.ndarray], equation: str
) -> None:
    if "trials" not in columns:
        return
    trials = columns["trials"]
    whole = (trials > 0.0) & (trials == np.floor(trials))
    _refuse(frame, trials, ~whole, f"The trials of the {equation} {name!r}", "they must be whole and positive")
    _refuse(
        frame, values, values > trials, f"The {equation} {name!r}",
        "it must not exceed the trials of its row",
    )  # fmt: skip


def _check_censoring(
    frame: Frame, name: str, values: np.ndarray, columns: dict[str, np.ndarray], equation: str
) -> None:
    if "event" in columns:
        event = columns["event"]
        _refuse(
            frame, event, (event != 0.0) & (event != 1.0), f"The event column of {name!r}",
            "it is 1 where the event was seen and 0 where the row is right-censored",
        )  # fmt: skip
        if not event.any():
            raise ValueError(
                f"No event of {name!r} was seen (the event column is 0 in every row); check the coding: "
                "1 is seen, 0 is right-censored."
            )
    lower, upper = columns.get("lower"), columns.get("upper")
    if lower is not None and upper is not None:
        _refuse(
            frame, lower, lower >= upper, f"The lower limit of {name!r}",
            "the censoring limits contradict each other, as it is not below the upper one",
        )  # fmt: skip
    if lower is not None:
        _refuse(
            frame, values, values < lower, f"The {equation} {name!r}",
            "it lies below its lower limit, although values there are censored: give the limit "
            "itself for a censored value",
        )  # fmt: skip
    if upper is not None:
        _refuse(
            frame, values, values > upper, f"The {equation} {name!r}",
            "it lies above its upper limit, although values there are censored: give the limit "
            "itself for a censored value",
        )  # fmt: skip
    if (lower is not None or upper is not None) and not _seen(values, lower, upper).any():
        raise ValueError(f"Every value of {name!r} is censored; there is nothing to fit.")


def _seen(values: np.ndarray, lower: np.ndarray | None, upper: np.ndarray | None) -> np.ndarray:
    seen = np.ones(len(values), dtype=bool)
    if lower is not None:
        seen &= values > lower
    if upper is not None:
        seen &= values < upper
    return seen
