"""The observed response of an equation: checked, coded, with the data its family needs."""

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bayesmed.data.frame import Frame, is_categorical
from bayesmed.data.texts import number_as_text, recoded, unclean
from bayesmed.families.family import Family
from bayesmed.families.listing import few, is_number
from bayesmed.families.names import nearest

#: Data columns any equation may have; the others depend on the family.
ALWAYS = ("offset",)
#: Data columns that say which values are censored.
CENSORING = ("event", "lower", "upper")
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
    scale : tuple of float or None
        Centre and spread on the scale of the linear predictor, where ``values`` are not those of
        all rows.
    """

    values: np.ndarray
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    offset: np.ndarray | None = None
    levels: tuple[Any, ...] = ()
    scale: tuple[float, float] | None = None

    @property
    def whole(self) -> bool:
        """Whether the values are those of all rows, and none is censored."""
        return self.scale is None and self.seen == 1.0

    @property
    def seen(self) -> float:
        """Share of the values that are not censored."""
        if "event" in self.columns:
            return float(self.columns["event"].mean())
        limits = self.columns.get("lower"), self.columns.get("upper")
        return float(_seen(self.values, *limits).mean())

    @property
    def rowwise(self) -> dict[str, np.ndarray]:
        """The columns that the likelihood reads, each of shape (obs,)."""
        return {name: value for name, value in self.columns.items() if name != "scores"}


def data_variables(data: Mapping[str, Any] | None, equation: str, family: Family) -> list[str]:
    """Names of the columns that an equation's data mapping refers to, which its family must know."""
    given = {} if data is None else data
    allowed = [*family.needs, *family.takes, *ALWAYS]
    if equation == "mediator":
        allowed = [name for name in allowed if name not in CENSORING]
    if not isinstance(given, Mapping):
        raise TypeError(
            f"{equation}_data must be a mapping such as {{{allowed[0]!r}: 'column'}}; "
            f"{reprlib.repr(data)} was given."
        )
    censoring = [name for name in given if name in CENSORING]
    if equation == "mediator" and censoring:
        raise ValueError(
            f"mediator_data has {censoring}, but a mediator cannot be censored: its value must be "
            "known where it enters the outcome equation. Only outcomes take it."
        )
    unknown = [name for name in given if name not in allowed]
    if unknown:
        raise ValueError(
            f"{equation}_data has {unknown}, of which the {family.name} family has no use; it takes "
            f"{allowed}.{nearest(unknown[0], allowed)}"
        )
    missing = [name for name in family.needs if name not in given]
    if missing:
        raise ValueError(
            f"The {family.name} family needs {missing}: give {equation}_data={{{missing[0]!r}: "
            "'column'}, or a number."
        )
    for name, value in given.items():
        if not isinstance(value, str) and not (is_number(value) and np.isfinite(value)):
            raise TypeError(
                f"{equation}_data[{name!r}] must be the name of a column of the data, or a finite "
                f"number; {reprlib.repr(value)} was given. Put values of each row into a column."
            )
    if family.limited and not {"lower", "upper"} & set(given):
        raise ValueError(
            f"The {family.name} family needs the limit at which values are censored: give {equation}_data="
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

    ``data`` has column names or numbers by ``trials``, ``exposure``, ``offset``, ``event``, ``lower``,
    ``upper``; ``given_levels`` are the categories as the user declared them.
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
    what = f"The {equation} {name!r}"
    if "trials" in columns:
        _check_trials(frame, what, values, columns["trials"], _named(equation, "trials", data))
    if "event" in columns:
        _check_event(frame, what, columns["event"], _named(equation, "event", data))
    _check_limits(frame, what, values, columns)
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
        _refuse(
            frame, exposure, ~(exposure > 0.0), _named(equation, "exposure", given),
            "it must be positive, as its logarithm is added to the linear predictor",
            "Mend these values, or drop the rows in which nothing could be counted",
        )  # fmt: skip
        total = np.log(exposure) + (0.0 if total is None else total)
    return total


def columns_at(
    frame: Frame, response: Response, data: Mapping[str, Any] | None, equation: str
) -> dict[str, np.ndarray]:
    """Trials of counterfactual rows, which may have been set, and the categories' scores."""
    found = {key: response.columns[key] for key in ("scores",) if key in response.columns}
    if "trials" in response.columns:
        assert data is not None
        trials = _column(frame, data["trials"], "trials", equation)
        _check_whole(frame, trials, f"trials of the {equation} set by at=,")
        found["trials"] = trials
    return found


def _check_whole(frame: Frame, trials: np.ndarray, what: str) -> None:
    whole = (trials > 0.0) & (trials == np.floor(trials))
    _refuse(
        frame, trials, ~whole, what, "trials must be whole and positive",
        "Mend these values, or drop the rows without trials",
    )  # fmt: skip


def _refuse(
    frame: Frame, values: np.ndarray, bad: np.ndarray, what: str, rule: str, mend: str,
    against: tuple[str, np.ndarray] | None = None,
) -> None:  # fmt: skip
    """Raise if any row is bad, naming rows (of the data as given) and values.

    The texts say whose values they are, what holds for them, and what to do; what each value is held
    ``against`` is shown beside it.
    """
    if not bad.any():
        return
    rows = np.flatnonzero(bad)
    word, others = against or ("", values)

    def text(i: int) -> str:
        return f"{values[i]:g}" + (f" {word} {others[i]:g}" if word else "")

    if bad.all() and np.ptp(values) == 0.0 and np.ptp(others) == 0.0:
        shown = f"{text(0)} in every row"
    else:
        shown = "such as " + ", ".join(f"{text(i)} (row {frame.kept[i]})" for i in rows[:_SHOWN])
        shown += ", ..." if len(rows) > _SHOWN else ""
    raise ValueError(
        f"{what} has {len(rows)} value(s) that cannot be used, {shown}; {rule}. {mend}."
    )


def _named(equation: str, key: str, data: Mapping[str, Any] | None) -> str:
    return f"{equation}_data[{key!r}] = {(data or {})[key]!r}"


def _column(frame: Frame, value: Any, key: str, equation: str) -> np.ndarray:
    if not isinstance(value, str):
        return np.full(len(frame.data), float(value))
    column = frame.data[value]
    if is_categorical(column):
        levels = column.cat.categories.tolist()
        how = "Recode it as numbers."
        if len(levels) == 2 and key == "event":
            how = f"Recode it, {recoded(value, levels, frame.missing.get(value, 0))}."
        text = number_as_text(value, levels) or (
            f"is categorical with levels {few(levels)}; it must be numeric. "
            f"{unclean(value, levels) or how}"
        )
        raise ValueError(f"{equation}_data[{key!r}] names {value!r}, which {text}")
    return column.to_numpy(dtype=float)


def _numbers(frame: Frame, name: str, family: Family, equation: str) -> np.ndarray:
    column = frame.data[name]
    if is_categorical(column):
        levels = column.cat.categories.tolist()
        if not column.cat.ordered:
            _refuse_text(name, levels, equation)
        missing = frame.missing.get(name, 0)
        raise ValueError(
            f"The {equation} {name!r} is categorical with levels {few(levels)}, but the {family.name} "
            f"family takes {family.domain}. "
            f"{_advice(name, levels, bool(column.cat.ordered), equation, missing)}"
        )
    values = column.to_numpy(dtype=float)
    _refuse(
        frame, values, ~np.asarray(family.valid(values)), f"The {equation} {name!r}",
        f"outside the support of the {family.name} family ({family.domain})",
        "Choose another family, or recode the values",
    )  # fmt: skip
    return values


def _advice(name: str, levels: list[Any], ordered: bool, equation: str, missing: int) -> str:
    """What to do with categories, by their number and order."""
    if len(levels) == 2:
        return (
            f"Recode it, {recoded(name, levels, missing)}, and take {equation}_family='probit' or "
            "'logit'."
        )
    if ordered:
        return f"It has an order: take {equation}_family='ordered_probit' or 'ordered_logit'."
    own = (
        f"Only where they have an order of their own, state it by pd.Categorical(df[{name!r}], "
        f"categories=[...], ordered=True) and take {equation}_family='ordered_probit'."
    )
    if equation == "mediator":
        return (
            "There is no model for a mediator of three or more categories without an order. One level "
            "against the rest is another mediator: what the other levels transmit would count as a "
            f"direct effect. {own}"
        )
    return (
        "There is no model for an outcome of three or more categories without an order, but one for the "
        f"probability of a level against all others: df[{f'is_{levels[-1]}'!r}] = (df[{name!r}] == "
        f"{levels[-1]!r}).where(df[{name!r}].notna()).astype(float), {equation}_family='logit'. {own}"
    )


def _refuse_text(name: str, levels: list[Any], equation: str) -> None:
    text = number_as_text(name, levels)
    if text:
        raise ValueError(f"The {equation} {name!r} {text}")
    dirty = unclean(name, levels)
    if dirty:
        raise ValueError(f"The {equation} {name!r} is text with levels {few(levels)}. {dirty}")


def _ordered(
    frame: Frame, name: str, family: Family, equation: str, given_levels: list[Any] | None
) -> tuple[np.ndarray, tuple[Any, ...], np.ndarray]:
    column = frame.data[name]
    if is_categorical(column):
        levels = column.cat.categories.tolist()
        if not column.cat.ordered:
            _refuse_text(name, levels, equation)
            raise ValueError(
                f"The {equation} {name!r} has categories without an order ({few(levels)}). Where they have one, "
                f"state it: df[{name!r}] = pd.Categorical(df[{name!r}], categories=[...], ordered=True). "
                f"Where they have none, no {family.name} model holds: see docs/not_answered.md."
            )
        empty = [level for level in given_levels or [] if level not in levels]
        drop = f"df[{name!r}] = df[{name!r}].cat.remove_unused_categories()"
        codes = column.cat.codes.to_numpy().astype(float)
    else:
        values = column.to_numpy(dtype=float)
        _refuse(
            frame, values, values != np.floor(values), f"The {equation} {name!r}",
            f"the {family.name} family takes whole numbers or an ordered categorical",
            "Recode the categories, or choose a family for real numbers",
        )  # fmt: skip
        levels = np.unique(values).astype(int).tolist()
        empty = sorted(set(range(levels[0], levels[-1] + 1)) - set(levels))
        codes = np.searchsorted(levels, values).astype(float)
        drop = f"recode {name!r} as 1, 2, ... without a gap"
    if empty:
        raise ValueError(
            f"The {equation} {name!r} has no complete rows in the categories {few(empty)}, only in {few(levels)}: "
            "the data do not tell the two cutpoints beside an empty category apart. Merge it with "
            f"its neighbour, or leave it out: {drop}."
        )
    numeric = all(isinstance(level, (int, float, np.number)) for level in levels)
    scores = np.array(levels if numeric else range(1, len(levels) + 1), dtype=float)
    return codes, tuple(levels), scores


def _check_trials(
    frame: Frame, what: str, values: np.ndarray, trials: np.ndarray, shown: str
) -> None:
    _check_whole(frame, trials, shown)
    _refuse(
        frame, values, values > trials, what, "successes cannot exceed the trials of their row",
        f"Check {shown}", ("of", trials),
    )  # fmt: skip


def _check_event(frame: Frame, what: str, event: np.ndarray, shown: str) -> None:
    coding = "an event is 1 where it was seen and 0 where the row is right-censored"
    _refuse(frame, event, (event != 0.0) & (event != 1.0), shown, coding, "Recode it")
    if not event.any():
        raise ValueError(
            f"{what} has no event that was seen: {shown} is 0 in all {len(event)} rows. Check the "
            f"coding: {coding}."
        )


def _check_limits(
    frame: Frame, what: str, values: np.ndarray, columns: Mapping[str, np.ndarray]
) -> None:
    lower, upper = columns.get("lower"), columns.get("upper")
    if lower is not None and upper is not None:
        _refuse(
            frame, lower, lower >= upper, "The lower limit", "it must lie below the upper limit",
            "Check that the two are not swapped", ("against the upper limit", upper),
        )  # fmt: skip
    for limit, side in ((lower, "below"), (upper, "above")):
        if limit is not None:
            _refuse(
                frame, values, (values < limit) if side == "below" else (values > limit), what,
                f"no value lies {side} the limit at which values are censored",
                "Give a censored row the limit itself as its value", (side, limit),
            )  # fmt: skip
    if (lower is not None or upper is not None) and not _seen(values, lower, upper).any():
        raise ValueError(
            f"{what} is at a limit in all {len(values)} rows, so every value is censored and there is "
            "nothing to fit. Check the limits."
        )


def _seen(values: np.ndarray, lower: np.ndarray | None, upper: np.ndarray | None) -> np.ndarray:
    seen = np.ones(len(values), dtype=bool)
    if lower is not None:
        seen &= values > lower
    if upper is not None:
        seen &= values < upper
    return seen
