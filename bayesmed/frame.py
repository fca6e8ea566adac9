"""The data as a user has them become one clean pandas frame and a treatment contrast."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from bayesmed.names import nearest
from bayesmed.warn import warn

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
        return f"{self.treatment}: {self.control} -> {self.treated}"


@dataclass(frozen=True)
class Frame:
    """Complete rows of the variables that the model uses.

    Attributes
    ----------
    data : pandas.DataFrame
        Numbers (never bool or nullable) and categoricals without unused levels.
    n_given : int
        Rows before those with missing values were dropped.
    missing : dict of str to int
        Missing values per variable, only where there are any.
    notes : tuple of str
        What was done to the data that a user should know.
    kept : numpy.ndarray
        Positions of the rows in the data as given, counted from 0.
    others : pandas.DataFrame
        The complete rows of the columns that the model does not use, as given.
    """

    data: pd.DataFrame
    n_given: int
    missing: dict[str, int]
    notes: tuple[str, ...]
    kept: np.ndarray
    others: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)

    def column(self, name: str, purpose: str) -> pd.Series:
        """A column of the data, whether the model uses it or not.

        Raises
        ------
        ValueError
            If there is none, or it has missing values in the complete rows.
        """
        if name in self.data.columns:
            return self.data[name]
        if name not in self.others.columns:
            known = [*self.data.columns, *self.others.columns]
            raise ValueError(
                f"{purpose}={name!r} is not a column of the data; they are {known}."
                f"{nearest(name, known)}"
            )
        found = normalise(self.others[name])
        missing = int(found.isna().sum())
        if missing:
            raise ValueError(
                f"{purpose}={name!r} has {missing} missing value(s) in the {len(found)} complete "
                "rows; fill them in, or drop these rows before the fit."
            )
        return found


def to_pandas(data: Any) -> pd.DataFrame:
    """Return pandas data for any eager frame that narwhals knows (pandas, polars, Arrow).

    Raises
    ------
    TypeError
        If the data are not such a frame.
    ValueError
        If a column name occurs twice.
    """
    try:
        frame = nw.from_native(data, eager_only=True).to_pandas()
    except nw.exceptions.DuplicateError as error:
        raise ValueError(f"Column names must be unique: {error}") from None
    except TypeError:
        raise TypeError(
            "data must be a pandas or polars DataFrame (or another eager frame); "
            f"{type(data).__name__} was given."
        ) from None
    doubled = frame.columns[frame.columns.duplicated()].unique().tolist()
    if doubled:
        raise ValueError(f"Column names must be unique; given more than once: {doubled}.")
    return frame


def clean(
    data: pd.DataFrame,
    variables: Iterable[str],
    constant: Iterable[str] = (),
    infinite: Iterable[str] = (),
) -> Frame:
    """Keep the variables, drop rows with missing values jointly, and count them.

    Parameters
    ----------
    data : pandas.DataFrame
    variables : iterable of str
        All columns of both formulas, and of the data the families need.
    constant : iterable of str
        Columns that may be constant, such as trials.
    infinite : iterable of str
        Columns that may be infinite: limits of censoring, where a row has none.

    Raises
    ------
    ValueError
        For a variable that is missing throughout, infinite or constant, or when no row is
        left.
    TypeError
        For a column that is neither numeric, boolean nor categorical.
    """
    names = list(dict.fromkeys(variables))
    if data.empty:
        raise ValueError("The data have no rows; give a frame with at least a few.")
    columns = {name: normalise(data[name]) for name in names}
    frame = pd.DataFrame(columns).reset_index(drop=True)
    missing = {str(name): int(count) for name, count in frame.isna().sum().items() if count}
    empty = [name for name, count in missing.items() if count == len(frame)]
    if empty:
        raise ValueError(f"Every value of {empty} is missing; drop the variable or mend the data.")
    kept = np.flatnonzero(frame.notna().all(axis=1).to_numpy())
    complete = frame.iloc[kept].reset_index(drop=True)
    if complete.empty:
        raise ValueError(
            f"No rows are left: all {len(frame)} have a missing value "
            f"(missing values by variable: {missing})."
        )
    notes = []
    if len(complete) < len(frame):
        notes.append(
            f"{len(frame) - len(complete)} of {len(frame)} rows dropped for missing values "
            f"({', '.join(f'{name}: {count}' for name, count in missing.items())})."
        )
    complete, unused = _drop_unused_levels(complete)
    notes.extend(unused)
    free, unlimited = set(constant), set(infinite)
    for name in names:
        _refuse_infinite_or_constant(
            complete[name], name in free, name in unlimited, len(frame), missing
        )
    others = data.drop(columns=names).iloc[kept].reset_index(drop=True)
    return Frame(complete, len(frame), missing, tuple(notes), kept, others)


def normalise(column: pd.Series) -> pd.Series:
    """Numbers as float or int, text as categories; missing values as NaN."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.reset_index(drop=True)
    values = column.reset_index(drop=True)
    if values.dtype == object:
        if values.isna().all():
            return pd.Series(np.full(len(values), np.nan), name=column.name)
        values = values.infer_objects().convert_dtypes()
    if isinstance(values.dtype, pd.ArrowDtype) and str(values.dtype).startswith("dictionary"):
        return values.astype("category")
    if pd.api.types.is_complex_dtype(values):
        raise TypeError(f"{column.name!r} has complex numbers; give real ones.")
    if pd.api.types.is_bool_dtype(values) or pd.api.types.is_numeric_dtype(values):
        if not values.isna().any() and pd.api.types.is_integer_dtype(values):
            return values.astype("int64")
        numbers = values.to_numpy(dtype=float, na_value=np.nan)
        whole = pd.api.types.is_bool_dtype(values) and not np.isnan(numbers).any()
        return pd.Series(numbers.astype("int64") if whole else numbers, name=column.name)
    if pd.api.types.is_string_dtype(values):
        return pd.Series(pd.Categorical(values.astype(object)), name=column.name)
    if values.dtype == object:
        kinds = sorted({type(value).__name__ for value in values.dropna()})
        verb = "mixes" if len(kinds) > 1 else "holds"
        raise TypeError(
            f"{column.name!r} {verb} values of types {kinds}; convert it to numbers or to text."
        )
    raise TypeError(
        f"{column.name!r} has dtype {column.dtype}, which is neither numeric, boolean nor "
        "categorical; convert it first."
    )


