"""Formulas read: their response, their right-hand side, and the columns they use.

A formula is code: formulaic evaluates the functions in it. Formulas come from the user's own
call only; one that was read from a file is never evaluated.
"""

import ast
import builtins
import keyword
import re
import unicodedata
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from formulaic import Formula
from formulaic.errors import FormulaicError
from formulaic.transforms import TRANSFORMS

from bayesmed.data.arithmetic import refuse_arithmetic
from bayesmed.families.dialects import (
    outside_calls,
    outside_quotes,
    refuse_dialect,
    refuse_no_formula,
    translated,
    why_no_response,
)
from bayesmed.families.listing import few, looks, short
from bayesmed.families.names import nearest

_BACKTICKED = re.compile(r"`([^`]+)`")
_NAME = r"(?:`[^`]+`|[^\W\d][\w.]*)"
_POWER = re.compile(rf"({_NAME})\s*(?:\^|\*\*)\s*(\d+)")
_OPERATION = re.compile(r"[^\w\s.]")
#: A letter, and something that no plain name holds.
_BEYOND_WORDS = re.compile(r"(?=.*[^\W\d])(?=.*[^\w.])")
INTERCEPT = "Intercept"
#: Stands for a name in backticks where Python is read.
_QUOTED = "_quoted"
#: Functions that take text too.
_OF_ANYTHING = ("C", "I", "Q", "hashed", "stateful_transform", "encode_contrasts")
_ELEMENTWISE = (ast.BinOp, ast.UnaryOp, ast.Compare, ast.operator, ast.unaryop, ast.cmpop,
                ast.Name, ast.Constant, ast.expr_context, ast.List, ast.Tuple)  # fmt: skip


class NoRows(Exception):
    """A formula has no value on rows it is evaluated on; callers say which rows and why."""

    def __init__(self, formula: str, reason: str):
        super().__init__(f"{short(formula)} has no value there ({reason})")


@dataclass(frozen=True)
class Parsed:
    """A formula split into its response and right-hand side, and the columns it uses."""

    text: str
    response: str
    rhs: str
    variables: tuple[str, ...]


def parse(formula: str, columns: list[str], equation: str) -> Parsed:
    """Split a formula and find the columns it uses."""
    refuse_no_formula(formula, equation)
    if "``" in formula:  # formulaic would leave it out without a word
        raise ValueError(
            f"The {equation} formula {short(formula)} names a column by an empty pair of backticks; give "
            "that column a name."
        )
    place = outside_quotes(formula).index("~")
    left, rhs = formula[:place].strip(), translated(formula[place + 1 :].strip())
    refuse_dialect(formula, rhs, equation)
    response = left.strip("`").strip()
    if response not in columns:
        raise ValueError(_no_response(left, response, columns, equation))
    _refuse_power(rhs, equation)
    _refuse_operators(rhs, columns, equation)
    refuse_arithmetic(rhs, equation)
    try:
        terms = Formula(rhs, _context={"__formulaic_variables_available__": columns})
        factors = [factor for term in terms for factor in term.factors]
        used = [name for factor in factors for name in names_in(factor, columns)]
    except (FormulaicError, AttributeError, TypeError, SyntaxError) as error:
        why = _why_unreadable(error, formula, rhs, columns)
        raise ValueError(f"The {equation} formula {short(formula)} cannot be read: {why}") from None
    _refuse_exclusive_or(factors, equation)
    unknown = [name for name in dict.fromkeys(used) if name not in columns]
    if unknown:
        raise ValueError(_no_columns(unknown, formula, rhs, columns, equation))
    if INTERCEPT in (response, *used):
        raise ValueError(
            f"A column named {INTERCEPT!r} in the {equation} formula {short(formula)} would be taken for "
            "the constant; rename the column."
        )
    return Parsed(formula, response, rhs, tuple(dict.fromkeys(used)))


def _no_response(left: str, response: str, columns: list[str], equation: str) -> str:
    hint = nearest(response, columns)
    if not left or _OPERATION.search(looks(response)):
        odd = [name for name in columns if _OPERATION.search(looks(name))]
        hint = nearest(response, odd) or why_no_response(left, equation)
    return (
        f"The response {left!r} of the {equation} formula is not a column of the data; "
        f"the columns are {few(columns)}.{hint}"
    )


