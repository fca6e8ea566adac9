"""Formulas become design matrices, and the counterfactual rows of both arms.

A formula is code: formulaic evaluates the functions in it. Formulas come from the user's own
call only; one that was read from a file is never evaluated.
"""

import math
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from formulaic import Formula, ModelSpec
from formulaic.errors import DataMismatchWarning, FormulaicError
from scipy import linalg

from bayesmed.centring import centred_basis, numeric_means
from bayesmed.family import Family
from bayesmed.formula import INTERCEPT, NoRows, Parsed, names_in
from bayesmed.frame import assign
from bayesmed.levels import Contrast
from bayesmed.listing import few, short
from bayesmed.mediator_breaks import break_points
from bayesmed.rowwise import refuse_whole_columns
from bayesmed.text_terms import refuse_text_in_arithmetic


@dataclass(frozen=True)
class Design:
    """One equation on the complete rows.

    Attributes
    ----------
    parsed : Parsed
    spec : formulaic.ModelSpec
        Kept so that new rows get the same coding, knots and centring.
    matrix : numpy.ndarray
        Observed rows, shape (obs, term).
    terms : tuple of str
        Column names.
    kept : numpy.ndarray
        Columns of the formula's matrix that are used: all, or all but the constant where
        free cutpoints supply it.
    basis : numpy.ndarray
        ``basis @ coef`` are the coefficients that default priors speak of, shape (term, term);
        see :func:`bayesmed.centring.centred_basis`.
    """

    parsed: Parsed
    spec: ModelSpec
    matrix: np.ndarray
    terms: tuple[str, ...]
    kept: np.ndarray
    basis: np.ndarray = field(default_factory=lambda: np.eye(0))

    def rows(self, frame: pd.DataFrame) -> np.ndarray:
        """Evaluate the right-hand side on new rows, shape (obs, term).

        Raises
        ------
        NoRows
            If a level, a spline or a function has no value there.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("error", DataMismatchWarning)
            try:
                with np.errstate(all="ignore"):
                    matrix = self.spec.get_model_matrix(frame, context={}, na_action="ignore")
                    rows = np.asarray(matrix, dtype=float)[:, self.kept]
            except (FormulaicError, DataMismatchWarning) as error:
                raise NoRows(self.parsed.text, str(error).splitlines()[0]) from None
        broken = [t for t, c in zip(self.terms, rows.T, strict=True) if not _finite(c)]
        if broken:
            raise NoRows(self.parsed.text, f"{few(broken)} is not finite")
        return rows

    def uses(self, term: Any, variable: str) -> bool:
        """Whether any factor of a term depends on a variable."""
        return any(variable in self.variables_of(factor) for factor in term.factors)

    def variables_of(self, factor: Any) -> list[str]:
        """The columns of the data that a factor of a term uses."""
        return names_in(factor, self.parsed.variables)

    def holding(self, variable: str) -> np.ndarray:
        """Which columns depend on a variable, boolean of shape (term,)."""
        flags: list[bool] = []
        for part in self.spec.structure:
            flags.extend([self.uses(part.term, variable)] * len(part.columns))
        return np.array(flags)[self.kept]

    def is_affine(self, variable: str, log: bool = False) -> bool:
        """Whether every column is affine in a numeric variable, or in its logarithm.

        True where each term holds the variable at most once, and then as itself, not inside
        a function (other than the logarithm, where that is asked).
        """
        forms = {f"log({variable})", f"np.log({variable})"} if log else {variable}
        for term in self.spec.formula:
            inside = [f for f in term.factors if variable in self.variables_of(f)]
            if len(inside) > 1 or any(
                factor.expr.replace("`", "") not in forms for factor in inside
            ):
                return False
        return True

    def knots(self, variable: str) -> tuple[float, ...]:
        """Knots of the splines of a variable, where its columns are not smooth."""
        found: set[float] = set()
        for factor in self.spec.factors:
            if variable in self.variables_of(factor):
                state = self.spec.transform_state.get(factor.expr, {})
                found.update(float(knot) for knot in state.get("knots", ()))
        return tuple(sorted(found))


@dataclass(frozen=True)
class Counterfactuals:
    """Rows of both equations under either arm; axis 0 is control, treated.

    Attributes
    ----------
    mediator : numpy.ndarray
        Mediator design, shape (arm, obs, mediator_term).
    base, slope : numpy.ndarray or None
        Outcome design at m is ``base + m * slope``, shape (arm, obs, outcome_term); for a
        0/1 mediator exact at both values. None where the design is not affine in m.
    rows_at : callable or None
        ``rows_at(arm, m, part)`` evaluates the outcome design at the mediator values m of
        shape (grid,) for a slice of the rows: shape (rows, grid, outcome_term).
    knots : tuple of float
        Where the outcome design is not smooth in m.
    by_level : numpy.ndarray or None
        For an ordered mediator the outcome design at each category, shape
        (arm, category, obs, outcome_term); base and slope are None then.
    log_mediator : bool
        ``base`` and ``slope`` are affine in log m, for a log-normal mediator.
    mediator_offset, outcome_offset : numpy.ndarray or None
        Added to the linear predictors, shape (obs,).
    mediator_sigma, outcome_sigma : numpy.ndarray or None
        Designs of log sigma under either arm, shape (arm, obs, sigma_term).
    mediator_columns, outcome_columns : dict of str to numpy.ndarray
        Data that the families need: ``trials`` of shape (obs,), ``scores`` of shape
        (category,).
    weights : numpy.ndarray or None
        Of the rows in every average, summing to one, shape (obs,); equal where None.
    """

    mediator: np.ndarray
    base: np.ndarray | None
    slope: np.ndarray | None
    rows_at: Callable[..., np.ndarray] | None = None
    knots: tuple[float, ...] = ()
    by_level: np.ndarray | None = None
    log_mediator: bool = False
    mediator_offset: np.ndarray | None = None
    outcome_offset: np.ndarray | None = None
    mediator_sigma: np.ndarray | None = None
    outcome_sigma: np.ndarray | None = None
    mediator_columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    outcome_columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    weights: np.ndarray | None = None

    def take(self, index: np.ndarray) -> "Counterfactuals":
        """Some of the rows, by position; weights are scaled to sum to one."""
        by_row = {"mediator": 1, "base": 1, "slope": 1, "by_level": 2, "mediator_offset": 0,
                  "outcome_offset": 0, "mediator_sigma": 1, "outcome_sigma": 1, "weights": 0}  # fmt: skip
        found: dict[str, Any] = {}
        for name, axis in by_row.items():
            values = getattr(self, name)
            found[name] = None if values is None else np.take(values, index, axis=axis)
        if self.weights is not None:
            found["weights"] = found["weights"] / found["weights"].sum()
        for name in ("mediator_columns", "outcome_columns"):
            columns = getattr(self, name)
            found[name] = {
                key: value if key == "scores" else value[index] for key, value in columns.items()
            }
        if self.rows_at is not None:
            found["rows_at"] = partial(_rows_of, self.rows_at, index)
        return replace(self, **found)

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Weighted mean over rows, along axis 0; a single row stands for all."""
        if self.weights is None or len(values) == 1:
            return values.mean(axis=0)
        return np.tensordot(self.weights, values, axes=1)


