r"""Laplace fits and effects from rows that are read part by part.

The log-density of many rows is that of none plus what each part adds:

.. math:: \log p(\theta \mid y) = c(\theta) + \sum_k \{\ell(\theta; part_k) - \ell(\theta; \emptyset)\}

with the compiled log-density of the model in place of :math:`\ell`, its rows replaced by those
of a part. Counterfactual means are means over the rows, so those of the parts are averaged too.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmed.data.chunks import Parts, rows_of_part
from bayesmed.posterior.graphs import condensed_rows_of
from bayesmed.system.equation import Equation
from bayesmed.system.rows import Counterfactuals, counterfactuals
from bayesmed.system.system import System

if TYPE_CHECKING:
    from bayesmed.posterior.density import LogDensity

_BY_ROW = ("design", "data", "weight")
#: Log-densities that this process opened, by the token of their model.
_OPENED: dict[str, "LogDensity"] = {}


@dataclass(frozen=True)
class Passes:
    """Rows that are read anew whenever something is computed from them.

    Attributes
    ----------
    parts : Parts
    variables : tuple of str
    levels : dict of str to list
        Of each column that is no number.
    n : int
        Number of complete rows.
    model : System
        On a few rows with the moments of all.
    token : str
        Names the model, so that a worker compiles it once.
    """

    parts: Parts
    variables: tuple[str, ...]
    levels: dict[str, list[Any]]
    n: int
    model: System
    token: str = field(default_factory=lambda: uuid.uuid4().hex)

    def density(self, base: "LogDensity") -> "PassedDensity":
        """The log-density of all rows, given that of the model on a few."""
        keys = [key for key, rows in condensed_rows_of(self.model).items() if rows is None]
        without = {name: _without_rows(name, value, keys) for name, value in base.data.items()}
        nothing = {n: 0.0 * value for n, value in without.items() if n.endswith("_weight")}
        empty = base.with_data(without)
        _OPENED[self.token] = empty.with_data(nothing)
        width = sum(self.model.equations[key].design.matrix.shape[1] + 1 for key in keys)
        size = self.n * width + sum(value.size for value in without.values())
        return PassedDensity(self, empty, tuple(keys), size)

    def mean(self, function: Callable[[Counterfactuals], np.ndarray]) -> np.ndarray:
        """Average, over all rows, what a function makes of the counterfactual rows of a part."""
        read = _Arms(self.model, self.variables, self.levels)
        total: Any = 0.0
        for rows in self.parts.each(read, list(self.variables)):
            if rows is not None:
                total = total + rows.n / self.n * function(rows)
        return np.asarray(total)

    @property
    def held(self) -> Counterfactuals:
        """A few with the moments of all."""
        return self.model.counterfactuals


def _without_rows(name: str, value: np.ndarray, equations: Sequence[str]) -> np.ndarray:
    equation, _, kind = name.partition("_")
    return value[:0] if equation in equations and kind in _BY_ROW else value


@dataclass(frozen=True)
class PassedDensity:
    """A log-density whose value at many points takes one pass over the rows.

    It has what :class:`bayesmed.posterior.density.LogDensity` has, but for ``joined`` and ``data``.
    """

    passes: Passes
    empty: "LogDensity"
    keys: tuple[str, ...]
    size: int

    @property
    def start(self) -> np.ndarray:
        """A sensible point, shape (dim,)."""
        return self.empty.start

    def batch(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values, shape (S,), and gradients, shape (S, dim), at points of shape (S, dim)."""
        found = self._sums(points, gradients=True)
        return found[:, 0], found[:, 1:]

    def _sums(self, points: np.ndarray, gradients: bool) -> np.ndarray:
        own, points = self.passes, np.ascontiguousarray(points)
        read = _Evaluate(
            own.model, own.token, self.keys, own.variables, own.levels, points, gradients
        )
        total = evaluate(self.empty, points, gradients)
        nothing = evaluate(_OPENED[own.token], points, gradients)
        for added in own.parts.each(read, list(own.variables)):
            if added is not None:
                total = total + (added - nothing)
        return total

    def at(self, point: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and gradient at one point."""
        values, gradients = self.batch(point[None])
        return float(values[0]), gradients[0]

    def values(self, points: np.ndarray) -> np.ndarray:
        """Values at points of shape (S, dim)."""
        return self._sums(points, gradients=False)[:, 0]


def evaluate(density: "LogDensity", points: np.ndarray, gradients: bool) -> np.ndarray:
    """Values and, if wanted, gradients, side by side: shape (S, 1) or (S, 1 + dim)."""
    return np.column_stack(density.batch(points) if gradients else [density.values(points)])


@dataclass(frozen=True)
class _Evaluate:
    """What one part adds to the log-density at some points; a class, so that it travels."""

    model: System
    token: str
    keys: tuple[str, ...]
    variables: tuple[str, ...]
    levels: dict[str, list[Any]]
    points: np.ndarray
    gradients: bool

    def __call__(self, part: pd.DataFrame) -> np.ndarray | None:
        frame = rows_of_part(part, self.variables, self.levels)
        if not len(frame):
            return None
        if self.token not in _OPENED:  # a worker of its own process
            bare = Passes(Parts([], lambda *_: iter(())), (), {}, 0, self.model, self.token)
            from bayesmed.posterior.density import log_density

            bare.density(log_density(self.model))
        base = _OPENED[self.token]
        rows: dict[str, np.ndarray] = {}
        for key in self.keys:
            equation = self.model.equations[key]
            rows[f"{key}_design"] = equation.design.rows(frame)
            rows[f"{key}_data"] = response_of(frame, equation)
            rows[f"{key}_weight"] = np.ones(len(frame))
        return evaluate(base.with_data(rows), self.points, self.gradients)


def response_of(frame: pd.DataFrame, equation: Equation) -> np.ndarray:
    """The response of an equation in some rows, shape (row,)."""
    y, family = frame[equation.name].to_numpy(dtype=float), equation.family
    broken = ~np.asarray(family.valid(y))
    if broken.any():
        raise ValueError(
            f"{equation.name!r} has values such as {y[broken][0]:g}, but the {family.name} family takes "
            f"{family.domain}; recode the column, or choose another family."
        )
    return y


@dataclass(frozen=True)
class _Arms:
    """The counterfactual rows of one part."""

    model: System
    variables: tuple[str, ...]
    levels: dict[str, list[Any]]

    def __call__(self, part: pd.DataFrame) -> Counterfactuals | None:
        frame = rows_of_part(part, self.variables, self.levels)
        if not len(frame):
            return None
        model = self.model
        return counterfactuals(model.equations, replace(model.frame, data=frame), model.contrast)


@dataclass(frozen=True)
class LostRows:
    """In place of :class:`Passes` in a fit that was read from a file.

    Attributes
    ----------
    n : int
        Number of complete rows.
    held : Counterfactuals
        A few with the moments of all.
    """

    n: int
    held: Counterfactuals

    def mean(self, function: Callable[[Counterfactuals], np.ndarray]) -> np.ndarray:
        """Say that the rows are not there."""
        raise ValueError(
            f"This needs the {self.n} rows, which were read part by part and are not in the file of the "
            "fit; it keeps the draws and fit.effects(). Call bm.fit on the rows again (the same "
            "random_seed gives the same draws), and ask before the session ends."
        )


def keep_means(tree: xr.DataTree, means: xr.DataArray) -> None:
    """Keep the counterfactual means of a fit whose rows are read in passes, for its file."""
    tree["potential_outcomes"] = xr.DataTree(means.to_dataset(name="po"))


def kept_means(tree: xr.DataTree) -> xr.DataArray | None:
    """What :func:`keep_means` kept, or None."""
    if "potential_outcomes" not in tree.children:
        return None
    means: xr.DataArray = tree["potential_outcomes"].to_dataset()["po"]
    return means
