"""Checks of the roles of variables and of exact fits, each with its mend."""

import numpy as np
import pandas as pd

from bayesmed.data.design import Design, sizes
from bayesmed.data.formula import INTERCEPT, Parsed
from bayesmed.families.listing import few, short
from bayesmed.families.names import nearest

#: Residuals below this share of the response are rounding.
_EXACT = 1e-12


def check_roles(mediator: Parsed, outcome: Parsed, treatment: str, data: pd.DataFrame) -> None:
    """Check that treatment, mediator and outcome stand where they must."""
    columns = list(data.columns)
    if treatment not in columns:
        one = "" if isinstance(treatment, str) else " A model has one treatment, given by its name."
        raise ValueError(
            f"The treatment {treatment!r} is not a column of the data; the columns are {few(columns)}."
            f"{one or nearest(treatment, columns)}"
        )
    if len({mediator.response, outcome.response, treatment}) < 3:
        raise ValueError(
            "Treatment, mediator and outcome must be three variables; given were "
            f"{treatment!r}, {mediator.response!r} and {outcome.response!r}."
        )
    for parsed, equation in ((mediator, "mediator"), (outcome, "outcome")):
        if treatment not in parsed.variables:
            raise ValueError(
                f"The treatment {treatment!r} does not stand in the {equation} formula "
                f"{short(parsed.text)}; without it an effect would be zero by construction. "
                f"{_stand_in(treatment, parsed, data)}"
            )
        for name in {mediator.response, outcome.response} - (
            {mediator.response} if equation == "outcome" else set()
        ):
            if name in parsed.variables:
                raise ValueError(
                    f"{name!r} must not stand on the right-hand side of the {equation} formula "
                    f"{short(parsed.text)}."
                )
    if mediator.response not in outcome.variables:
        raise ValueError(
            f"The mediator {mediator.response!r} does not stand in the outcome formula "
            f"{short(outcome.text)}; the ACME would be zero by construction. "
            f"{_stand_in(mediator.response, outcome, data)}"
        )


def _stand_in(name: str, parsed: Parsed, data: pd.DataFrame) -> str:
    """What to write where a formula has a column linear in the one that it must have."""
    numbers = data[[name, *parsed.variables]].select_dtypes("number")
    for other in parsed.variables if name in numbers else ():
        if other not in numbers:
            continue
        both = numbers[[other, name]].dropna()
        own, of = (both[one].to_numpy(dtype=float) for one in (other, name))
        if len(own) < 3 or np.ptp(own) == 0.0 or np.ptp(of) == 0.0:
            continue
        slope = float(np.cov(own, of)[0, 1] / np.var(of, ddof=1))
        if np.abs(own - own.mean() - slope * (of - of.mean())).max() > 0.01 * own.std():
            continue
        if np.array_equal(own, of):
            return f"{other!r} is {name!r} itself: write {name} in its place."
        if np.isclose(slope, 1.0, atol=1e-3):
            return f"{other!r} is {name!r} less a number: write center({name}) in its place."
        return f"{other!r} is linear in {name!r}: write scale({name}) or {name} in its place."
    return "Add it."


def fitted(design: Design, y: np.ndarray, rows: np.ndarray | slice = slice(None)) -> bool:
    """Whether a design gives some rows without error, and has fewer columns there than rows.

    Parameters
    ----------
    y : numpy.ndarray
        The response on the scale of the linear predictor, shape (obs,).
    rows : numpy.ndarray or slice
        Their positions.
    """
    columns, own = design.matrix[rows], y[rows]
    columns = columns / sizes(columns)
    target = own - own.mean() if INTERCEPT in design.terms else own  # which keeps its digits
    weights, _, rank, _ = np.linalg.lstsq(columns, target)
    residual = np.abs(target - columns @ weights).max()
    rounding = 16.0 * np.finfo(float).eps * np.abs(own).max()
    return bool(rank < len(own) and residual <= max(_EXACT * np.abs(target).max(), rounding))


def refuse_exact_fit(design: Design, y: np.ndarray, equation: str) -> None:
    """Refuse a response that its columns give without error.

    The likelihood is then unbounded as sigma goes to zero, and no prior of bounded density mends it.

    Parameters
    ----------
    y : numpy.ndarray
        The response on the scale of the linear predictor, shape (obs,).
    """
    if not fitted(design, y):
        return
    raise ValueError(
        f"The {equation} formula gives {design.parsed.response!r} without error, so its residual "
        f"spread is zero and the posterior does not exist: is it computed from "
        f"{few(term for term in design.terms if term != INTERCEPT)}? "
        "Take the columns it is computed from out of the formula, or use another variable."
    )