def _rows_of(
    rows_at: Callable[..., np.ndarray],
    index: np.ndarray,
    arm: int,
    m: np.ndarray,
    part: slice = slice(None),
) -> np.ndarray:
    return rows_at(arm, m, index[part])


def build_design(
    parsed: Parsed, data: pd.DataFrame, equation: str, cutpoints: bool = False
) -> Design:
    """Evaluate one formula on the complete rows.

    Parameters
    ----------
    parsed : Parsed
    data : pandas.DataFrame
    equation : str
    cutpoints : bool
        Leave the constant to free cutpoints.

    Raises
    ------
    ValueError
        If a term looks at more rows than one or cannot be evaluated, a column is not finite,
        or columns are collinear.
    """
    refuse_text_in_arithmetic(parsed, data, equation)
    refuse_whole_columns(parsed, data, equation)
    try:
        matrix = Formula(parsed.rhs).get_model_matrix(data, context={}, na_action="ignore")
    except (FormulaicError, ValueError) as error:
        raise ValueError(
            f"A term of the {equation} formula {short(parsed.text)} cannot be evaluated: {error}"
        ) from None
    values = np.asarray(matrix, dtype=float)
    terms = tuple(map(str, matrix.columns))
    broken = [term for term, column in zip(terms, values.T, strict=True) if not _finite(column)]
    if broken:
        raise ValueError(
            f"{few(broken)} in the {equation} formula is not finite in some rows; the function in it "
            "does not exist at the data's values."
        )
    kept = np.arange(len(terms))
    if cutpoints:
        kept = np.array([j for j, term in enumerate(terms) if term != INTERCEPT], dtype=int)
        constant = np.column_stack([np.ones(len(values)), values[:, kept]])
        terms = tuple(terms[j] for j in kept)
        _refuse_collinear(constant, ("the cutpoints", *terms), equation)
        values = values[:, kept]
    else:
        _refuse_collinear(values, terms, equation)
    design = Design(parsed, matrix.model_spec, values, terms, kept)
    basis = centred_basis(design, data, numeric_means(data), values.mean(axis=0), cutpoints)
    return replace(design, basis=basis)


