"""The treatment contrast: two levels of the treatment, checked against the data."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bayesmed.data.frame import Frame, check_level, counts, is_categorical, is_declared, normalise
from bayesmed.data.texts import number_as_text
from bayesmed.families.listing import few

Level = float | int | bool | str
#: Share of the spread of a column by which a stated value may differ from one that it holds.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Contrast:
    """The two treatment levels whose effects are wanted."""

    treatment: str
    control: Level
    treated: Level

    def __str__(self) -> str:
        control, treated = (
            f"{level:.12g}" if isinstance(level, float) else str(level)
            for level in (self.control, self.treated)
        )
        return f"{self.treatment}: {control} -> {treated}"


def control_first(
    frame: Frame, given: pd.DataFrame, treatment: str, control: Level | None
) -> Frame:
    """Text has no order of its own: the control is the level that the others are set against."""
    column = frame.data[treatment]
    if is_declared(given[treatment]) or not is_categorical(column):
        return frame
    levels = column.cat.categories.tolist()
    if control not in levels:
        return frame
    order = sorted(levels, key=lambda level: level != control)
    return replace(
        frame, data=frame.data.assign(**{treatment: column.cat.reorder_categories(order)})
    )


def contrast(
    frame: Frame,
    treatment: str,
    control: Level | None,
    treated: Level | None,
    given: pd.Series | None = None,
) -> Contrast:
    """Check the treatment contrast, or take 0 and 1 where the column holds nothing else.

    ``given``, the treatment in all rows, tells a level that does not exist from one without complete
    rows.
    """
    column = frame.data[treatment]
    for role, level in (("control", control), ("treated", treated)):
        _refuse_lost(frame, column, role, level, given)
    if is_categorical(column):
        levels = column.cat.categories.tolist()
        if control is None or treated is None:
            text = number_as_text(treatment, levels)
            raise ValueError(
                f"Treatment {treatment!r} is categorical; name the contrast with control= and "
                f"treated=. Its levels are {few(levels)}." + (f" It {text}" if text else "")
            )
        for role, level in (("control", control), ("treated", treated)):
            check_level(level, levels, treatment, f"{role}=")
    else:
        control, treated = _numeric_contrast(column, control, treated)
    if control == treated:
        raise ValueError(f"control and treated are both {control!r}; give two different values.")
    return Contrast(treatment, control, treated)


def _refuse_lost(
    frame: Frame, column: pd.Series, role: str, level: Any, given: pd.Series | None
) -> None:
    """Say that rows of a level are there, but none of them is complete."""
    if given is None or level is None or not np.isscalar(level):
        return
    rows = int((normalise(given) == level).sum())
    if rows and not (column == level).any():
        raise ValueError(
            f"{role}={level!r}: none of the {rows} rows with this {column.name} is complete "
            f"(missing values by variable: {counts(frame.missing)})."
        )


def _numeric_contrast(
    column: pd.Series, control: Level | None, treated: Level | None
) -> tuple[float | int, float | int]:
    values = np.unique(column.to_numpy(dtype=float))
    shown = [f"{value:g}" for value in values[:6]] + (["..."] if len(values) > 6 else [])
    if (control is None or treated is None) and not np.array_equal(values, [0.0, 1.0]):
        raise ValueError(
            f"Treatment {column.name!r} holds other values than 0 and 1 ({', '.join(shown)}); "
            "name the contrast with control= and treated=."
        )
    levels = []
    for role, level in (("control", 0 if control is None else control),
                        ("treated", 1 if treated is None else treated)):  # fmt: skip
        if not isinstance(level, (int, float, np.number, np.bool_)) or not np.isfinite(level):
            raise ValueError(
                f"{role}={level!r} is not a number, but treatment {column.name!r} is numeric; it holds "
                f"{', '.join(shown)}."
            )
        number = _as_held(float(level), values)
        if len(values) == 2 and number not in values:
            raise ValueError(
                f"{role}={level!r} is not a value of {column.name!r}, which holds "
                f"{', '.join(map(repr, values.tolist()))}."
            )
        if not values[0] <= number <= values[-1]:
            raise ValueError(
                f"{role}={level!r} lies outside the observed range of {column.name!r} "
                f"({values[0]:g} to {values[-1]:g}); effects there would be extrapolation."
            )
        levels.append(int(number) if number.is_integer() else number)
    return levels[0], levels[1]


def _as_held(level: float, values: np.ndarray) -> float:
    """A number as the data hold it, where they differ by rounding only: 0.3 and 0.1 + 0.2."""
    near = float(values[np.abs(values - level).argmin()])
    return near if abs(near - level) <= _ROUNDING * np.ptp(values) else level
