"""Covariates, and whether the treatment may move them: then they are mediators."""

import numpy as np
import pandas as pd
from scipy import special

from bayesmed.data.frame import is_categorical
from bayesmed.system.system import System

#: An association with the treatment that chance alone would hardly give.
_CHANCE = 1e-4
#: A factor with more levels is not looked at.
_MOST_LEVELS = 12


def covariates_of(model: System, key: str | None = None) -> list[str]:
    """Variables of one equation or all, without treatment, mediator and outcome."""
    equations = model.equations.values() if key is None else [model.equations[key]]
    own = {model.treatment, *(equation.name for equation in model.equations.values())}
    used = dict.fromkeys(name for one in equations for name in one.design.parsed.variables)
    return [name for name in used if name not in own]


def associated(model: System) -> list[str]:
    """Covariates with which the treatment is associated given the others, beyond chance.

    An F test of each in a linear regression of the treatment, or of the treated level among
    rows of either, on all of them. A confounder is associated with a treatment that was not
    randomised, and a mediator with one that was.
    """
    if model.counted is not None:  # rows that stand for others
        return []
    data, chosen = model.frame.data, model.contrast
    treatment = data[model.treatment]
    if is_categorical(treatment):
        data = data[treatment.isin([chosen.control, chosen.treated])]
        treatment = (data[model.treatment] == chosen.treated).astype(float)
    blocks = {name: _columns(data[name]) for name in covariates_of(model)}
    blocks = {name: block for name, block in blocks.items() if block.shape[1]}
    if not blocks:
        return []
    columns = np.column_stack(list(blocks.values()))
    columns, t = _centred(columns), treatment.to_numpy(dtype=float)
    t = t - t.mean()
    free = len(t) - columns.shape[1] - 1
    inverse = np.linalg.pinv(columns.T @ columns, rcond=1e-10)
    weights = inverse @ (columns.T @ t)
    spread = float(np.sum((t - columns @ weights) ** 2)) / max(free, 1)
    if free < 1 or spread <= 1e-12 * float(t @ t):
        return []
    found, start = [], 0
    for name, block in blocks.items():
        k = block.shape[1]
        place = slice(start, start + k)
        start += k
        own = weights[place]
        ratio = own @ np.linalg.pinv(inverse[place, place]) @ own / (k * spread)
        if special.fdtrc(k, free, ratio) < _CHANCE:
            found.append(name)
    return found


def _columns(column: pd.Series) -> np.ndarray:
    """A number as it is, a factor by its levels but one, shape (row, column)."""
    if not is_categorical(column):
        return column.to_numpy(dtype=float)[:, None]
    levels = column.cat.categories
    if len(levels) > _MOST_LEVELS:
        return np.empty((len(column), 0))
    return (column.to_numpy()[:, None] == levels.to_numpy()[None, 1:]).astype(float)


def _centred(columns: np.ndarray) -> np.ndarray:
    columns = columns - columns.mean(axis=0)
    scale = np.sqrt((columns**2).mean(axis=0))
    return np.asarray(columns / np.where(scale > 0.0, scale, 1.0))


def moved_question(model: System, names: list[str], equation: str) -> str:
    """Ask whether the treatment changes covariates of one equation, and say what follows."""
    known = associated(model)
    moved = [name for name in names if name in known]
    lacking = {
        "mediator": "the effect through the mediator holds it as observed and lacks",
        "outcome": "these effects, the total among them, hold it as observed and lack",
    }[equation]
    text = (
        f"Does the treatment change any of them? Then it is a mediator too: {lacking} what passes "
        "through it (docs/not_answered.md)."
    )
    if moved:
        others = [name for name in covariates_of(model) if name not in names]
        balanced = bool(others) and not set(others) & set(known)
        text += (
            f" In these data the treatment is associated with {moved}"
            f"{', and not with the other covariates' if balanced else ''}."
        )
    return text
