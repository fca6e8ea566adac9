"""The data as a user has them become one clean pandas frame and a treatment contrast."""

import os
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import narwhals as nw
import numpy as np
import pandas as pd

from bayesmed.data.texts import code_note, text_notes
from bayesmed.data.warn import warn
from bayesmed.families.listing import few, short
from bayesmed.families.names import nearest

#: Variables whose missing values a message counts.
_VARIABLES = 8
#: By the end of a file's name.
_READERS = {
    ".parquet": "read_parquet", ".pq": "read_parquet", ".feather": "read_feather",
    ".xls": "read_excel", ".xlsx": "read_excel", ".ods": "read_excel", ".dta": "read_stata",
    ".sav": "read_spss", ".sas7bdat": "read_sas", ".xpt": "read_sas", ".json": "read_json",
    ".tsv": "read_table", ".tab": "read_table",
}  # fmt: skip


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
    told : tuple of str
        Those of the notes that are about text, and about codes among numbers.
    """

    data: pd.DataFrame
    n_given: int
    missing: dict[str, int]
    notes: tuple[str, ...]
    kept: np.ndarray
    others: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    told: tuple[str, ...] = ()

    def column(self, name: str, purpose: str) -> pd.Series:
        """A column of the data, whether the model uses it or not; without missing values."""
        if name in self.data.columns:
            return self.data[name]
        if name not in self.others.columns:
            known = [*self.data.columns, *self.others.columns]
            raise ValueError(
                f"{purpose}={name!r} is not a column of the data; they are {few(known)}."
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
    """Return pandas data for any eager frame that narwhals knows (pandas, polars, Arrow)."""
    try:
        frame = nw.from_native(data, eager_only=True).to_pandas()
    except nw.exceptions.DuplicateError as error:
        raise ValueError(f"Column names must be unique: {error}") from None
    except TypeError:
        read = how_to_read(data) if isinstance(data, (str, os.PathLike)) else ""
        raise TypeError(
            "data must be a pandas or polars DataFrame (or another eager frame); "
            f"{type(data).__name__} was given.{read}"
        ) from None
    doubled = frame.columns[frame.columns.duplicated()].unique().tolist()
    if doubled:
        raise ValueError(f"Column names must be unique; given more than once: {few(doubled)}.")
    _refuse_one_column(frame.columns)
    return frame


def _refuse_one_column(columns: pd.Index) -> None:
    """Say that a file was read with another separator than its own."""
    for sign in ";\t|,":
        if len(columns) == 1 and str(columns[0]).count(sign) > 1:
            raise ValueError(
                f"The data have one column only, {short(columns[0])}: the file separates its columns by "
                f"{sign!r}. Read it with pd.read_csv(..., sep={sign!r})."
            )


def how_to_read(path: "str | os.PathLike[str]") -> str:
    """What to write for a path to a file, in a sentence with a space before it."""
    name = os.fspath(path)
    reader = _READERS.get(os.path.splitext(name)[1].lower(), "read_csv")
    lacking = ""
    if not os.path.exists(name) and "://" not in name:
        lacking = f" (but there is no file {name!r} in {os.getcwd()!r})"
    return f" Read the file first: data=pd.{reader}({name!r}){lacking}."


def clean(
    data: pd.DataFrame,
    variables: Iterable[str],
    constant: Iterable[str] = (),
    infinite: Iterable[str] = (),
    roles: Mapping[str, str] | None = None,
) -> Frame:
    """Keep the variables, drop rows with missing values jointly, and count them.

    Parameters
    ----------
    constant, infinite : iterable of str
        Columns that may be constant, such as trials; and infinite, such as limits of censoring,
        where a row has none.
    roles : mapping of str to str, optional
        Which columns are the treatment, the mediator and the outcome.
    """
    names = list(dict.fromkeys(variables))
    if data.empty:
        raise ValueError("The data have no rows; give a frame with at least a few.")
    columns = {name: normalise(data[name]) for name in names}
    frame = pd.DataFrame(columns).reset_index(drop=True)
    missing = {str(name): int(count) for name, count in frame.isna().sum().items() if count}
    empty = [name for name, count in missing.items() if count == len(frame)]
    if empty:
        raise ValueError(
            f"Every value of {few(empty)} is missing; drop the variable or mend the data."
        )
    kept = np.flatnonzero(frame.notna().all(axis=1).to_numpy())
    complete = frame.iloc[kept].reset_index(drop=True)
    if complete.empty:
        raise ValueError(
            f"No rows are left: all {len(frame)} have a missing value "
            f"(missing values by variable: {counts(missing)})."
        )
    notes = []
    if len(complete) < len(frame):
        notes.append(
            f"{len(frame) - len(complete)} of {len(frame)} rows dropped for missing values "
            f"({counts(missing)})."
        )
    complete, unused = _drop_unused_levels(complete)
    notes.extend(unused)
    free, unlimited = set(constant), set(infinite)
    for name in names:
        role = (roles or {}).get(name)
        lost = frame[name].nunique() > 1
        why = f" (missing values by variable: {counts(missing)})" if lost else ""
        _refuse_infinite_or_constant(complete[name], name in free, name in unlimited, role, why)
    others = data.drop(columns=names).iloc[kept].reset_index(drop=True)
    return Frame(complete, len(frame), missing, tuple(notes), kept, others)


def normalise(column: pd.Series) -> pd.Series:
    """Numbers as float or int, text as categories; missing values as NaN."""
    if is_categorical(column):
        return column.reset_index(drop=True)
    values = column.reset_index(drop=True)
    if values.dtype == object:
        if values.isna().all():
            return pd.Series(np.full(len(values), np.nan), name=column.name)
        values = values.infer_objects().convert_dtypes()
    if _is_dictionary(values):
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
        text = [value for value in values.dropna() if isinstance(value, str)]
        which = ""
        if text and len(kinds) > 1:
            which = (
                f" ({len(text)} of {len(values)} are text, such as {text[0]!r}; "
                f"df[{column.name!r}] = pd.to_numeric(df[{column.name!r}], errors='coerce') makes numbers "
                "of what reads as one and the rest missing)"
            )
        raise TypeError(
            f"{column.name!r} {verb} values of types {kinds}; convert it to numbers or to text{which}."
        )
    raise TypeError(
        f"{column.name!r} has dtype {column.dtype}, which is neither numeric, boolean nor "
        "categorical; convert it first."
    )


def is_categorical(column: pd.Series) -> bool:
    """Whether a column has levels."""
    return isinstance(column.dtype, pd.CategoricalDtype)


def _is_dictionary(column: pd.Series) -> bool:
    return isinstance(column.dtype, pd.ArrowDtype) and str(column.dtype).startswith("dictionary")


def is_declared(column: pd.Series) -> bool:
    """Whether a column was given as categories, not as text."""
    return is_categorical(column) or _is_dictionary(column)


def told_of(
    data: pd.DataFrame, given: pd.DataFrame, texts: Iterable[str], factors: Container[str]
) -> tuple[str, ...]:
    """What must be said of levels that are text, and of numbers that look like missing values.

    Of the columns that may be text a formula states some to be factors.
    """
    said: list[str | None] = []
    for name in texts:
        if is_categorical(data[name]):
            levels, stated = data[name].cat.categories.tolist(), is_declared(given[name])
            said += text_notes(name, levels, len(data), name in factors or stated)
    numbers = [column for _, column in data.items() if not is_categorical(column)]
    said += [code_note(str(one.name), one.to_numpy(dtype=float)) for one in numbers]
    return tuple(filter(None, said))


def _drop_unused_levels(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    notes, columns = [], {}
    for name in frame.columns:
        column = frame[name]
        if is_categorical(column):
            used = column.cat.remove_unused_categories()
            unused = [level for level in column.cat.categories if level not in used.cat.categories]
            if unused:
                notes.append(f"Levels of {name!r} without rows dropped: {few(unused)}.")
            column = used
        columns[name] = column
    return pd.DataFrame(columns), notes


def _refuse_infinite_or_constant(
    column: pd.Series, may_be_constant: bool, may_be_infinite: bool, role: str | None, why: str
) -> None:
    if is_categorical(column):
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
        mend = {
            None: "leave it out of the formulas",
            "treatment": "without rows of both arms there is no effect to estimate",
        }.get(role, "there is nothing to explain")
        named = repr(column.name) if role is None else f"The {role} {column.name!r}"
        raise ValueError(
            f"{named} is constant (always {column.tolist()[0]!r}) in the {len(column)} complete "
            f"rows{why}; {mend}."
        )


def counts(missing: Mapping[str, int]) -> str:
    """How many values of which variables are missing, in words; of many variables the worst."""
    most = list(missing.items())
    if len(most) > _VARIABLES:
        most.sort(key=lambda one: -one[1])
    told = ", ".join(f"{name}: {count}" for name, count in most[:_VARIABLES])
    more = f", ... ({len(most)} variables in all)" if len(most) > _VARIABLES else ""
    return f"{told}{more}"


def warn_outside(frame: pd.DataFrame, values: Mapping[str, Any]) -> None:
    """Say which numbers lie where no row does."""
    for name, value in values.items():
        column = frame[name]
        if is_categorical(column):
            continue
        low, high = float(column.min()), float(column.max())
        if not low <= value <= high:
            warn(
                f"{name} = {value:g} lies outside the observed range of {name!r} ({low:g} to "
                f"{high:g}): the effect there is an extrapolation."
            )


def check_level(value: Any, levels: Iterable[Any], name: str, said: str = "") -> None:
    """Refuse what is not one of a column's levels."""
    known = list(levels)
    if value not in known:
        raise ValueError(
            f"{said}{value!r} is not a level of {name!r}; its levels are {few(known)}.{nearest(value, known)}"
        )


def assign(frame: pd.DataFrame, values: dict[str, Any]) -> pd.DataFrame:
    """Set columns to one value in every row, keeping categorical levels."""
    changed: dict[str, Any] = {}
    for name, value in values.items():
        if name not in frame.columns:
            raise ValueError(
                f"{name!r} is not a variable of the model; its variables are {few(frame.columns)}."
                f"{nearest(name, frame.columns)}"
            )
        column, dtype = frame[name], cast(Any, frame[name].dtype)
        if is_categorical(column):
            check_level(value, column.cat.categories, name)
            code = np.full(len(frame), column.cat.categories.get_loc(value))
            changed[name] = pd.Categorical.from_codes(code, dtype=dtype)
            continue
        if not isinstance(value, (int, float, np.number, np.bool_)) or not np.isfinite(value):
            raise ValueError(f"{name}={value!r} is not a finite number, but {name!r} is numeric.")
        changed[name] = value
    return frame.assign(**changed)
