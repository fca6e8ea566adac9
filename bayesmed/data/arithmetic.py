"""Arithmetic that a formula would read as its own operators.

In a formula ``x - 5`` is x without a term 5, ``(x + z)/2`` is z within x, and ``treat*(x - 1)`` is
``treat*x``. What removes nothing, and a number where no number is, was meant as arithmetic.
"""

from collections.abc import Iterator
from typing import Any

from formulaic.errors import FormulaicError
from formulaic.parser import DefaultFormulaParser
from formulaic.parser.types import ASTNode

from bayesmed.families.dialects import outside_quotes

_SUMS, _POWERS = ("+", "-"), ("**", "^")


def refuse_arithmetic(rhs: str, equation: str) -> None:
    """Refuse arithmetic that stands outside functions, naming the piece and what to write."""
    try:
        found = next(_arithmetic(DefaultFormulaParser().get_ast(rhs)), None)
    except (FormulaicError, SyntaxError):  # whoever reads the formula next says why
        return
    if found is None:
        return
    piece, first, last = _text(found, rhs), found.args[0], found.args[-1]
    write = [f"I({piece})"]
    if found.operator.symbol == "-":
        while _is_sum(first):
            first = first.args[-1]
        mean = ".mean(" in str(last)
        if (mean or _is_number(last)) and _is_a(first, "NAME"):
            name = rhs[min(_ends(first)) : max(_ends(first))]
            write = [*([] if mean else write), f"center({name}), which takes off the mean"]
    raise ValueError(
        f"{piece!r} in the {equation} formula would be read as formula operators, which add, cross and "
        f"remove terms, not as arithmetic. For arithmetic write {' or '.join(write)}."
    )


def _arithmetic(tree: Any) -> Iterator[ASTNode]:
    """Operations that are no formula algebra, the outermost first."""
    left = [(tree, True)]  # whether a constant can stand there
    while left:
        node, top = left.pop()
        if not isinstance(node, ASTNode):
            continue
        if _is_arithmetic(node, top):
            yield node
        inside = top and node.operator.symbol in _SUMS
        left += [(one, inside and one is node.args[0]) for one in reversed(node.args)]


def _is_arithmetic(node: ASTNode, top: bool) -> bool:
    symbol, own = node.operator.symbol, node.args
    if not _ends(own[-1]):  # formulaic's own, for 0
        return False
    numbers = [one for one in own if _is_number(one)]
    if symbol in _SUMS:
        odd = any(str(one) not in ("0", "1") for one in numbers)
        return odd or (symbol == "-" and not (top and _is_number(own[-1])) and _not_there(own))
    if symbol in _POWERS:
        return _is_number(own[0])
    return (symbol != ":" and bool(numbers)) or (symbol == "/" and all(map(_is_sum, own)))


def _not_there(own: tuple[Any, ...]) -> bool:
    """Whether what a minus removes is not among the terms before it."""
    before = set(own[0].to_terms()) if len(own) == 2 else set()
    return not set(own[-1].to_terms()) <= before


def _is_sum(node: Any) -> bool:
    return isinstance(node, ASTNode) and node.operator.symbol in _SUMS


def _is_a(node: Any, kind: str) -> bool:
    return not isinstance(node, ASTNode) and node.kind.name == kind


def _is_number(node: Any) -> bool:
    return _is_a(node, "VALUE") and str(node)[0] not in "'\""


def _ends(node: Any) -> list[int]:
    """Where the names and numbers of a piece begin and end in the formula."""
    left, found = [node], list[int]()
    while left:
        one = left.pop()
        if isinstance(one, ASTNode):
            left += one.args
        elif one.source is not None:
            end = one.source_end + 1
            found += [one.source_start, end + (one.source[end : end + 1] == "`")]
    return found


def _text(node: ASTNode, rhs: str) -> str:
    """The piece of the formula that an operation stands on, with whole parentheses."""
    first = node.args[0]
    while node.operator.symbol in _SUMS and _is_sum(first):  # of a sum the last two terms
        first = first.args[-1]
    start, end = min(_ends(first), default=0), max(_ends(node.args[-1]))
    if len(node.args) == 1:
        start = rhs.rindex(node.operator.symbol, 0, start)
    depth = lowest = 0
    for sign in outside_quotes(rhs)[start:end]:
        depth += (sign == "(") - (sign == ")")
        lowest = min(lowest, depth)
    for _ in range(-lowest):
        start = rhs.rindex("(", 0, start)
    for _ in range(depth - lowest):
        end = rhs.index(")", end) + 1
    return rhs[start:end].strip()
