"""The coefficients of one equation as one random variable, and the sampler's coordinates.

The prior stays the product of the priors that were stated, with the intercept's at the means
of the columns. The sampler moves in orthogonal coordinates of the design, a change of
variables that PyMC accounts for by its Jacobian.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pymc.logprob.transforms import Transform
from scipy import linalg

from bayesmed.data.design import Design
from bayesmed.data.formula import INTERCEPT
from bayesmed.families.prior import Prior
from bayesmed.system.closed import ClosedMap


@dataclass(frozen=True)
class Group:
    """Coefficients whose priors are of the same distribution."""

    distribution: Any
    index: np.ndarray
    names: tuple[str, ...]
    values: tuple[np.ndarray, ...]

    def dist(self, parameters: Any) -> Any:
        """The vector of priors as an unnamed random variable."""
        if not self.names:  # Flat: nothing else tells how many they are
            return self.distribution.dist(size=len(self.index))
        return self.distribution.dist(**dict(zip(self.names, parameters, strict=True)))


@dataclass(frozen=True)
class Coordinates:
    """Affine map from the sampler's coordinates: ``beta = origin + matrix @ u``."""

    origin: np.ndarray
    matrix: np.ndarray
    inverse: np.ndarray
    log_det: float


def group_priors(terms: tuple[str, ...], priors: dict[str, Prior]) -> list[Group]:
    """Collect coefficients by the distribution and parameter names of their priors."""
    members: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for position, term in enumerate(terms):
        prior = priors[term]
        key = (prior.distribution, tuple(sorted(prior.parameters)))
        members.setdefault(key, []).append(position)
    groups = []
    for (_, names), index in members.items():
        values = tuple(
            np.array([priors[terms[j]].parameters[name] for j in index], dtype=float)
            for name in names
        )
        constructor = priors[terms[index[0]]].constructor
        groups.append(Group(constructor, np.array(index), names, values))
    return groups


def column_centre(design: Design, cutpoints: bool) -> np.ndarray:
    """Means of the columns where a constant takes them up, zero elsewhere; shape (term,)."""
    if INTERCEPT not in design.terms and not cutpoints:
        return np.zeros(len(design.terms))
    centre = np.asarray(design.matrix.mean(axis=0))
    return np.where(np.array(design.terms) == INTERCEPT, 0.0, centre)


def coordinates(
    design: Design, bounded: np.ndarray, location: float, scale: float, cutpoints: bool = False
) -> Coordinates:
    """Orthogonal coordinates of the free columns, centred where there is a constant.

    One unit of a coordinate is ``scale`` on the scale of the linear predictor.
    """
    columns, terms = design.matrix, design.terms
    n, p = columns.shape
    centred = INTERCEPT in terms
    intercept = terms.index(INTERCEPT) if centred else -1
    free = np.array([j for j in range(p) if j != intercept and not bounded[j]], dtype=int)
    centre = column_centre(design, cutpoints)
    matrix, origin = np.eye(p), np.zeros(p)
    if free.size:
        triangle = linalg.qr(columns[:, free] - centre[free], mode="r")[0][: free.size]
        # The same coordinates from any rows with these moments.
        triangle = triangle * np.where(np.diag(triangle) < 0.0, -1.0, 1.0)[:, None]
        inverse = linalg.solve_triangular(triangle, np.eye(free.size))
        matrix[np.ix_(free, free)] = scale * np.sqrt(n) * inverse
    if centred:
        slopes = np.delete(np.arange(p), intercept)
        matrix[intercept, slopes] = -(centre[slopes] @ matrix[np.ix_(slopes, slopes)])
        if not bounded[intercept]:
            matrix[intercept, intercept], origin[intercept] = scale, location
    return Coordinates(origin, matrix, _inverse(matrix), float(np.linalg.slogdet(matrix)[1]))


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """The inverse of a matrix whose rows may be in units as far apart as 1e12 and 1e-12."""
    unit = np.abs(matrix).max(axis=1)
    return np.asarray(linalg.inv(matrix / unit[:, None]) / unit)