def _why_unreadable(error: Exception, formula: str, rhs: str, columns: list[str]) -> str:
    """formulaic's reason, and what to do where it has no tip or one that gives another model."""
    reason = re.sub(r"\x1b\[[0-9;]*m|[⧛⧚]", "", str(error)).split("\n")[0].rstrip(".")
    hint = _backticks(outside_quotes(rhs), columns)
    if not hint and not unicodedata.is_normalized("NFC", formula):
        hint = "; an accent in it is a character of its own: unicodedata.normalize('NFC', formula)"
    if "scal" in reason:
        reason = reason.split(" (tip")[0]
        hint = "; arithmetic stands inside I(), as in I(x/(z + 1))"
    reserved = [c for c in columns if keyword.iskeyword(str(c)) and re.search(rf"\b{c}\b", rhs)]
    if isinstance(error, SyntaxError) and reserved:
        hint = (
            f"; {reserved[0]!r} is a word of Python, which functions cannot read: rename the column"
        )
    elif re.search(r"\)\s*\.|`\s*\.|[<>=]", outside_calls(rhs)):
        hint += "; methods and comparisons stand inside I(), as in I((x > 1).astype(float))"
    return reason + hint


def _refuse_exclusive_or(factors: Iterable[Any], equation: str) -> None:
    for factor in factors:
        if factor.eval_method.value == "python" and "^" in _BACKTICKED.sub("", factor.expr):
            raise ValueError(
                f"{factor.expr!r} in the {equation} formula: inside a function ^ is Python's "
                "exclusive or; write ** for a power."
            )


def _no_columns(
    unknown: list[str], formula: str, rhs: str, columns: list[str], equation: str
) -> str:
    near = nearest(unknown[0], columns)
    if re.search(rf"(?<![\w.]){re.escape(unknown[0])}\.\w+\(", rhs):
        near = (
            f" Of packages a formula knows NumPy only, as np: make a column of it before, "
            f"df['new'] = {unknown[0]}..., and write new."
        )
    hint = _backticks(outside_quotes(rhs), columns) or f".{near}"
    return (
        f"{few(unknown)} in the {equation} formula {short(formula)} is not a column of the data; "
        f"the columns are {few(columns)}{hint}"
    )


def parse_scale(formula: str, response: str, columns: list[str], equation: str) -> Parsed:
    """Read the right-hand side of a regression of log sigma, with or without its ``~``."""
    rhs = formula.strip().removeprefix("~").strip() if isinstance(formula, str) else ""
    if not rhs or "~" in outside_quotes(rhs):
        raise ValueError(
            f"{equation} must read '~ terms', such as '~ treat'; {short(formula)} was given."
        )
    return parse(f"`{response}` ~ {rhs}", columns, equation)


def _backticks(text: str, columns: list[str]) -> str:
    """Say that a name which is more than a word stands in backticks, where one stands bare."""
    odd = [str(c) for c in columns if _BEYOND_WORDS.search(str(c).strip())]
    bare = [c for c in odd if re.search(rf"(?<!\w){re.escape(c.strip())}(?!\w)", text)]
    name = max(bare, key=len, default="")
    return f"; names such as {name!r} stand in backticks: `{name}`" if name else ""


def _refuse_operators(rhs: str, columns: list[str], equation: str) -> None:
    """A name such as a/b would be read as a and b, where these are columns too."""
    terms = outside_calls(outside_quotes(rhs))
    hint = _backticks(terms, [c for c in columns if re.search(r"[-+*/:^]", str(c))])
    if hint:
        raise ValueError(
            f"{short(rhs)} in the {equation} formula can be read in two ways{hint}. Where the operator is meant, "
            "put spaces around it."
        )


def as_factors(parsed: Parsed) -> set[str]:
    """Columns that a formula takes as factors by ``C()``."""
    found = re.findall(rf"(?<![\w.])C\(\s*({_NAME})\s*[,)]", parsed.rhs)
    return {name.strip("`") for name in found}


