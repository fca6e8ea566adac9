"""Numbers in print: digits that are known, and probabilities that draws can show."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

MINUS = "\u2212"
#: Columns of probabilities that draws show; shares of the draws themselves can be 0 and 1.
_CHANCE = re.compile(r"(.* )?P\(.*\)|probability")


def chance(value: float) -> tuple[str, str]:
    """A probability from a number of draws, which is never nought or one: side and three digits.

    Ties go to the even digit, so that a probability and its complement add up to one in print.

    Examples
    --------
    >>> from bayesmed.printed import chance
    >>> chance(0.25), chance(1.0), chance(0.0004), chance(0.1645), chance(0.8355)
    (('', '0.250'), ('>', '0.999'), ('<', '0.001'), ('', '0.164'), ('', '0.836'))
    """
    if np.isnan(value):
        return "", "nan"
    if value > 0.999:
        return ">", "0.999"
    # To six digits first: a share of draws has a tie where its binary number has none.
    thousandths = round(round(1000.0 * float(value), 6))
    return ("<", "0.001") if value < 0.001 else ("", f"{thousandths / 1000.0:.3f}")


def chance_in_words(value: float) -> str:
    """The same for a sentence, such as ``above 0.999``."""
    side, shown = chance(value)
    return {">": "above ", "<": "below ", "": ""}[side] + shown


def beside(value: float, limit: float, digits: int) -> str:
    """A number with as many digits as show on which side of a limit it lies.

    Examples
    --------
    >>> from bayesmed.printed import beside
    >>> beside(1.01, 1.01, 4), beside(1.010004, 1.01, 4), beside(0.2996, 0.3, 2)
    ('1.0100', '1.010004', '0.2996')
    """
    shown = f"{value:.{digits}f}"
    while digits < 15 and value != limit and float(shown) == limit:
        digits += 1
        shown = f"{value:.{digits}f}"
    return shown


def percent(share: float) -> str:
    """A share of the draws to a tenth of a percent; nought and all only where it is that.

    Examples
    --------
    >>> from bayesmed.printed import percent
    >>> percent(0.125), percent(0.0), percent(0.00025), percent(0.99975)
    ('12.5%', '0.0%', 'less than 0.1%', 'more than 99.9%')
    """
    if 0.0 < share < 0.0005:
        return "less than 0.1%"
    return "more than 99.9%" if 0.9995 < share < 1.0 else f"{share:.1%}"


def number(value: float, digits: int, bounded: bool = False, minus: str = MINUS) -> str:
    """One number in print.

    Parameters
    ----------
    value : float
    digits : int
        After the point, at least 0; fewer than 0 round to tens and hundreds.
    bounded : bool
        It cannot pass one in size, so that it has no zero before the point, as the American
        Psychological Association asks.
    minus : str
        A true minus sign; a plain text has "-".

    Returns
    -------
    str
        "–" for what is not a number.

    Examples
    --------
    >>> from bayesmed.printed import number
    >>> number(-0.1234, 2, bounded=True), number(1.5, 0), number(0.123, 2)
    ('−.12', '2', '0.12')
    """
    if np.isnan(value):
        return "–"
    rounded = round(float(value), digits) + 0.0
    text = f"{abs(rounded):,.{max(digits, 0)}f}"
    if bounded and text.startswith("0."):
        text = text[1:]
    return f"{minus if rounded < 0 else ''}{text}"


def probability(value: float) -> str:
    """A probability with three digits; never 1 or 0 where draws are few.

    Examples
    --------
    >>> from bayesmed.printed import probability
    >>> probability(0.9624), probability(1.0)
    ('.962', '> .999')
    """
    if np.isnan(value):
        return "–"
    side, shown = chance(value)
    return f"{side} {shown[1:]}".strip()


def digits_of(low: float, high: float, mcse: float) -> int:
    """Digits after the point: three significant ones of the interval's width, none below the MCSE.

    One or two more where an end close to zero would be printed as zero, which hides its side.
    """
    width = high - low
    wanted = 2 - int(np.floor(np.log10(width))) if np.isfinite(width) and width > 0 else 3
    known = -int(np.floor(np.log10(mcse))) if np.isfinite(mcse) and mcse > 0 else 15
    ends = [end for end in (low, high) if np.isfinite(end) and end != 0.0]
    for _ in range(2):
        wanted += any(round(end, wanted) == 0.0 for end in ends)
    return min(wanted, known)


def digits_in_common(table: pd.DataFrame, groups: Sequence[Any]) -> list[int]:
    """Digits of each row of a summary: the fewest that :func:`digits_of` finds in its group."""
    low, high = (next(c for c in table.columns if c.endswith(end)) for end in ("_low", "_high"))
    ends = table[[low, high, "mcse"]].to_numpy(dtype=float)
    own = [digits_of(*row) for row in ends]
    fewest = {k: min(d for d, g in zip(own, groups, strict=True) if g == k) for k in set(groups)}
    return [fewest[k] for k in groups]


class Printed(pd.DataFrame):
    """A table of full numbers that prints its probabilities by :func:`chance`."""

    @property
    def _constructor(self) -> type["Printed"]:
        return Printed

    def in_print(self) -> pd.DataFrame:
        """The same with probabilities as text."""
        shown = pd.DataFrame(self)
        for place, name in enumerate(self.columns):
            if isinstance(name, str) and _CHANCE.fullmatch(name):
                texts = [_shown(value) for value in self.iloc[:, place]]
                shown.isetitem(place, np.array(texts, dtype=object))
        return shown

    def __repr__(self) -> str:
        return repr(self.in_print())

    def _repr_html_(self) -> str | None:
        return self.in_print()._repr_html_()  # type: ignore[operator, no-any-return]

    def to_string(self, *args: Any, **options: Any) -> Any:
        """As that of pandas."""
        return self.in_print().to_string(*args, **options)

    def to_html(self, *args: Any, **options: Any) -> Any:
        """As that of pandas."""
        return self.in_print().to_html(*args, **options)

    def to_markdown(self, *args: Any, **options: Any) -> Any:
        """As that of pandas."""
        return self.in_print().to_markdown(*args, **options)


def _shown(value: Any) -> str:
    return "NaN" if pd.isna(value) else "".join(chance(value))
