"""Priors that a user may state."""

import inspect
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from bayesmed.families.listing import is_number
from bayesmed.families.names import nearest

#: Parameters that are positive in every PyMC distribution that has them.
_POSITIVE = ("sigma", "tau", "scale", "nu", "lam")


def _rebuilt(distribution: str, parameters: dict[str, float]) -> "Prior":
    """A Prior that another process sent."""
    return Prior(distribution, **parameters)


class Prior:
    """A univariate continuous prior, by the name and parameters of a PyMC distribution.

    Parameters
    ----------
    distribution : str
        Name of a continuous PyMC distribution: ``"Normal"``, ``"StudentT"``, ``"Uniform"``...
    **parameters : float
        Its parameters by their PyMC names.

    Raises
    ------
    ValueError
        If there is no such distribution, or it does not take those parameters.

    Examples
    --------
    >>> Prior("Normal", mu=0, sigma=1)
    Prior("Normal", mu=0, sigma=1)
    """

    __slots__ = ("distribution", "parameters")
    distribution: str
    parameters: dict[str, float]

    def __init__(self, distribution: str, **parameters: float):
        for name, value in parameters.items():
            real = np.isscalar(value) and not isinstance(value, str) and np.isreal(value)
            if not real or np.isnan(value):
                raise ValueError(f"Prior parameter {name} must be a number; {value!r} was given.")
            if name in _POSITIVE and value <= 0:
                raise ValueError(f"Prior({distribution!r}): {name}={value!r} must be positive.")
        if parameters.get("lower", -np.inf) >= parameters.get("upper", np.inf):
            raise ValueError(
                f"Prior({distribution!r}): lower={parameters['lower']!r} is not below "
                f"upper={parameters['upper']!r}."
            )
        object.__setattr__(self, "distribution", distribution)
        object.__setattr__(self, "parameters", dict(parameters))
        self.dist()

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("A Prior does not change; make a new one.")

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self.distribution, self.parameters)

    def __repr__(self) -> str:
        inside = "".join(f", {name}={value:.6g}" for name, value in self.parameters.items())
        return f'Prior("{self.distribution}"{inside})'

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Prior) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[Any, ...]:
        return (self.distribution, tuple(sorted(self.parameters.items())))

    @property
    def constructor(self) -> Any:
        """The PyMC distribution class."""
        import pymc as pm

        found = getattr(pm, str(self.distribution), None)
        if not (isinstance(found, type) and issubclass(found, pm.distributions.Continuous)):
            raise ValueError(
                f"Prior({self.distribution!r}): PyMC has no univariate continuous distribution of "
                "that name; 'Normal', 'StudentT', 'Uniform' and 'Exponential' are examples."
                f"{nearest(self.distribution, pm.distributions.continuous.__all__)}"
            )
        return found

    def dist(self) -> Any:
        """The PyMC distribution as an unnamed random variable."""
        known = [
            name
            for name, given in inspect.signature(self.constructor.dist).parameters.items()
            if given.kind in (given.POSITIONAL_OR_KEYWORD, given.KEYWORD_ONLY)
        ]
        unknown = [name for name in self.parameters if name not in known]
        if unknown:
            raise ValueError(
                f"Prior({self.distribution!r}) has no parameters {unknown}; it has {known}."
                f"{nearest(unknown[0], known)}"
            )
        try:
            return self.constructor.dist(**{k: np.float64(v) for k, v in self.parameters.items()})
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self!r} is not a valid PyMC distribution: {error}") from None

    @property
    def bounds(self) -> tuple[float, float]:
        """Ends of the support, infinite where there are none."""
        return _bounds(self)


@lru_cache(maxsize=1024)
def _bounds(prior: Prior) -> tuple[float, float]:
    from pymc.distributions.transforms import _default_transform
    from pymc.logprob.transforms import IntervalTransform, LogOddsTransform, LogTransform

    variable = prior.dist()
    transform = _default_transform(variable.owner.op, variable)
    if transform is None:
        return (-math.inf, math.inf)
    if isinstance(transform, LogTransform):
        return (0.0, math.inf)
    if isinstance(transform, LogOddsTransform):
        return (0.0, 1.0)
    if isinstance(transform, IntervalTransform):
        ends = transform.args_fn(*variable.owner.inputs)
        low, high = (None if end is None else float(end.eval()) for end in ends)
        return (-math.inf if low is None else low, math.inf if high is None else high)
    raise ValueError(f"{prior!r} has a support that is not an interval; choose another prior.")


def uncompiled() -> Any:
    """PyTensor's mode that evaluates a graph by NumPy: nothing is compiled."""
    from pytensor.compile.mode import Mode

    return Mode(linker="py", optimizer=None)


def draw_prior(prior: Prior, size: int, rng: Any) -> np.ndarray:
    """Independent draws of a prior, shape (size,)."""
    import pymc as pm

    drawn = pm.draw(prior.dist(), draws=size, random_seed=rng, mode=uncompiled())
    return np.asarray(drawn, dtype=float)


def log_density(prior: Prior) -> Callable[[np.ndarray], np.ndarray]:
    """The logarithm of a prior's density, a function of an array."""
    import pymc as pm
    import pytensor
    import pytensor.tensor as pt

    value = pt.vector("value")
    of_vector = pytensor.function([value], pm.logp(prior.dist(), value), mode=uncompiled())
    return lambda values: np.reshape(of_vector(np.ravel(values)), np.shape(values))


def check_rho(rho: float | Prior) -> None:
    """Check a fixed correlation or its prior."""
    if isinstance(rho, Prior):
        low, high = rho.bounds
        if low < -1.0 or high > 1.0:
            raise ValueError(
                f"The prior of rho, {rho!r}, has mass outside (-1, 1) (its support is {low:g} to "
                f'{high:g}); use for example Prior("Uniform", lower=-0.9, upper=0.9) or '
                'Prior("TruncatedNormal", mu=0, sigma=0.3, lower=-1, upper=1).'
            )
        return
    if not is_number(rho):
        raise TypeError(f"rho must be a number in (-1, 1) or a bm.Prior; {rho!r} was given.")
    if not -1.0 < rho < 1.0:
        raise ValueError(f"rho must lie strictly between -1 and 1; {rho!r} was given.")
