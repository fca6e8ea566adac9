r"""Parameters without a finite likelihood estimate, and how to say so.

Each row's likelihood, as a function of its linear predictor :math:`\eta`, either falls on both
sides or rises for ever on one: for a response at an end of its support, or a censored one. A
direction b along which no row's likelihood falls and some row's rises,

.. math::

    x_i'b = 0 \text{ (inner)}, \qquad x_i'b \le 0 \text{ (at the lower end)}, \qquad
    x_i'b \ge 0 \text{ (at the upper end)},

not 0 throughout, is a direction in which the data bound nothing: separation of binary, binomial and
ordered responses (Albert & Anderson 1984), an arm without events of counts (Santos Silva &
Tenreyro 2010) or of times. A linear program finds it.

References
----------
Albert, A., & Anderson, J. A. (1984). On the existence of maximum likelihood estimates in
logistic regression models. Biometrika, 71(1), 1-10.

Santos Silva, J. M. C., & Tenreyro, S. (2010). On the existence of the maximum likelihood
estimates in Poisson regression. Economics Letters, 107(2), 310-312.

Neyman, J., & Scott, E. L. (1948). Consistent estimates based on partially consistent
observations. Econometrica, 16(1), 1-32.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import linalg

from bayesmed.data.cells import Cell, cells_where, factors, plain, where
from bayesmed.data.chunks import Parts, rows_of_part
from bayesmed.data.design import Design
from bayesmed.data.formula import INTERCEPT
from bayesmed.data.response import Response
from bayesmed.families.family import Family
from bayesmed.families.listing import in_words
from bayesmed.system.checks import fitted
from bayesmed.system.equation import Equation
from bayesmed.system.system import System

#: Rows that the linear program begins with; those that its answer breaks are added.
_ROWS = 4000
_TINY = 1e-7
#: Rows of a part that are kept where a direction breaks them, by more, in spreads of the columns, than
#: the rounding of a long sum.
_KEPT, _TOLERANCE = 200, 1e-6
#: An arm of fewer rows may have one value by chance.
_FEWEST = 3
#: A factor with so many levels, and fewer rows to each than this, has incidental parameters.
_LEVELS, _ROWS_TO_A_LEVEL = 10, 10.0


class UnboundedWarning(UserWarning):
    """Something that the data leave to the priors."""


@dataclass(frozen=True)
class Ends:
    """Rows whose likelihood rises for ever on one side, boolean of shape (obs,), and words for it."""

    low: np.ndarray
    high: np.ndarray
    words: tuple[str, str]


def ends_of(family: Family, response: Response, name: str) -> Ends:
    """Which rows are at an end of the support, or censored."""
    y, columns = response.values, response.columns
    low = high = np.zeros(len(y), dtype=bool)
    words = (f"{name!r} is 0", f"{name!r} is 1")
    if family.kind == "ordered":
        low, high = y == 0.0, y == y.max()
        first, last = (repr(response.levels[k]) for k in (0, -1))
        words = (f"{name!r} is {first}", f"{name!r} is {last}")
    elif family.discrete:
        low = y == 0.0
        if family.kind == "binary":
            high = y == 1.0
        elif "trials" in columns:
            high = y == columns["trials"]
            words = (words[0], f"{name!r} is all of its trials")
    else:
        if "event" in columns:
            high, words = columns["event"] == 0.0, ("", f"{name!r} is censored")
        if {"lower", "upper"} & set(columns):
            low = y <= columns["lower"] if "lower" in columns else low
            high = y >= columns["upper"] if "upper" in columns else high
            words = (f"{name!r} is at its lower limit", f"{name!r} is at its upper limit")
    return Ends(low, high, words)


def likelihood_notes(model: System) -> list[str]:
    """What the data of a model leave to its priors, a sentence or two for each fault."""
    found: list[str | None] = []
    for equation in model.equations.values():
        ends = ends_of(equation.family, equation.response, equation.name)
        found += [
            _separation_note(equation, model.frame.data, ends),
            _one_value_note(model, equation, ends),
            _incidental_note(equation, model.frame.data),
        ]
    return [note for note in found if note]


def _separation_note(equation: Equation, data: pd.DataFrame, ends: Ends) -> str | None:
    """Say where the likelihood of one equation bounds no coefficient, or nothing."""
    design = equation.design
    direction = unbounded(design, equation.family, equation.response, ends)
    if direction is None:
        return None
    sides = (ends.low, ends.high)
    cells = cells_where(design, data, lambda rows: any(side[rows].all() for side in sides))
    told = []
    for side, words in zip(sides, ends.words, strict=True):
        own = [cell for cell in cells if side[cell.rows].all()]
        told += [f"{words} in {_all(own)} where {where(own)}"] if own else []
    if not told:
        told = [_by_columns(design, ends, direction)]
    return _separated(equation.key, told)


def _separated(equation: str, told: list[str]) -> str:
    """The message."""
    return (
        f"Separation in the {equation} equation: {', and '.join(told)}. The likelihood does not bound "
        "the coefficients that tell these rows from the others; their priors do. State priors that "
        "you can defend, or, where it is a covariate, merge its levels or leave it out."
    )


def _by_columns(design: Design, ends: Ends, direction: np.ndarray) -> str:
    """The columns of a direction in words."""
    names = in_words(map(repr, _columns(design, ends, direction)))
    return f"[{names}] predict {design.parsed.response!r} without error in some rows"


def _all(cells: list[Cell]) -> str:
    count = sum(len(cell.rows) for cell in cells)
    return "the one row" if count == 1 else f"all {count} rows"


def _columns(design: Design, ends: Ends, direction: np.ndarray) -> list[str]:
    """The columns that do it each alone, or else those that do it together."""
    own = [(j, term) for j, term in enumerate(design.terms) if term != INTERCEPT]
    alone = [term for j, term in own if _alone(design.matrix[:, j], ends)]
    return alone or [term for j, term in own if abs(direction[j]) > 1e-6]


def _alone(column: np.ndarray, ends: Ends) -> bool:
    """Whether one column, with a constant, separates: inner rows lie on the border."""
    for sign in (1.0, -1.0):
        below, above = sign * column[~ends.high], sign * column[~ends.low]
        if len(below) and len(above) and below.max() <= above.min():
            return True
    return False


def unbounded(design: Design, family: Family, response: Response, ends: Ends) -> np.ndarray | None:
    """A direction in which the likelihood never falls and somewhere rises, shape (term,), or None.

    Its coefficients are those of the columns in units of their spread.
    """
    if not (ends.low.any() or ends.high.any()):
        return None
    shift, scale = _units_of(design, family)
    columns = (design.matrix - shift) / scale
    if family.vectors:
        found = _rising(_with_cutpoints(columns, response.values), None)
    else:
        ended = ends.low | ends.high
        signed = np.where(ends.low, -1.0, 1.0)[:, None] * columns
        found = _rising(signed[ended], columns[~ended])
    return None if found is None else found[: columns.shape[1]]


def _units_of(design: Design, family: Family) -> tuple[np.ndarray, np.ndarray]:
    """Means (where a constant is in the model) and spreads of the columns, shape (term,)."""
    shift = np.zeros(design.matrix.shape[1])
    if INTERCEPT in design.terms or family.vectors:
        constant = np.array([term == INTERCEPT for term in design.terms], dtype=bool)
        shift = np.where(constant, 0.0, design.matrix.mean(axis=0))
    return shift, np.sqrt(((design.matrix - shift) ** 2).mean(axis=0))


def _with_cutpoints(columns: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """What must not be negative, of coefficients and cutpoints: each row to its two cutpoints."""
    last = int(codes.max())
    place = np.eye(last)
    upper, lower = codes < last, codes > 0
    above = np.column_stack([-columns[upper], place[codes[upper].astype(int)]])
    below = np.column_stack([columns[lower], -place[codes[lower].astype(int) - 1]])
    return np.concatenate([above, below])


def _rising(rows: np.ndarray, level: np.ndarray | None) -> np.ndarray | None:
    """b with ``rows @ b >= 0``, not all 0, and ``level @ b = 0``, or None."""
    free = np.eye(rows.shape[1])
    if level is not None and len(level):
        free = _null_space(level)
        if not free.shape[1]:
            return None
    rows = rows @ free
    total = rows.mean(axis=0)
    rng = np.random.default_rng(0)
    used = np.arange(len(rows))
    if len(rows) > _ROWS:
        used = rng.choice(len(rows), _ROWS, replace=False)
    while True:
        direction = _best(total, rows[used])
        if direction is None:
            return None
        broken = np.flatnonzero(rows @ direction < -_TINY)
        if not broken.size:
            return np.asarray(free @ direction)
        fresh = np.setdiff1d(broken, used)
        if not fresh.size:
            return None
        used = np.concatenate([used, fresh[: _ROWS // 2]])


def _null_space(level: np.ndarray) -> np.ndarray:
    """Directions that leave all rows where they are, shape (column, direction)."""
    if len(level) > _ROWS:  # often a part of them leaves none
        part = level[np.random.default_rng(0).choice(len(level), _ROWS, replace=False)]
        if np.linalg.matrix_rank(part, tol=1e-9 * np.sqrt(len(part))) == level.shape[1]:
            return np.empty((level.shape[1], 0))
    triangle = np.linalg.qr(level, mode="r")
    return np.asarray(linalg.null_space(triangle, rcond=1e-10))


def _best(total: np.ndarray, rows: np.ndarray) -> np.ndarray | None:
    from scipy import optimize

    found = optimize.linprog(-total, A_ub=-rows, b_ub=np.zeros(len(rows)), bounds=(-1.0, 1.0))
    return found.x if found.status == 0 and -found.fun > 1e-9 else None


def notes_of_parts(
    model: System, parts: Parts, variables: list[str], levels: Mapping[str, list[Any]]
) -> list[str]:
    """Say where the likelihood of all rows, of which the model has some, bounds no coefficient.

    They are read only where the model's own rows are separated, and again as long as a direction is
    left that the rows seen so far allow.
    """
    found = []
    for key, equation in model.equations.items():
        design, family, y = equation.design, equation.family, equation.response.values
        if not family.discrete:
            continue
        while True:
            response = Response(y)
            ends = ends_of(family, response, design.parsed.response)
            direction = unbounded(design, family, response, ends)
            if direction is None:
                break
            units = _units_of(design, family)
            read = _Broken(design, family, units, direction, tuple(variables), dict(levels))
            added = [one for one in parts.each(read, variables) if len(one[1])]
            if not added:
                found.append(_separated(key, [_by_columns(design, ends, direction)]))
                break
            rows = np.concatenate([design.matrix, *(columns for columns, _ in added)])
            design = replace(design, matrix=rows)
            y = np.concatenate([y, *(own for _, own in added)])
    return found


@dataclass(frozen=True)
class _Broken:
    """The rows of a part that a direction breaks; a class, so that it travels to workers."""

    design: Design
    family: Family
    units: tuple[np.ndarray, np.ndarray]
    direction: np.ndarray
    variables: tuple[str, ...]
    levels: dict[str, list[Any]]

    def __call__(self, part: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        frame = rows_of_part(part, self.variables, self.levels)
        name = self.design.parsed.response
        y = frame[name].to_numpy(dtype=float)
        if not len(y):
            return np.empty((0, len(self.design.terms))), y
        columns = self.design.rows(frame)
        margin = (columns - self.units[0]) / self.units[1] @ self.direction
        ends = ends_of(self.family, Response(y), name)
        # By how much the likelihood falls along the direction, the worst rows first.
        worse = np.where(ends.low, margin, np.where(ends.high, -margin, np.abs(margin)))
        order = np.argsort(-worse)
        rows = order[worse[order] > _TOLERANCE][:_KEPT]
        return columns[rows], y[rows]


def _one_value_note(model: System, equation: Equation, ends: Ends) -> str | None:
    """Say that a response takes one value in an arm, where it is not at an end of its support."""
    column, response, name = model.frame.data[model.treatment], equation.response, equation.name
    if response.scale is not None or (column.nunique() > 2 and column.dtype.kind in "iuf"):
        return None
    inner = ~(ends.low | ends.high)
    for level in (model.contrast.control, model.contrast.treated):
        rows = np.flatnonzero((column == level).to_numpy() & inner)
        same = len(rows) == int((column == level).sum()) >= _FEWEST
        if same and np.ptp(response.values[rows]) == 0.0:
            cell = Cell((model.treatment,), (level,), rows)
            only = plain(model.frame.data[name].iloc[rows[0]])
            return (
                f"The {equation.key} {name!r} is {only} in all {len(rows)} rows where {cell}, and takes "
                f"no other value there. The {equation.family.name} family gives it a spread there as well, which "
                "is that of the other rows: what the effects say of other values in this arm is the "
                "model's and not the data's."
            )
    return None


def _incidental_note(equation: Equation, data: pd.DataFrame) -> str | None:
    """Warn of a coefficient for each few rows, where that biases the others.

    On identity and log links (normal, Poisson) it does not.
    """
    family, columns, key = equation.family, equation.response.columns, equation.key
    if not family.discrete or family.link in ("identity", "log"):
        return None
    size = float(np.sum(columns.get("trials", np.ones(len(data)))))
    for name, term in factors(equation.design).items():
        levels = data[name].nunique()
        if levels >= _LEVELS and size / levels < _ROWS_TO_A_LEVEL:
            what = "trials" if "trials" in columns else "rows"
            return (
                f"{term} gives the {key} equation a coefficient for each of {levels} levels, from "
                f"{size / levels:.1f} {what} each. With a {family.name} response the other coefficients, "
                "and the effects, then come out too large (incidental parameters: about twice with two "
                "rows each), however many levels there are. Put what the levels differ in into the "
                f"formulas instead, or take {key}_family='gaussian', where the factor does no harm "
                "(docs/not_answered.md)."
            )
    return None


def refuse_no_spread(
    design: Design, scale: Design, data: pd.DataFrame, working: np.ndarray, equation: str
) -> None:
    """Refuse a regression of log sigma on what tells apart rows that the location fits without error.

    Sigma would go to zero there. ``working`` is the response on the scale of the linear predictor.
    """
    flat = cells_where(scale, data, lambda rows: fitted(design, working, rows))
    if not flat:
        return
    name = design.parsed.response
    same = all(np.ptp(working[cell.rows]) == 0.0 for cell in flat)
    what = f"{name!r} does not vary" if same else f"its formula gives {name!r} without error"
    raise ValueError(
        f"{equation}_sigma='~ {scale.parsed.rhs}': {what} in {_all(flat)} where {where(flat)}, so there "
        "is no spread to be estimated there. Take this out of the formula of sigma, merge levels, or "
        f"ask whether {name!r} can be anything else in these rows."
    )
