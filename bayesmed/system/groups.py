"""Groups of rows that effects are averaged over: by the values of one column, or of several."""

import itertools
import reprlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from bayesmed.data.frame import is_categorical
from bayesmed.data.levels import Contrast
from bayesmed.data.roles import is_cut
from bayesmed.data.texts import alike_notes
from bayesmed.data.warn import warn
from bayesmed.families.listing import in_words
from bayesmed.system.rows import Counterfactuals
from bayesmed.system.system import System

#: Most groups of by=.
_MOST_GROUPS = 25


def group_columns(by: Any) -> list[str]:
    """The columns that ``by=`` names."""
    names = [by] if isinstance(by, str) else list(by) if isinstance(by, (list, tuple)) else []
    if not names or not all(isinstance(name, str) for name in names):
        kind = ValueError if isinstance(by, (list, tuple)) and not by else TypeError
        raise kind(
            f"by= takes the name of a column, or a list of names; {reprlib.repr(by)} was given. Put "
            "values of each row into a column of the data before the fit."
        )
    return list(dict.fromkeys(names))


def groups_of(model: System, by: list[str]) -> dict[Any, np.ndarray]:
    """Which rows each group has, by its label: the values of a column, or of several in words."""
    columns = [_group_column(model, name) for name in by]
    found = {
        levels: np.logical_and.reduce([c == v for c, v in zip(columns, levels, strict=True)])
        for levels in itertools.product(*(levels_of(column) for column in columns))
    }
    if len(by) > 1:
        found = {levels: rows for levels, rows in found.items() if rows.any()}
    if len(found) > _MOST_GROUPS:
        raise ValueError(
            f"by={shown(by)!r} has {len(found)} different values; cut it into groups first, for example "
            "with pandas.cut, or use at=."
        )
    labels = [levels[0] if len(by) == 1 else ", ".join(map(_label, levels)) for levels in found]
    if len(set(labels)) < len(labels):
        raise ValueError(
            f"by={shown(by)!r}: two groups have the same label; make a column of both."
        )
    return dict(zip(labels, found.values(), strict=True))


def by_group(
    model: System, rows: Counterfactuals, by: list[str], wanted: np.ndarray
) -> Iterator[tuple[Any, Counterfactuals]]:
    """The wanted rows of each group, with its label."""
    for label, own in groups_of(model, by).items():
        index = np.flatnonzero(own & wanted)
        if not index.size:
            raise ValueError(f"by={shown(by)!r}: the group {label!r} has no rows to average over.")
        part = rows.take(index)
        if part.weights is not None and not np.all(np.isfinite(part.weights)):
            raise ValueError(f"by={shown(by)!r}: the weights of the group {label!r} are all zero.")
        yield label, part


def warn_of_one_arm(model: System, contrasts: list[Contrast], by: list[str]) -> None:
    """Say which groups have no row of an arm: nothing is compared within them."""
    lone: dict[str, dict[str, None]] = {}
    treatment, groups = model.frame.data[model.treatment], groups_of(model, by)
    graded, seen = is_graded(model), set(treatment)
    for contrast in contrasts:
        for label, rows in groups.items():
            own = set(treatment[rows])
            arms = {contrast.control, contrast.treated} & seen
            missing = (len(own) == 1) if graded else bool(arms - own)
            if own and missing:
                held = f"{model.treatment} = {', '.join(sorted(map(str, own)))}"
                lone.setdefault(held, {})[repr(label)] = None
    if lone:
        told = "; ".join(f"{in_words(groups)} with {held} only" for held, groups in lone.items())
        warn(
            f"by={shown(by)!r}: some groups lack an arm ({told}). Nothing is compared within them: their "
            "effects are what the formulas carry over from the other groups."
        )


def _group_column(model: System, name: str) -> pd.Series:
    """A column of groups, which may not be a consequence of the treatment."""
    column = model.frame.column(name, "by")
    for role, equation in model.equations.items():
        if name == equation.name:
            instead = " To set it ask for m=." if role == "mediator" else ""
            raise ValueError(
                f"by={name!r} is the {role}, which the treatment moves: the rows that have one value "
                f"of it are others under the other arm, so these are no effects of theirs.{instead}"
            )
    return column


def warn_of_ranges(model: System, by: list[str]) -> None:
    """Say which columns of groups are ranges of the mediator or the outcome."""
    for name, equation in itertools.product(by, model.equations.values()):
        if name != model.treatment and is_cut(
            model.frame.column(name, "by"), model.frame.data[equation.name]
        ):
            warn(
                f"The groups of by={name!r} are ranges of the {equation.key} {equation.name!r}, which the treatment "
                "moves: whoever is in a group could be in another under the other arm, so these are "
                "no effects of a kind of people. Group by what was there before the treatment."
            )


def warn_of_alike(model: System, by: list[str]) -> None:
    """Say which groups look the same, in columns of which the model has not told."""
    for name in by:
        if name not in model.frame.data:
            for note in alike_notes(name, levels_of(model.frame.column(name, "by"))):
                warn(note)


def levels_of(column: pd.Series) -> list[Any]:
    """Values of a column: categories in their order, or sorted numbers."""
    if is_categorical(column):
        return list(column.cat.categories.tolist())
    return list(np.unique(column.to_numpy()).tolist())


def _label(level: Any) -> str:
    whole = isinstance(level, float) and level.is_integer()
    return str(int(level) if whole else level)


def shown(by: list[str]) -> str | list[str]:
    """As it was asked for."""
    return by[0] if len(by) == 1 else by


def is_graded(model: System) -> bool:
    """Whether the treatment is a number with more than two values."""
    column = model.frame.data[model.treatment]
    return not is_categorical(column) and column.nunique() > 2
