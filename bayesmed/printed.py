"""Numbers in print: digits that are known, and probabilities that draws can show."""

import numpy as np

MINUS = "\u2212"


def chance(value: float) -> tuple[str, str]:
    """A probability from a number of draws, which is never nought or one: side and three digits.

    Examples
    --------
    >>> from bayesmed.printed import chance
    >>> chance(0.25), chance(1.0), chance(0.0004)
    (('', '0.250'), ('>', '0.999'), ('<', '0.001'))
    """
    if value > 0.999:
        return ">", "0.999"
    return ("<", "0.001") if value < 0.001 else ("", f"{value:.3f}")


def chance_in_words(value: float) -> str:
    """The same for a sentence, such as ``above 0.999``."""
    side, shown = chance(value)
    return {">": "above ", "<": "below ", "": ""}[side] + shown


def number(value: float, digits: int, bounded: bool = False) -> str:
    """One number in print.

    Parameters
    ----------
    value : float
    digits : int
        After the point, at least 0; fewer than 0 round to tens and hundreds.
    bounded : bool
        It cannot pass one in size, so that it has no zero before the point, as the American
        Psychological Association asks.

    Returns
    -------
    str
        With a true minus sign; "–" for what is not a number.

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
    return f"{MINUS if rounded < 0 else ''}{text}"


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
