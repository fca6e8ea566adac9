"""Codes of missing values among numbers, such as 999 in an age."""

import numpy as np

#: Such as they are given to "no answer"; beside them may stand others of as many digits.
_ABOVE = {99: (77, 88, 97, 98), 999: (777, 888, 997, 998), 9999: (7777, 8888, 9998), 99999: ()}
_BELOW = {-9: (-7, -8), -99: (-77, -88, -98), -999: (-888, -998), -9999: (-8888,)}
_ALL = [code for side in (_ABOVE, _BELOW) for one, more in side.items() for code in (one, *more)]
#: How far away they stand, in ranges of the other values; how few they are; how many the others.
_FAR_ABOVE, _FAR_BELOW, _SHARE, _OTHERS = 2.0, 1.0, 0.25, 10


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
    told = ", ".join(_rows(code, int((values == code).sum())) for code in found)
    return (
        f"{name!r} has {told}, far from its other values, {others.min():g} to {others.max():g}: as missing "
        f"values are often coded. If they are missing, write df[{name!r}] = df[{name!r}].replace({found}, "
        "np.nan)."
    )


def _rows(code: int, count: int) -> str:
    return f"{code} ({count} row{'s' * (count > 1)})"