def control_first(
    frame: Frame, given: pd.DataFrame, treatment: str, control: Level | None
) -> Frame:
    """Text has no order of its own: the control is the level that the others are set against."""
    column = frame.data[treatment]
    declared = isinstance(given[treatment].dtype, pd.CategoricalDtype) or (
        isinstance(given[treatment].dtype, pd.ArrowDtype)
        and str(given[treatment].dtype).startswith("dictionary")
    )
    if declared or not isinstance(column.dtype, pd.CategoricalDtype):
        return frame
    levels = column.cat.categories.tolist()
    if control not in levels:
        return frame
    order = sorted(levels, key=lambda level: level != control)
    return replace(
        frame, data=frame.data.assign(**{treatment: column.cat.reorder_categories(order)})
    )


def _drop_unused_levels(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    notes, columns = [], {}
    for name in frame.columns:
        column = frame[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            used = column.cat.remove_unused_categories()
            unused = [level for level in column.cat.categories if level not in used.cat.categories]
            if unused:
                notes.append(f"Levels of {name!r} without rows dropped: {unused}.")
            column = used
        columns[name] = column
    return pd.DataFrame(columns), notes


def _refuse_infinite_or_constant(
    column: pd.Series,
    may_be_constant: bool,
    may_be_infinite: bool,
    given: int,
    missing: Mapping[str, int],
) -> None:
    if isinstance(column.dtype, pd.CategoricalDtype):
        distinct = len(column.cat.categories)
    else:
        infinite = int(np.isinf(column.to_numpy(dtype=float)).sum())
        if infinite and not may_be_infinite:
            raise ValueError(
                f"{column.name!r} has {infinite} infinite value(s); set them to missing or mend "
                "them."
            )
        distinct = column.nunique()
    if distinct < 2 and not may_be_constant:
        raise ValueError(
            f"{column.name!r} is constant (always {column.tolist()[0]!r}) in the {len(column)} complete "
            f"rows{_dropped(given, missing)}; a covariate can be left out of the formulas, but the "
            "treatment, mediator and outcome must vary."
        )


def _dropped(given: int, missing: Mapping[str, int]) -> str:
    if not missing:
        return ""
    counts = ", ".join(f"{name}: {count}" for name, count in missing.items())
    return f", of {given} given (missing values: {counts})"


def contrast(
    frame: Frame, treatment: str, control: Level | None, treated: Level | None
) -> Contrast:
    """Check the treatment contrast, or take 0 and 1 where the column holds nothing else.

    Raises
    ------
    ValueError
        If a level does not exist, both are the same, or no default is possible.
    """
    column = frame.data[treatment]
    if isinstance(column.dtype, pd.CategoricalDtype):
        levels = column.cat.categories.tolist()
        if control is None or treated is None:
            raise ValueError(
                f"Treatment {treatment!r} is categorical; name the contrast with control= and "
                f"treated=. Its levels are {levels}."
            )
        for role, level in (("control", control), ("treated", treated)):
            if level not in levels:
                raise ValueError(
                    f"{role}={level!r} is not a level of {treatment!r}; its levels are {levels}."
                    f"{nearest(level, levels)}"
                )
    else:
        control, treated = _numeric_contrast(column, control, treated)
    if control == treated:
        raise ValueError(f"control and treated are both {control!r}; give two different values.")
    return Contrast(treatment, control, treated)


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
                f"{role}={level!r} is not a number, but treatment {column.name!r} is numeric."
            )
        close = values[np.abs(values - level).argmin()]
        if abs(close - level) <= _ROUNDING * np.ptp(values):  # 0.3 where the column has 0.1 + 0.2
            level = float(close)
        if len(values) == 2 and float(level) not in values:
            raise ValueError(
                f"{role}={level!r} is not a value of {column.name!r}, which holds "
                f"{', '.join(f'{value!r}' for value in values.tolist())}."
            )
        if not values[0] <= level <= values[-1]:
            raise ValueError(
                f"{role}={level!r} lies outside the observed range of {column.name!r} "
                f"({values[0]:g} to {values[-1]:g}); effects there would be extrapolation."
            )
        levels.append(int(level) if float(level).is_integer() else float(level))
    return levels[0], levels[1]


def warn_outside(frame: pd.DataFrame, values: Mapping[str, Any]) -> None:
    """Say which numbers lie where no row does."""
    for name, value in values.items():
        column = frame[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            continue
        low, high = float(column.min()), float(column.max())
        if not low <= value <= high:
            warn(
                f"{name} = {value:g} lies outside the observed range of {name!r} ({low:g} to "
                f"{high:g}): the effect there is an extrapolation."
            )


def assign(frame: pd.DataFrame, values: dict[str, Any]) -> pd.DataFrame:
    """Set columns to one value in every row, keeping categorical levels.

    Raises
    ------
    ValueError
        If a column does not exist, or a value is not one of its levels or not a finite number.
    """
    changed = {}
    for name, value in values.items():
        if name not in frame.columns:
            raise ValueError(
                f"{name!r} is not a variable of the model; its variables are {list(frame.columns)}."
                f"{nearest(name, frame.columns)}"
            )
        column = frame[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            levels = column.cat.categories
            if value not in levels.tolist():
                raise ValueError(
                    f"{value!r} is not a level of {name!r}; its levels are {levels.tolist()}."
                )
            code = np.full(len(frame), levels.get_loc(value))
            changed[name] = pd.Series(
                pd.Categorical.from_codes(code, dtype=column.dtype), index=frame.index
            )
            continue
        if not isinstance(value, (int, float, np.number, np.bool_)) or not np.isfinite(value):
            raise ValueError(f"{name}={value!r} is not a finite number, but {name!r} is numeric.")
        changed[name] = pd.Series(value, index=frame.index)
    return frame.assign(**changed)
