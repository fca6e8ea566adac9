"""Formulas read: their response, their right-hand side, and the columns they use.

A formula is code: formulaic evaluates the functions in it. Formulas come from the user's own
call only; one that was read from a file is never evaluated.
"""

import re
from dataclasses import dataclass
from typing import Any

from formulaic import Formula
from formulaic.errors import FormulaicError
from formulaic.transforms import TRANSFORMS
from formulaic.utils.variables import get_expression_variables

_BACKTICKED = re.compile(r"`([^`]+)`")
_NAME = r"(?:`[^`]+`|[^\W\d][\w.]*)"
_POWER = re.compile(rf"({_NAME})\s*(?:\^|\*\*)\s*(\d+)")
INTERCEPT = "Intercept"


class NoRows(Exception):
    """A formula has no value on rows it is evaluated on; callers say which rows and why."""

    def __init__(self, formula: str, reason: str):
        super().__init__(f"{formula!r} has no value there ({reason})")


@dataclass(frozen=True)
class Parsed:
    """A formula split into its response and right-hand side, and the columns it uses."""

    text: str
    response: str
    rhs: str
    variables: tuple[str, ...]


def parse(formula: str, columns: list[str], equation: str) -> Parsed:
    """Split a formula and find the columns it uses.

    Raises
    ------
    ValueError
        If the formula has no single response, is malformed or names an unknown column.
    """
    if not isinstance(formula, str) or formula.count("~") != 1:
        raise ValueError(
            f"The {equation} formula must read 'response ~ terms'; {formula!r} was given."
        )
    if "``" in formula:  # formulaic would leave it out without a word
        raise ValueError(
            f"The {equation} formula {formula!r} names a column by an empty pair of backticks; give "
            "that column a name."
        )
    left, rhs = (part.strip() for part in formula.split("~"))
    rhs = re.sub(r"(?<![\w.`])factor\(", "C(", rhs)  # as R writes it
    if "|" in rhs:
        raise ValueError(
            f"The {equation} formula {formula!r} cannot be read: a formula here has one part, "
            "without '|'."
        )
    response = left.strip("`").strip()
    if response not in columns:
        hint = "" if re.fullmatch(_NAME, left) else (
            " A transformed response must be a column of its own: compute it first."
        )  # fmt: skip
        raise ValueError(
            f"The response {left!r} of the {equation} formula is not a column of the data; "
            f"the columns are {columns}.{hint}"
        )
    _refuse_power(rhs, equation)
    try:
        terms = Formula(rhs, _context={"__formulaic_variables_available__": columns})
        factors = [factor for term in terms for factor in term.factors]
    except (FormulaicError, AttributeError, TypeError, SyntaxError) as error:
        reason = re.sub(r"\x1b\[[0-9;]*m|[⧛⧚]", "", str(error)).split("\n")[0]
        odd = [
            name for name in columns if not re.fullmatch(_NAME, str(name)) and str(name) in formula
        ]
        hint = f"; names such as {odd[0]!r} stand in backticks: `{odd[0]}`" if odd else ""
        raise ValueError(
            f"The {equation} formula {formula!r} cannot be read: {reason}{hint}"
        ) from None
    for factor in factors:
        if factor.eval_method.value == "python" and "^" in _BACKTICKED.sub("", factor.expr):
            raise ValueError(
                f"{factor.expr!r} in the {equation} formula: inside a function ^ is Python's "
                "exclusive or; write ** for a power."
            )
    used = [name for factor in factors for name in _columns_of(factor)]
    unknown = [name for name in dict.fromkeys(used) if name not in columns]
    if unknown:
        raise ValueError(
            f"{unknown} in the {equation} formula {formula!r} is not a column of the data; "
            f"the columns are {columns}."
        )
    if INTERCEPT in (response, *used):
        raise ValueError(
            f"A column named {INTERCEPT!r} in the {equation} formula {formula!r} would be taken for "
            "the constant; rename the column."
        )
    return Parsed(formula, response, rhs, tuple(dict.fromkeys(used)))


def parse_scale(formula: str, response: str, columns: list[str], equation: str) -> Parsed:
    """Read the right-hand side of a regression of log sigma, with or without its ``~``.

    Raises
    ------
    ValueError
        If it has a response, is malformed or names an unknown column.
    """
    rhs = formula.strip().removeprefix("~").strip() if isinstance(formula, str) else ""
    if not rhs or "~" in rhs:
        raise ValueError(
            f"{equation} must read '~ terms', such as '~ treat'; {formula!r} was given."
        )
    return parse(f"`{response}` ~ {rhs}", columns, equation)


def _columns_of(factor: Any) -> list[str]:
    kind = factor.eval_method.value
    if kind == "literal":
        return []
    if kind == "lookup":
        return [factor.expr]
    quoted = _BACKTICKED.findall(factor.expr)
    code = _BACKTICKED.sub("0", factor.expr)
    names = get_expression_variables(code, {})
    return quoted + sorted(
        str(name)
        for name in names
        if "value" in {role.value for role in name.roles}
        and str(name).split(".")[0] not in TRANSFORMS
    )


def _refuse_power(rhs: str, equation: str) -> None:
    """formulaic reads x^2 as the interaction of x with itself, which is x."""
    outside = rhs
    while (stripped := re.sub(r"[\w.]+\([^()]*\)|\{[^{}]*\}", "", outside)) != outside:
        outside = stripped
    single = re.search(r"(?:[\w.]+)?\(([^()+\-*:/]|\([^()]*\))*\)\s*(\^|\*\*)", rhs)
    if single:
        raise ValueError(
            f"The power after {single.group(0)!r} in the {equation} formula would be ignored; write "
            "it inside I(), as in I(x**2)."
        )
    found = _POWER.search(outside)
    if found:
        name, power = found.groups()
        raise ValueError(
            f"{found.group(0)!r} in the {equation} formula would be read as {name!r} alone; "
            f"for a power write I({name}**{power})."
        )
