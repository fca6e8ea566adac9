"""Names that are not known, refused with the nearest that are."""

import functools
import inspect
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any

from bayesmed.families.dialects import refuse_elsewhere
from bayesmed.families.listing import in_words, looks

_MOST = 12


def nearest(name: Any, known: Iterable[Any]) -> str:
    """``" Did you mean 'outcome_family'?"``, with a space before it; blank where none is near.

    One that looks the same is shown by its characters.

    Examples
    --------
    >>> nearest("outcome_familly", ["outcome", "outcome_family"])
    " Did you mean 'outcome_family'?"
    >>> nearest("age", ["age ", "sex"])[:51]
    " Did you mean 'age '? It looks the same, but is not"
    """
    known = list(known)
    alike = [one for one in known if looks(one) == looks(name)]
    if alike and isinstance(alike[0], str) and isinstance(name, str):
        return (
            f" Did you mean {alike[0]!r}? It looks the same, but is not: {name!a} was given, there is "
            f"{alike[0]!a}. Make them the same."
        )
    if alike:
        kind = "text" if isinstance(alike[0], str) else "a number"
        return f" Did you mean {alike[0]!r}, which is {kind}?"
    found = _nearest(name, known)
    return "" if found is None else f" Did you mean {found!r}?"


def _nearest(name: Any, known: Iterable[Any]) -> str | None:
    wanted, words = str(name).lower(), {str(one).lower(): str(one) for one in known}
    close = get_close_matches(wanted, words, n=1)
    if not close and len(wanted) > 2:  # such as seed for random_seed
        close = [w for w in words if wanted in w or (len(w) > 2 and w in wanted)]
    return words[close[0]] if close else None


def refuse_unknown(given: Iterable[str], known: Iterable[str], door: str) -> None:
    """Refuse arguments that a function does not have."""
    known = list(known)
    unknown = [name for name in given if name not in known]
    if not unknown:
        return
    if {"mediator", "tune"} & set(known):  # a door that takes the arguments of a model or its fit
        refuse_elsewhere(unknown)
    near = {name: _nearest(name, known) for name in unknown}
    said = ", ".join(
        f"{name!r}" + ("" if found is None else f" (did you mean {found!r}?)")
        for name, found in near.items()
    )
    takes = ""
    if None in near.values():
        takes = f" It takes {in_words(known, _MOST)}."
    raise TypeError(f"{door} has no argument {said}.{takes}")


def parameters_of(function: Callable[..., Any]) -> list[str]:
    """Names of the arguments that can be given by name."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    found = inspect.signature(function).parameters.values()
    return [one.name for one in found if one.kind in kinds and one.name != "self"]


def names_nearest[T](door: T) -> T:
    """Decorate a function, or a class with its public methods: misspelt arguments name the nearest.

    Python 3.12 has suggestions for names and attributes, but none for arguments of a call.
    """
    if not isinstance(door, type):
        return _told(door, door.__name__)  # type: ignore[return-value, arg-type, attr-defined]
    for name, method in list(vars(door).items()):
        if name == "__init__":
            door.__init__ = _told(method, door.__name__)  # type: ignore[misc]
        elif inspect.isfunction(method) and not name.startswith("_"):
            setattr(door, name, _told(method, name))
    return door


def _told(function: Callable[..., Any], door: str) -> Callable[..., Any]:
    own = inspect.signature(function).parameters.values()
    kinds = {one.kind for one in own}

    @functools.wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        try:
            return function(*args, **named)
        except TypeError as error:
            # Without a deeper frame it is this call that was refused.
            if error.__traceback__ is not None and error.__traceback__.tb_next is None:
                if inspect.Parameter.VAR_KEYWORD not in kinds:
                    refuse_unknown(named, parameters_of(function), f"{door}()")
                if inspect.Parameter.VAR_POSITIONAL not in kinds:
                    _refuse_by_place(own, len(args), named, f"{door}()")
            raise

    return call


def _refuse_by_place(
    own: Iterable[inspect.Parameter], given: int, named: Iterable[str], door: str
) -> None:
    """Refuse more arguments by place than a function takes, with some that go by name."""
    own = list(own)
    by_place = [
        one.name for one in own if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    if given <= len(by_place):
        return
    taken = [name for name in by_place if name != "self"]
    names = [one.name for one in own if one.kind is one.KEYWORD_ONLY]
    if taken == ["data"]:  # a door that takes a model's arguments
        names = list(dict.fromkeys(("mediator", "outcome", "treatment", *names)))
    others = [f"{name}=" for name in names if name not in set(named)][:3]
    such = f", such as {in_words(others, _MOST)}" if others else ""
    raise TypeError(
        f"{door} takes {in_words(taken, _MOST) or 'nothing'} by place and other arguments by name{such}."
    ) from None
