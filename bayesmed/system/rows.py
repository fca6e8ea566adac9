"""The rows of both equations under either arm."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import numpy as np
import pandas as pd

from bayesmed.data.design import Design
from bayesmed.data.formula import NoRows
from bayesmed.data.frame import assign
from bayesmed.data.levels import Contrast
from bayesmed.families.family import Family
from bayesmed.system.mediator_breaks import break_points


class RowSource(Protocol):
    """Rows that are read part by part, for means over all of them."""

    @property
    def n(self) -> int:
        """Number of rows."""

    def mean(self, function: Callable[["Counterfactuals"], np.ndarray]) -> np.ndarray:
        """Mean over the rows of what a function of some of them gives."""


class FittedRows(RowSource, Protocol):
    """Those that a likelihood is taken over."""

    def density(self, base: Any) -> Any:
        """The log-density of all rows, given that of the model on a few."""


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


def equal_rows(rows: np.ndarray) -> bool:
    """Whether rows are the same, up to rounding in each column's own unit."""
    return bool(np.all(np.ptp(rows, axis=0) <= 1e-9 * np.abs(rows).max(axis=0)))


def _rows_of(
    rows_at: Callable[..., np.ndarray],
    index: np.ndarray,
    arm: int,
    m: np.ndarray,
    part: slice = slice(None),
) -> np.ndarray:
    return rows_at(arm, m, index[part])


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