class SamplerCoordinates(Transform):
    """From coefficients to the sampler's coordinates.

    Bounded coefficients pass through the interval transform of their prior; in a closed pair
    under structural priors the coefficients are first taken to rho = 0, where the posterior
    has no ridge. ``first`` is the position of this transform's inputs in those of the
    random variable: origin, matrix, inverse, log_det, then lower, upper and index of the
    bounded coefficients, and for a closed pair direction, loading, mediator coefficients,
    mediator sigma, outcome scale and rho.
    """

    name = "coordinates"
    ndim_supp = 1

    def __init__(self, first: int, bounded: bool, latent: str | None):
        self.first, self.bounded, self.latent = first, bounded, latent

    def _closed(self, inputs: Any) -> tuple[ClosedMap, tuple[Any, ...]]:
        direction, loading, *rest = inputs[self.first + 4 : self.first + 10]
        # Ordered outcomes, which need the constants, do not pass here.
        return ClosedMap(direction, loading, str(self.latent), 0.0, 0.0), tuple(rest)

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Coefficients to coordinates."""
        origin, _, inverse, _ = inputs[self.first : self.first + 4]
        if self.latent is not None:
            closed, (beta, sigma, scale, rho) = self._closed(inputs)
            value, _ = closed.regression(value, {"sigma": scale}, beta, sigma, rho)
        u = inverse @ (value - origin)
        if not self.bounded:
            return u
        index, lower, upper = self._ends(inputs)
        gap, rest = u[index] - lower, upper - u[index]
        z = pt.switch(pt.isinf(upper), pt.log(gap), pt.log(gap) - pt.log(rest))
        return pt.set_subtensor(u[index], z)

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Coordinates to coefficients."""
        origin, matrix, _, _ = inputs[self.first : self.first + 4]
        if self.bounded:
            index, lower, upper = self._ends(inputs)
            value = pt.set_subtensor(value[index], self._inside(value[index], lower, upper))
        coef = origin + matrix @ value
        if self.latent is None:
            return coef
        closed, (beta, sigma, scale, rho) = self._closed(inputs)
        k = pt.sqrt((1.0 - rho) * (1.0 + rho))
        return closed.structural(coef, {"sigma": scale * k}, beta, sigma, rho)[0]

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Log-determinant of the derivative of :meth:`backward`."""
        total = inputs[self.first + 3]
        if self.bounded:
            index, lower, upper = self._ends(inputs)
            z = value[index]
            logistic = pt.log(pt.switch(pt.isinf(upper), 1.0, upper - lower)) - (
                pt.softplus(z) + pt.softplus(-z)
            )
            total = total + pt.sum(pt.switch(pt.isinf(upper), z, logistic))
        if self.latent == "unit":
            rho = self._closed(inputs)[1][-1]
            total = total + 0.5 * value.shape[0] * pt.log((1.0 - rho) * (1.0 + rho))
        return total

    def _ends(self, inputs: Any) -> tuple[Any, Any, Any]:
        lower, upper, index = inputs[self.first + 4 : self.first + 7]
        return pt.cast(index, "int64"), lower, upper

    @staticmethod
    def _inside(z: Any, lower: Any, upper: Any) -> Any:
        width = pt.switch(pt.isinf(upper), 1.0, upper - lower)
        return lower + pt.switch(pt.isinf(upper), pt.exp(z), width * pt.sigmoid(z))


@dataclass(frozen=True)
class ClosedInputs:
    """What the change to rho = 0 needs, as tensors."""

    map: ClosedMap
    mediator_coef: Any
    mediator_sigma: Any
    scale: Any
    rho: Any


def coefficient_variable(
    name: str,
    dim: str,
    design: Design,
    priors: dict[str, Prior],
    basis: np.ndarray,
    location: float,
    scale: float,
    cutpoints: bool = False,
    closed: ClosedInputs | None = None,
) -> Any:
    """Register the coefficients of an equation in the current PyMC model.

    Parameters
    ----------
    name, dim : str
        Name and dimension of the random variable.
    priors : dict of str to Prior
        One for each term.
    basis : numpy.ndarray
        The priors are those of ``basis @ coef``, shape (term, term).
    location, scale : float
        Centre and unit of the sampler's coordinates.
    cutpoints : bool
        Free cutpoints supply the constant.
    closed : ClosedInputs, optional
        To sample structural coefficients of a closed pair in coordinates at rho = 0.
    """
    groups = group_priors(design.terms, priors)
    bounds = _bounds(design.terms, priors)
    bounded = np.isfinite(bounds).any(axis=1)
    system = coordinates(design, bounded, location, scale, cutpoints)
    stated = [value for group in groups for value in group.values]
    stated += [basis, _inverse(basis), np.array(np.linalg.slogdet(basis)[1])]
    parameters = [_shared(value, f"{name}_stated_{i}") for i, value in enumerate(stated)]
    first = 1 + len(parameters)  # input 0 of the random variable is its size
    extra = [system.origin, system.matrix, system.inverse, np.array(system.log_det)]
    if bounded.any():
        closed = None
        extra += [bounds[bounded, 0], bounds[bounded, 1], np.flatnonzero(bounded).astype(float)]
    parameters += [_shared(value, f"{name}_coordinates_{i}") for i, value in enumerate(extra)]
    if closed is not None:
        parameters += [
            closed.map.direction, closed.map.loading, closed.mediator_coef,
            closed.mediator_sigma, closed.scale, closed.rho,
        ]  # fmt: skip
    draw, log_prior = _distribution(groups, first)
    cores = [",".join(f"a{i}_{j}" for j in range(value.ndim)) for i, value in enumerate(parameters)]
    signature = ",".join(f"({core})" for core in cores) + "->(p)"
    return pm.CustomDist(
        name, *parameters, dist=lambda *a, size=None: draw(*a), logp=log_prior,
        signature=signature, dims=dim, class_name="Coefficients",
        transform=SamplerCoordinates(first, bool(bounded.any()), None if closed is None else closed.map.latent),
    )  # fmt: skip


def _bounds(terms: tuple[str, ...], priors: dict[str, Prior]) -> np.ndarray:
    """Ends of each coefficient's prior, shape (term, 2)."""
    bounds = np.array([priors[term].bounds for term in terms])
    above_only = np.isinf(bounds[:, 0]) & np.isfinite(bounds[:, 1])
    if above_only.any():
        bad = [term for term, flag in zip(terms, above_only, strict=True) if flag]
        raise ValueError(
            f"The priors of {bad} are bounded above only; negate the variable or give two bounds."
        )
    return bounds


def _distribution(groups: list[Group], first: int) -> tuple[Any, Any]:
    """How coefficients are drawn from their priors, and the log-density of these.

    Both take the inputs of the random variable: the parameters of each group's priors, then basis,
    its inverse and its log-determinant, the last of them before the ``first`` of the coordinates.
    """
    single = len(groups) == 1

    def split(values: Any) -> list[tuple[Group, Any]]:
        taken = iter(values)
        return [(group, [next(taken) for _ in group.names]) for group in groups]

    def draw(*values: Any) -> Any:
        parts = [group.dist(own) for group, own in split(values)]
        spoken = parts[0]
        if not single:
            order = np.argsort(np.concatenate([group.index for group in groups]))
            spoken = pt.concatenate(parts)[order]
        return values[first - 3] @ spoken

    def log_prior(coef: Any, *values: Any) -> Any:
        spoken = values[first - 4] @ coef
        return values[first - 2] + sum(
            pm.logp(group.dist(own), spoken if single else spoken[group.index]).sum()
            for group, own in split(values)
        )

    return draw, log_prior


def _shared(value: np.ndarray, name: str) -> Any:
    array = np.asarray(value, dtype=float)
    return pytensor.shared(array, name=name, shape=(None,) * array.ndim)