def names_in(factor: Any, columns: Container[str]) -> list[str]:
    """Columns that a factor of a term uses, or would use if they existed.

    A method counts for what it belongs to: ``m.rank()`` uses m.
    """
    kind = factor.eval_method.value
    if kind == "literal":
        return []
    if kind == "lookup":
        return [factor.expr]
    tree, quoted = _read(factor.expr)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    own = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)} | {_QUOTED}
    found = {_quoted_by_q(node) for node in ast.walk(tree)} - {None}
    names = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and id(node) not in called and node.id not in own
    }
    found |= {
        name
        for name in names
        if name in columns or not (name in TRANSFORMS or hasattr(builtins, name))
    }
    return quoted + sorted(map(str, found))


def is_elementwise(factor: Any) -> bool:
    """Whether a factor is made of operators, NumPy's ufuncs and formulaic's functions only.

    Then it gives a row the same value whatever other rows there are: formulaic keeps what its
    ``center``, ``scale``, ``poly``, ``bs`` and so on found in the data.
    """
    if factor.eval_method.value != "python":
        return True
    tree, _ = _read(factor.expr)
    return all(
        isinstance(node, _ELEMENTWISE) and not isinstance(node, ast.MatMult)
        for node in _outer(tree)
    )


def calculated_in(factor: Any) -> list[str]:
    """Names that a factor calculates with: by an operator, or by a function of numbers."""
    if factor.eval_method.value != "python":
        return []
    tree, quoted = _read(factor.expr)
    found: list[ast.AST] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp):
            found += [node.left, node.right]
        elif isinstance(node, ast.UnaryOp):
            found.append(node.operand)
        elif isinstance(node, ast.Call) and _is_known(node.func):
            called = node.func.id if isinstance(node.func, ast.Name) else ""
            found += [] if called in _OF_ANYTHING else node.args[:1]
    names = [node.id for node in found if isinstance(node, ast.Name)]
    return [quoted[0] if name == _QUOTED and len(quoted) == 1 else name for name in names]


def _outer(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a tree, without the names of known functions."""
    if isinstance(tree, ast.Call) and _is_known(tree.func):
        parts: Iterable[ast.AST] = [*tree.args, *(word.value for word in tree.keywords)]
    else:
        yield tree
        parts = ast.iter_child_nodes(tree)
    for part in parts:
        yield from _outer(part)


def _is_known(node: ast.AST) -> bool:
    """Whether a node names a function that looks at one row."""
    if isinstance(node, ast.Name):
        return node.id in TRANSFORMS and node.id not in ("lag", "np")
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        function = getattr(np, node.attr, None) if node.value.id == "np" else None
        return isinstance(function, np.ufunc) and function.signature is None
    return False


def _quoted_by_q(node: ast.AST) -> str | None:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Q":
        first = node.args[0] if node.args else None
        return str(first.value) if isinstance(first, ast.Constant) else None
    return None


def _read(expression: str) -> tuple[ast.AST, list[str]]:
    """A piece of Python, and the names that stand in it in backticks."""
    code = _BACKTICKED.sub(_QUOTED, expression)
    return ast.parse(code, mode="eval").body, _BACKTICKED.findall(expression)


def _refuse_power(rhs: str, equation: str) -> None:
    """formulaic reads x^2 as the interaction of x with itself, which is x."""
    open_to_all = outside_calls(rhs)
    for single in re.finditer(r"(?:[\w.]+)?\(([^()+\-*:/]|\([^()]*\))*\)\s*(\^|\*\*)", rhs):
        if open_to_all[single.end() - 1] == "_":
            continue
        raise ValueError(
            f"The power after {single.group(0)!r} in the {equation} formula would be ignored; write "
            "it inside I(), as in I(x**2)."
        )
    for found in _POWER.finditer(rhs):
        if open_to_all[found.end() - 1] == "_":
            continue
        name, power = found.groups()
        raise ValueError(
            f"{found.group(0)!r} in the {equation} formula would be read as {name!r} alone; "
            f"for a power write I({name}**{power})."
        )
