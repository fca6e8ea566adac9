"""The rows of the equations under either arm."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Protocol

import numpy as np
import pandas as pd

from bayesmed.data.design import Design
from bayesmed.data.distinct import distinct_rows
from bayesmed.data.formula import NoRows
from bayesmed.data.frame import Frame, assign
from bayesmed.data.levels import Contrast
from bayesmed.data.response import columns_at, offset_of
from bayesmed.families.family import Family
from bayesmed.system.equation import Equation
from bayesmed.system.mediator_breaks import break_points


class RowSource(Protocol):
    """Rows that counterfactual means are over."""

    @property
    def n(self) -> int:
        """Number of rows."""

    @property
    def held(self) -> "Counterfactuals":
        """Those in memory: all, or a few with the moments of all."""

    def mean(self, function: Callable[["Counterfactuals"], np.ndarray]) -> np.ndarray:
        """Mean over the rows of what a function gives of all of them, or of some at a time."""


class FittedRows(RowSource, Protocol):
    """Those that a likelihood is taken over."""

    def density(self, base: Any) -> Any:
        """The log-density of all rows, given that of the model on a few."""


@dataclass(frozen=True)
class EquationRows:
    """Rows of one equation under either arm; axis 0 of a design is control, treated.

    Attributes
    ----------
    family : Family
        Of the response.
    base, slope : numpy.ndarray or None
        The design is ``base``, where it holds the mediator ``base + m * slope`` at m: of shape
        (arm, obs, term); for a 0/1 mediator exact at both values. None where the design is not
        affine in m.
    rows_at : callable or None
        ``rows_at(arm, m, part)`` evaluates the design at the mediator values m of shape
        (grid,) for a slice of the rows: shape (rows, grid, term).
    knots : tuple of float
        Where the design is not smooth in m.
    by_level : numpy.ndarray or None
        For an ordered mediator the design at each category, shape (arm, category, obs, term);
        base and slope are None then.
    log_mediator : bool
        ``base`` and ``slope`` are affine in log m, for a log-normal mediator.
    offset : numpy.ndarray or None
        Added to the linear predictor, shape (obs,).
    sigma : numpy.ndarray or None
        Design of log sigma, shape (arm, obs, sigma_term).
    columns : mapping of str to numpy.ndarray
        Data that the family needs: ``trials`` of shape (obs,), ``scores`` of shape
        (category,).
    """

    family: Family
    base: np.ndarray | None = None
    slope: np.ndarray | None = None
    rows_at: Callable[..., np.ndarray] | None = None
    knots: tuple[float, ...] = ()
    by_level: np.ndarray | None = None
    log_mediator: bool = False
    offset: np.ndarray | None = None
    sigma: np.ndarray | None = None
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def design(self) -> np.ndarray:
        """The design that holds no mediator, shape (arm, obs, term)."""
        assert self.base is not None
        return self.base

    def take(self, index: np.ndarray) -> "EquationRows":
        """Some of the rows, by position."""
        found: dict[str, Any] = {
            name: None if values is None else np.take(values, index, axis=-2)
            for name, values in self._designs.items()
        }
        found["columns"] = {
            name: value if name == "scores" else value[index]
            for name, value in self.columns.items()
        }
        if self.offset is not None:
            found["offset"] = self.offset[index]
        if self.rows_at is not None:
            found["rows_at"] = partial(_rows_of, self.rows_at, index)
        return replace(self, **found)

    @property
    def _designs(self) -> dict[str, np.ndarray | None]:
        return {name: getattr(self, name) for name in ("base", "slope", "by_level", "sigma")}

    @property
    def by_row(self) -> list[np.ndarray]:
        """Every column in which rows can differ, each of shape (obs,)."""
        designs = [v.reshape(-1, *v.shape[-2:]) for v in self._designs.values() if v is not None]
        found = [column for design in designs for block in design for column in block.T]
        found += [] if self.offset is None else [self.offset]
        return found + [value for name, value in self.columns.items() if name != "scores"]


@dataclass(frozen=True)
class Counterfactuals:
    """Rows of the equations under either arm: a :class:`RowSource` that is in memory.

    Attributes
    ----------
    equations : mapping of str to EquationRows
        The outcome's last.
    weights : numpy.ndarray or None
        Of the rows in every average, summing to one, shape (obs,); equal where None.
    """

    equations: Mapping[str, EquationRows]
    weights: np.ndarray | None = None

    @property
    def mediator(self) -> EquationRows:
        """Those of the mediator's equation."""
        return self.equations["mediator"]

    @property
    def outcome(self) -> EquationRows:
        """Those of the outcome's equation."""
        return self.equations["outcome"]

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(self.mediator.design.shape[1])

    @property
    def held(self) -> "Counterfactuals":
        """All of them."""
        return self

    def mean(self, function: Callable[["Counterfactuals"], np.ndarray]) -> np.ndarray:
        """What a function gives of them."""
        return function(self)

    def changed(self, key: str, **fields: Any) -> "Counterfactuals":
        """The same with other rows of one equation."""
        own = replace(self.equations[key], **fields)
        return replace(self, equations={**self.equations, key: own})

    def take(self, index: np.ndarray) -> "Counterfactuals":
        """Some of the rows, by position; weights are scaled to sum to one."""
        weights = None if self.weights is None else self.weights[index]
        return Counterfactuals(
            {key: own.take(index) for key, own in self.equations.items()},
            None if weights is None else weights / weights.sum(),
        )

    def average(self, values: np.ndarray) -> np.ndarray:
        """Weighted mean over rows, along axis 0; a single row stands for all."""
        if self.weights is None or len(values) == 1:
            return values.mean(axis=0)
        return np.tensordot(self.weights, values, axes=1)

    @cached_property
    def merged(self) -> "Counterfactuals":
        """Equal rows put together, weighted by how many they are.

        The same rows where few are equal, or where a design is not kept in full.
        """
        if any(own.rows_at is not None for own in self.equations.values()):
            return self
        found = distinct_rows([c for own in self.equations.values() for c in own.by_row])
        if found is None:
            return self
        first, inverse = found
        weights = np.full(self.n, 1.0 / self.n) if self.weights is None else self.weights
        merged = replace(self, weights=None).take(first)
        return replace(merged, weights=np.bincount(inverse, weights))


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
    equations: Mapping[str, Equation], frame: Frame, contrast: Contrast
) -> Counterfactuals:
    """Rows of the equations under control and treated.

    Parameters
    ----------
    equations : mapping of str to Equation
        The mediator's and the outcome's.
    frame : Frame
        The rows to average over; covariates may have been set.
    """
    arms = arm_frames(frame.data, contrast)
    mediator, outcome = equations.values()
    designs = {
        mediator.key: {"base": np.stack([mediator.design.rows(arm) for arm in arms])},
        outcome.key: _along(mediator, outcome.design, arms, contrast.treatment),
    }
    return Counterfactuals({
        key: EquationRows(
            one.family, **designs[key],
            offset=offset_of(frame, one.data, key),
            sigma=None if one.sigma is None else np.stack([one.sigma.rows(arm) for arm in arms]),
            columns=columns_at(frame, one.response, one.data, key),
        )
        for key, one in equations.items()
    })  # fmt: skip