def _finite(values: np.ndarray) -> bool:
    return bool(np.isfinite(values).all())


def _refuse_collinear(matrix: np.ndarray, terms: tuple[str, ...], equation: str) -> None:
    if not terms:
        raise ValueError(f"The {equation} formula has no terms.")
    zero = [term for term, column in zip(terms, matrix.T, strict=True) if not column.any()]
    if zero:
        raise ValueError(
            f"{few(zero)} of the {equation} design is zero in every row; leave it out. Where it is one of an "
            "interaction's, no row has these levels together: merge levels, or leave the interaction out."
        )
    scaled = matrix / np.sqrt((matrix**2).mean(axis=0))
    triangle, pivots = linalg.qr(scaled, mode="r", pivoting=True)[-2:]
    diagonal = np.abs(np.diag(triangle))
    rank = int((diagonal > 1e-9 * max(diagonal[0], 1e-300)).sum())
    if rank == len(terms):
        return
    if len(matrix) < len(terms):
        raise ValueError(
            f"The {equation} design has {len(terms)} columns but only {len(matrix)} rows; "
            "use fewer terms."
        )
    kept, extra = pivots[:rank], pivots[rank]
    weights = linalg.lstsq(scaled[:, kept], scaled[:, extra])[0]
    others = [terms[j] for j, weight in zip(kept, weights, strict=True) if abs(weight) > 1e-6]
    raise ValueError(
        f"The {equation} design is collinear: {terms[extra]!r} is a combination of {few(others)}; "
        f"{_without(terms[extra], others)}."
    )


def _without(extra: str, others: list[str]) -> str:
    """What to do about a column that is a combination of others."""
    splines = re.compile(r"((?:bs|cr|cc|cs)\(.*)\)\[\d+\]$")
    found = {name.group(1) for name in map(splines.match, (extra, *others)) if name}
    if not found:
        return "leave one of them out"
    spline = min(found)
    if spline.startswith("bs(") or "constraints" in spline:
        return f"leave out the other terms that {spline}) holds already, or its include_intercept"
    return f"write {spline}, constraints='center'), and leave out other terms that it holds already"


