"""Text columns: numbers among them, codes of missing values (999 among numbers too), levels that look the same."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmed.families.listing import few, in_words, looks

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
_COMMA = re.compile(r"\s*[+-]?(\d{1,3}(\.\d{3})+|\d*),\d+\s*")
_THOUSANDS = re.compile(r"\s*[+-]?\d{1,3}(,\d{3})+(\.\d*)?\s*")
_MARK = "%$€£"
#: As they stand for a missing value in files of other programs, or after ``astype(str)``.
_MISSING = ("", ".", "-", "--", "?", "na", "n/a", "#n/a", "nan", "null", "#null!", "<na>", "nat")
#: Answers that are none: of a response they are no level.
_NO_ANSWER = ("don't know", "dont know", "do not know", "dk", "unknown", "missing", "refused",
              "no answer", "not applicable", "prefer not to say", "prefer not to answer")  # fmt: skip
#: Of two levels the one that becomes 0.
_ZERO = ("no", "n", "none", "never", "false", "absent", "alive", "censored", "control")
#: Of a factor: rows that a level has on average, below which it has many levels, and how many are few.
_ROWS, _FEW = 5.0, 10
#: Such as they are given to "no answer"; beside them may stand others of as many digits.
_ABOVE = {99: (77, 88, 97, 98), 999: (777, 888, 997, 998), 9999: (7777, 8888, 9998), 99999: ()}
_BELOW = {-9: (-7, -8), -99: (-77, -88, -98), -999: (-888, -998), -9999: (-8888,)}
_ALL = [code for side in (_ABOVE, _BELOW) for one, more in side.items() for code in (one, *more)]
#: How far away they stand, in ranges of the other values; how few they are; how many the others.
_FAR_ABOVE, _FAR_BELOW, _SHARE, _OTHERS = 2.0, 1.0, 0.25, 10


@dataclass(frozen=True)
class Reading:
    """How the levels of a text column read as numbers: as plain ones, as ones with a comma for the
    decimal point or between thousands, as codes of missing values, or as words, which is what is left.
    """

    levels: tuple[str, ...]
    plain: tuple[str, ...]
    comma: tuple[str, ...]
    missing: tuple[str, ...]
    words: tuple[str, ...]

    @property
    def numbers(self) -> int:
        """How many levels are numbers."""
        return len(self.plain) + len(self.comma)

    @property
    def numeric(self) -> bool:
        """Whether most levels that are no code of a missing value are numbers, and two or more."""
        return self.numbers > 1 and self.numbers > len(self.words)

    @property
    def marks(self) -> str:
        """Signs beside the numbers, such as %."""
        found = {sign for level in self.plain + self.comma for sign in level}
        return "".join(sign for sign in _MARK if sign in found)

    @property
    def harmless(self) -> bool:
        """Whether there are two levels, both numbers: a factor of them is the same model."""
        return self.levels == self.plain and len(self.levels) == 2

    def found(self) -> str:
        """How many levels there are, how many read as numbers, and which do not."""
        rest = [level for level in self.levels if level in {*self.missing, *self.words}]
        which = f", not {in_words(map(repr, rest), most=5)}" if rest else ""
        how = ", with a comma in them" if self.comma else ""
        how = f", without {self.marks}" if self.marks else how
        share = "all" if self.numbers == len(self.levels) else str(self.numbers)
        return f"{len(self.levels)} levels, of which {share} read as numbers{how}{which}"

    def mend(self, name: str) -> str:
        """What to write where the column is a number."""
        column = f"df[{name!r}]"
        if self.marks:
            return self._unmark(column)
        if not self.comma:
            coerce = ", errors='coerce'" if self.missing or self.words else ""
            file = f" (or read the file with na_values={list(self.missing)})" * bool(self.missing)
            after = ", which makes the others missing" * bool(coerce)
            return f"{column} = pd.to_numeric({column}{coerce}){after}{file}"
        na = f", na_values={list(self.missing)}" if self.missing else ""
        decimal = all(_COMMA.fullmatch(level) for level in self.comma)
        between = all(_THOUSANDS.fullmatch(level) for level in self.comma)
        options, change = "decimal=','", ".str.replace(',', '.')"
        if between and not decimal:
            options, change = "thousands=','", ".str.replace(',', '')"
        elif any("." in level for level in self.comma):
            options, change = "decimal=',', thousands='.'", f".str.replace('.', ''){change}"
        unless = ", or thousands=',' if that is what it is" * (between and decimal)
        return (
            f"pd.read_csv(..., {options}{na}){unless}; or {column} = pd.to_numeric({column}{change}, "
            "errors='coerce')"
        )

    def _unmark(self, column: str) -> str:
        between = all(_THOUSANDS.fullmatch(_bare(level)) for level in self.comma)
        signs = f"[{self.marks},]" if between and self.comma else f"[{self.marks}]"
        decimal = "" if between else ".str.replace(',', '.')"
        return (
            f"{column} = pd.to_numeric({column}.str.replace(r'{signs}', '', regex=True){decimal}, "
            "errors='coerce')"
        )


def reading(levels: Iterable[Any]) -> Reading | None:
    """Sort levels by how they read; None where one is no text."""
    given = list(levels)
    if not given or not all(isinstance(level, str) for level in given):
        return None
    sorted_: dict[str, list[str]] = {"plain": [], "comma": [], "missing": [], "words": []}
    for level in given:
        sorted_[_kind(level)].append(level)
    return Reading(tuple(given), **{kind: tuple(own) for kind, own in sorted_.items()})


def _bare(level: str) -> str:
    """A number without a sign of percent or of money beside it."""
    found = level.strip()
    if found[:1] in _MARK:
        return found[1:]
    return found[:-1] if found[-1:] in _MARK else found


def _kind(level: str) -> str:
    written, level = level, _bare(level)
    if _NUMBER.fullmatch(level):
        return "plain"
    if _COMMA.fullmatch(level) or _THOUSANDS.fullmatch(level):
        return "comma"
    return "missing" if looks(written).casefold() in _MISSING else "words"


def number_as_text(name: str, levels: Iterable[Any]) -> str | None:
    """Say that a column which must be a number is text, and what to write; None where it is not."""
    found = reading(levels)
    if found is None or not found.numeric:
        return None
    return f"is text: {found.found()}. Write {found.mend(name)}."


def recoded(name: str, levels: Sequence[Any], missing: int) -> str:
    """Code that makes two levels 0 and 1, and leaves missing values missing."""
    zero = [level for level in levels if looks(level).casefold() in _ZERO]
    first = zero[0] if len(zero) == 1 else levels[0]
    coding = {level: int(level != first) for level in sorted(levels, key=lambda one: one != first)}
    kept = f" (its {missing} missing value(s) stay missing)" if missing else ""
    return f"df[{name!r}] = df[{name!r}].map({coding}).astype(float){kept}"


def unclean(name: str, levels: Sequence[Any]) -> str:
    """Say which levels of a response are codes of missing values or look the same; blank if none."""
    found = reading(levels)
    if found is None:
        return ""
    none = [word for word in found.words if looks(word).casefold().replace("’", "'") in _NO_ANSWER]
    codes = [*found.missing, *none]
    said = [_as_missing(name, codes)] if codes else []
    return " ".join([*said, *alike_notes(name, [one for one in levels if one not in codes])])


def _as_missing(name: str, codes: Sequence[str]) -> str:
    return (
        f"{name!r} has {few(codes)}, as missing values are often written, and it is taken as a level. If "
        f"it is missing, write df[{name!r}] = df[{name!r}].replace({list(codes)}, np.nan)."
    )


def text_notes(name: str, levels: Sequence[Any], rows: int, stated: bool) -> list[str]:
    """Say what a user must know of a factor whose levels are text.

    That is where numbers, or very many values, arrived as text, unless by ``C()`` or by its type it
    was stated to be a factor; where a level looks like a missing value; where levels look the same.
    """
    found = reading(levels)
    if found is None:
        return []
    many = len(levels) > _FEW and rows < _ROWS * len(levels)
    said = []
    if found.numeric and not found.harmless and (many or not stated or found.comma):
        said.append(
            f"{name!r} is text and is taken as a factor: {found.found()}. If it is a number, write "
            f"{found.mend(name)}. If it is a factor, write C({name})."
        )
    elif many and not stated:
        said.append(
            f"{name!r} is text and is taken as a factor with {len(levels)} levels in {rows} rows, such as "
            f"{in_words(map(repr, levels))}. If it is a number or a date, convert it first; if it is a "
            f"factor, write C({name})."
        )
    elif found.missing:
        said.append(_as_missing(name, found.missing))
    return said + alike_notes(name, found.levels)


def alike_notes(name: str, levels: Sequence[Any]) -> list[str]:
    """Say which levels look the same, or do but for capitals, and how to make them one.

    Capitals count for nothing where they tell all levels apart, as those of a genotype do.
    """
    seen, folded = dict[str, list[str]](), dict[str, list[str]]()
    for level in levels:
        if isinstance(level, str):
            seen.setdefault(looks(level), []).append(level)
    for look in seen:
        folded.setdefault(look.casefold(), []).append(look)
    said = []
    column = f"df[{name!r}]"
    same = [group for group in seen.values() if len(group) > 1]
    if same:
        mend = f"{column}.str.normalize('NFKC').str.split().str.join(' ')"
        said.append(_different(name, "white space or the make of accents", same, ascii, mend))
    capitals = [group for group in folded.values() if len(group) > 1]
    if capitals and len(folded) > 1:
        said.append(_different(name, "capitals", capitals, repr, f"{column}.str.lower()"))
    return said


def _different(
    name: str, by: str, groups: list[list[str]], show: Callable[[str], str], mend: str
) -> str:
    told = "; ".join(" and ".join(map(show, group)) for group in groups[:3])
    more = f"; ... ({len(groups)} in all)" if len(groups) > 3 else ""
    return (
        f"Levels of {name!r} that differ by {by} only are taken as different levels: {told}{more}. If they "
        f"are one, write df[{name!r}] = {mend}."
    )


def code_note(name: str, values: np.ndarray) -> str | None:
    """Say that a few numbers far from all others look like codes of missing values; None if not.

    Where no other value is negative, a negative code need not stand far away if it is repeated.

    Examples
    --------
    >>> code_note("age", np.array([18, 25, 31, 36, 40, 47, 52, 60, 66, 71, 999]))[:50]
    "'age' has 999 (1 row), far from its other values, "
    """
    coded = np.isin(values, _ALL)
    if not coded.any() or coded.all():
        return None
    low, high = values[~coded].min(), values[~coded].max()
    width = high - low
    found: list[int] = []
    for code, more in (*_ABOVE.items(), *_BELOW.items()):
        rows = int((values == code).sum())
        above = code > high + _FAR_ABOVE * width
        below = code < low - _FAR_BELOW * width or (low >= 0.0 > code and rows > 1)
        if rows and (above or below):
            beside = [one for one in more if one in values and not low <= one <= high]
            found += [code, *beside]
    odd = np.isin(values, found)
    others = values[~odd]
    if not found or odd.sum() > _SHARE * len(values) or len(others) < _OTHERS or not width:
        return None
    sizes = {code: int((values == code).sum()) for code in found}
    told = ", ".join(f"{code} ({n} row{'s' * (n > 1)})" for code, n in sizes.items())
    return (
        f"{name!r} has {told}, far from its other values, {others.min():g} to {others.max():g}: as missing "
        f"values are often coded. If they are missing, write df[{name!r}] = df[{name!r}].replace({found}, "
        "np.nan)."
    )