def _along(
    mediator: Equation, outcome: Design, arms: list[pd.DataFrame], treatment: str
) -> dict[str, Any]:
    """The outcome's design as a function of the mediator.

    For a 0/1 mediator two values describe it, whatever functions hold it, for an ordered one
    its levels.
    """
    name, family = mediator.name, mediator.family

    def at(value: Any) -> np.ndarray:
        return np.stack([outcome.rows(assign(arm, {name: value})) for arm in arms])

    if family.kind == "ordered":
        return {"by_level": np.stack([at(level) for level in mediator.response.levels], axis=1)}
    if family.kind == "binary" or outcome.is_affine(name):
        base = at(0)
        return {"base": base, "slope": at(1) - base}
    if is_log_scale(family) and outcome.is_affine(name, log=True):
        base = at(1.0)
        return {"base": base, "slope": at(math.e) - base, "log_mediator": True}

    def rows_at(arm: int, m: np.ndarray, part: slice = slice(None)) -> np.ndarray:
        own = arms[arm].iloc[part]
        repeated = own.loc[np.repeat(own.index, len(m))].reset_index(drop=True)
        repeated[name] = np.tile(m, len(own))
        return outcome.rows(repeated).reshape(len(own), len(m), -1)

    knots = outcome.knots(name)
    if family.kind == "continuous":
        found = break_points(outcome, arms, rows_at, name, treatment, family)
        knots = tuple(sorted({*knots, *found}))
    return {"rows_at": rows_at, "knots": knots}


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
    """Evaluate functions of the mediator where counterfactual values can fall."""
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