def counterfactuals(
    mediator: Design,
    outcome: Design,
    frame: pd.DataFrame,
    contrast: Contrast,
    family: Family,
    levels: list[Any],
) -> Counterfactuals:
    """Rows of both designs under control and treated.

    Parameters
    ----------
    mediator, outcome : Design
    frame : pandas.DataFrame
        The rows to average over; covariates may have been set.
    contrast : Contrast
    family : Family
        The mediator's. For a 0/1 mediator two values describe the outcome design, whatever
        functions hold it, for an ordered one its levels.
    levels : list
        The categories of an ordered mediator.
    """
    name = mediator.parsed.response
    arms = arm_frames(frame, contrast)
    mediator_rows = np.stack([mediator.rows(arm) for arm in arms])

    def at(value: Any) -> np.ndarray:
        return np.stack([outcome.rows(assign(arm, {name: value})) for arm in arms])

    if family.kind == "ordered":
        by_level = np.stack([at(level) for level in levels], axis=1)
        return Counterfactuals(mediator_rows, None, None, by_level=by_level)
    if family.kind == "binary" or outcome.is_affine(name):
        base = at(0)
        return Counterfactuals(mediator_rows, base, at(1) - base)
    if is_log_scale(family) and outcome.is_affine(name, log=True):
        base = at(1.0)
        return Counterfactuals(mediator_rows, base, at(math.e) - base, log_mediator=True)

    def rows_at(arm: int, m: np.ndarray, part: slice = slice(None)) -> np.ndarray:
        own = arms[arm].iloc[part]
        repeated = own.loc[np.repeat(own.index, len(m))].reset_index(drop=True)
        repeated[name] = np.tile(m, len(own))
        return outcome.rows(repeated).reshape(len(own), len(m), -1)

    knots = outcome.knots(name)
    if family.kind == "continuous":
        found = break_points(outcome, arms, rows_at, name, contrast.treatment, family)
        knots = tuple(sorted({*knots, *found}))
    return Counterfactuals(mediator_rows, None, None, rows_at, knots)


def is_log_scale(family: Family) -> bool:
    """Whether the logarithm of the response is Gaussian."""
    return family.latent == "free" and family.link == "log"


def arm_frames(frame: pd.DataFrame, contrast: Contrast) -> list[pd.DataFrame]:
    """The rows under control and under treatment."""
    return [
        assign(frame, {contrast.treatment: level}) for level in (contrast.control, contrast.treated)
    ]


def check_mediator_terms(
    outcome: Design, frame: pd.DataFrame, mediator: str, family: Family
) -> None:
    """Evaluate functions of the mediator where counterfactual values can fall.

    Raises
    ------
    ValueError
        If a spline has no value outside its knots, or a function such as log none at
        some values; the message names the mend.
    """
    values = frame[mediator].to_numpy(dtype=float)
    spread = 10.0 * values.std()
    low, high = values.min() - spread, values.max() + spread
    probes = np.array([low, 0.0, high])
    if not family.valid(probes).all():
        probes = np.array(
            [
                value
                for value in (0.0, 1e-3, 0.5, 1.0, np.ceil(high))
                if family.valid(np.array(value))
            ]
        )
    probe = frame.iloc[[0] * len(probes)].reset_index(drop=True)
    probe[mediator] = probes
    try:
        outcome.rows(probe)
    except NoRows as error:
        raise ValueError(
            f"The outcome formula cannot be evaluated at every value that a {family.name} mediator "
            f"{mediator!r} can take: {error}. {_mend(str(error), mediator)}"
        ) from None


def _mend(reason: str, mediator: str) -> str:
    if "extrapolation" in reason:
        return (
            "A spline needs a value outside the observed range: give bs(..., "
            "extrapolation='extend'), or use cr(..., constraints='center')."
        )
    if "categories" in reason:
        return (
            "A mediator taken as a factor has no value between its levels. For two levels use a binary "
            "mediator family, for ordered ones an ordered family, for amounts the number itself or a "
            "spline; for levels without an order there is no model (docs/not_answered.md)."
        )
    return (
        "It can be negative or zero. Model the transformed mediator as a column of its own "
        f"(df['log_{mediator}'] = np.log(df[{mediator!r}])) in both formulas, or use a mediator "
        "family with positive support."
    )
