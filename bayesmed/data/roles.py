"""Treatment, mediator and outcome in a role where a counterfactual cannot move them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bayesmed.data.frame import is_categorical

#: What to do where a data column of a formula's equation is one of the three.
_INSTEAD = {
    "offset": "Leave it out: its coefficient in the formula is estimated and would take up the "
    "offset; to state that coefficient give it a narrow prior, such as bm.Prior('Normal', mu=1, "
    "sigma=0.001).",
    "exposure": "Put its logarithm into the formula in its place, such as log({name}), where its "
    "coefficient is estimated; a prior such as bm.Prior('Normal', mu=1, sigma=0.001) states it.",
    "trials": "There is no family whose number of trials a treatment changes; model the number of "
    "successes as a count, with log({name}) in the formula where it is never zero.",
}
_HIDDEN = "It says which outcomes were hidden: give a column or a number that does so by itself."
#: Residuals below this share of a column's spread are rounding.
_ROUNDING = 1e-10
#: Distinct values of a variable from which a function of it can be told.
_FEWEST = 6
#: Rows to a group from which groups that are ranges are no coincidence.
_ROWS = 5


def refuse_data_roles(
    frame: pd.DataFrame, stated: Mapping[str, Mapping[str, Any] | None], roles: Mapping[str, str]
) -> None:
    """Refuse data columns, stated by argument and key, that are the treatment, mediator or outcome.

    Counterfactual rows keep the data columns as they were observed, so an effect that comes
    through them would be left out. ``roles`` names the three columns.
    """
    for argument, data in stated.items():
        for key, column in (data or {}).items():
            if not isinstance(column, str):
                continue
            for role, name in roles.items():
                if column != name and not (key in _INSTEAD and follows(frame[column], frame[name])):
                    continue
                how = "" if column == name else f", of which it is a function: {name!r}"
                raise ValueError(
                    f"{argument}[{key!r}] = {column!r} is the {role}{how}; counterfactual rows keep "
                    "such data as they were observed, so what the treatment does through them would "
                    f"be left out. {_INSTEAD.get(key, _HIDDEN).format(name=name)}"
                )


def follows(column: pd.Series, variable: pd.Series) -> bool:
    """Whether a column equals a variable, or is affine in it or in its logarithm.

    Of a variable of few values equality alone tells: an exposure may well differ by arm.
    """
    if is_categorical(column) or is_categorical(variable):
        return False
    values, of = column.to_numpy(dtype=float), variable.to_numpy(dtype=float)
    if np.array_equal(values, of):
        return True
    if len(np.unique(of)) < _FEWEST or np.ptp(values) == 0.0:
        return False
    forms = [of] + ([np.log(of)] if of.min() > 0.0 else [])
    return any(_affine(values, form) for form in forms)


def is_cut(groups: pd.Series, variable: pd.Series) -> bool:
    """Whether groups of rows are ranges of a variable that do not overlap.

    Groups of few rows tell nothing: a single row is always a range.
    """
    if is_categorical(variable):
        variable = variable.cat.codes
    ends = variable.groupby(groups.to_numpy(), observed=True).agg(["min", "max", "size"])
    ends = ends[ends["size"] >= _ROWS].sort_values("min")
    lowest, highest = ends["min"].to_numpy(), ends["max"].to_numpy()
    return len(ends) > 1 and bool(np.all(lowest[1:] > highest[:-1]))


def _affine(values: np.ndarray, of: np.ndarray) -> bool:
    x, y = of - of.mean(), values - values.mean()
    rest = y - x * float(x @ y) / float(x @ x)
    return bool(np.abs(rest).max() <= _ROUNDING * np.abs(y).max())
