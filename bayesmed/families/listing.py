"""Values that users give: what they are, and in messages the first few of many, the beginning of what is long."""

import unicodedata
from collections.abc import Iterable
from typing import Any

import numpy as np

_MOST = 8


def is_number(value: Any) -> bool:
    """Whether an argument is a number; True and False are none."""
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def in_words(shown: Iterable[str], most: int = 3) -> str:
    """The first few of many, and how many they are."""
    given = list(shown)
    if len(given) <= most + 1:
        return ", ".join(given)
    return f"{', '.join(given[:most])}, ... ({len(given)} in all)"


def few(values: Iterable[Any], most: int = _MOST) -> str:
    """A list as Python shows it; of many values the first few, and how many they are.

    Examples
    --------
    >>> few(["a", "b"])
    "['a', 'b']"
    >>> few(range(300), most=3)
    '[0, 1, 2, ... (300 in all)]'
    """
    return f"[{in_words(map(repr, values), most)}]"


def short(text: Any, most: int = 160) -> str:
    """A text as Python shows it; of a long one, such as a formula of many terms, the beginning."""
    shown = repr(text)
    return shown if len(shown) <= most else f"{shown[:most]} ... ({len(shown)} characters)"


def looks(value: Any) -> str:
    """A text as it looks: accents composed, white space single and trimmed, nothing invisible."""
    seen = (c for c in unicodedata.normalize("NFKC", str(value)) if unicodedata.category(c) != "Cf")
    return " ".join("".join(seen).split())
