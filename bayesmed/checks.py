"""Checks of the roles of variables and of separation, each with its mend."""

import numpy as np

from bayesmed.design import Design
from bayesmed.formula import INTERCEPT, Parsed

# A linear program decides separation; beyond this many rows a random part serves.
_SEPARATION_ROWS = 5000
#: Residuals below this share of the response are rounding.
_EXACT = 1e-12


def check_roles(mediator: Parsed, outcome: Parsed, treatment: str, columns: list[str]) -> None:
    """Check that treatment, mediator and outcome stand where they must.

    Raises
    ------
    ValueError
        If one of them is missing from, or must not be in, a formula.
    """
    if treatment not in columns:
        raise ValueError(
            f"The treatment {treatment!r} is not a column of the data; the columns are {columns}."
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
                f"{parsed.text!r}; without it an effect would be zero by construction. Add it."
            )
        for name in {mediator.response, outcome.response} - (
            {mediator.response} if equation == "outcome" else set()
        ):
            if name in parsed.variables:
                raise ValueError(
                    f"{name!r} must not stand on the right-hand side of the {equation} formula "
                    f"{parsed.text!r}."
                )
    if mediator.response not in outcome.variables:
        raise ValueError(
            f"The mediator {mediator.response!r} does not stand in the outcome formula "
            f"{outcome.text!r}; the ACME would be zero by construction. Add it."
        )


def separation_note(design: Design, y: np.ndarray, equation: str) -> str | None:
    """Say whether the columns separate the zeros from the ones of a binary response.

    Separation means a direction b with (2 y - 1) x'b >= 0 in every row and > 0 in some
    (Albert & Anderson 1984); it is found by a linear program.
    """
    rows = np.arange(len(y))
    if len(y) > _SEPARATION_ROWS:
        rows = np.random.default_rng(0).choice(len(y), _SEPARATION_ROWS, replace=False)
    scaled = design.matrix / np.abs(design.matrix).max(axis=0)
    direction = _separating(scaled[rows], y[rows])
    if direction is None:
        return None
    margins = (2.0 * y - 1.0) * (scaled @ direction)
    if margins.min() < -1e-7:
        return None
    alone = [
        term
        for j, term in enumerate(design.terms)
        if term != INTERCEPT and _separating_column(scaled[:, j], y)
    ]
    names = alone or [
        term
        for term, weight in zip(design.terms, direction, strict=True)
        if abs(weight) > 1e-6 and term != INTERCEPT
    ]
    return (
        f"Separation in the {equation} equation: {names} predict {design.parsed.response!r} without "
        "error in some rows, so the likelihood does not bound the coefficients and their priors "
        "do. Drop or merge these columns, or state a prior for them that you can defend."
    )


def refuse_exact_fit(design: Design, y: np.ndarray, equation: str) -> None:
    """Refuse a response that its columns give without error.

    The likelihood is then unbounded as sigma goes to zero, and no prior of bounded density mends it.

    Parameters
    ----------
    design : Design
    y : numpy.ndarray
        The response on the scale of the linear predictor, shape (obs,).
    equation : str

    Raises
    ------
    ValueError
        If the residuals of least squares are rounding.
    """
    if len(y) <= len(design.terms):
        return
    scale = np.abs(design.matrix).max(axis=0)
    columns = design.matrix / np.where(scale > 0.0, scale, 1.0)
    target = y - y.mean() if INTERCEPT in design.terms else y  # which keeps its digits
    residual = np.abs(target - columns @ np.linalg.lstsq(columns, target)[0]).max()
    rounding = 16.0 * np.finfo(float).eps * np.abs(y).max()
    if residual > max(_EXACT * np.abs(target).max(), rounding):
        return
    raise ValueError(
        f"The {equation} formula gives {design.parsed.response!r} without error, so its residual "
        f"spread is zero and the posterior does not exist: is it computed from "
        f"{[term for term in design.terms if term != INTERCEPT]}? "
        "Take the columns it is computed from out of the formula, or use another variable."
    )


def _separating(columns: np.ndarray, y: np.ndarray) -> np.ndarray | None:
    from scipy import optimize

    signed = (2.0 * y - 1.0)[:, None] * columns
    found = optimize.linprog(
        -signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(signed)), bounds=(-1.0, 1.0)
    )
    return found.x if found.status == 0 and -found.fun > 1e-6 else None


def _separating_column(column: np.ndarray, y: np.ndarray) -> bool:
    """Whether one column, with a constant, separates (quasi-)completely."""
    zeros, ones = column[y == 0], column[y == 1]
    ends = zeros.max() <= ones.min() or ones.max() <= zeros.min()
    return bool(ends)
