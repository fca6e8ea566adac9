"""Priors: what a user may state, and the defaults taken from the scale of the data."""

import inspect
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from bayesmed.design import INTERCEPT, Design
from bayesmed.families import Family

#: Parameters that are positive in every PyMC distribution that has them.
_POSITIVE = ("sigma", "tau", "scale", "nu", "lam")


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
            )
        try:
            return self.constructor.dist(**{k: np.float64(v) for k, v in self.parameters.items()})
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self!r} is not a valid PyMC distribution: {error}") from None

    @property
    def bounds(self) -> tuple[float, float]:
        """Ends of the support, infinite where there are none."""
        from pymc.distributions.transforms import _default_transform
        from pymc.logprob.transforms import IntervalTransform, LogOddsTransform, LogTransform

        variable = self.dist()
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
        raise ValueError(f"{self!r} has a support that is not an interval; choose another prior.")


def default_priors(design: Design, family: Family, y: np.ndarray) -> dict[str, Prior]:
    r"""Weakly informative priors on the scale of the data.

    With :math:`S` the standard deviation of the response (one on a probit or logit scale),
    :math:`c` = 2.5 (probit 1.5) and :math:`s_j` the standard deviation of column j:

    - coefficients: :math:`Normal(0, c S / s_j)`;
    - the intercept *at the means of the columns*: :math:`Normal(\bar y, c S)`, mean zero on a
      probit or logit scale;
    - residual standard deviation: :math:`Exponential` with mean :math:`S`.

    Without an intercept in the formula, root mean squares replace standard deviations in the
    priors of the coefficients.

    Returns
    -------
    dict
        A prior for each column of the design and each parameter of the family.
    """
    centred = INTERCEPT in design.terms
    spread = design.matrix.std(axis=0) if centred else np.sqrt((design.matrix**2).mean(axis=0))
    multiple = family.coefficient_scale or 2.5
    location, scale = (0.0, 1.0) if family.coefficient_scale else (float(y.mean()), float(y.std()))
    if not centred and family.coefficient_scale is None:
        scale = float(np.sqrt((y**2).mean()))
    priors = {
        term: Prior("Normal", mu=0.0, sigma=multiple * scale / float(width))
        for term, width in zip(design.terms, spread, strict=True)
        if term != INTERCEPT
    }
    if centred:
        priors[INTERCEPT] = Prior("Normal", mu=location, sigma=multiple * scale)
    for parameter in family.parameters:
        priors[parameter] = Prior("Exponential", scale=float(y.std()))
    ordered = [*design.terms, *family.parameters]
    return {name: priors[name] for name in ordered}


def merge_priors(
    defaults: dict[str, Prior], given: Mapping[str, Prior], equation: str, family: Family
) -> dict[str, Prior]:
    """Replace defaults by what the user stated.

    Raises
    ------
    ValueError
        If a name is not a coefficient or parameter of the equation, or the prior of a scale
        reaches below zero.
    TypeError
        If a value is not a Prior.
    """
    for name, prior in given.items():
        if name not in defaults:
            raise ValueError(
                f"priors[{equation!r}] names {name!r}, which the {equation} equation does not "
                f"have; it has {list(defaults)}."
            )
        if not isinstance(prior, Prior):
            raise TypeError(
                f"priors[{equation!r}][{name!r}] must be a bm.Prior, for example "
                f'bm.Prior("Normal", mu=0, sigma=1); {prior!r} was given.'
            )
        if name in family.parameters and prior.bounds[0] < 0.0:
            raise ValueError(
                f"priors[{equation!r}][{name!r}]: {prior!r} reaches below zero, but {name} is "
                "positive; use a prior such as HalfNormal, Exponential or Gamma."
            )
    return {**defaults, **given}


def check_rho(rho: float | Prior) -> None:
    """Check a fixed correlation or its prior.

    Raises
    ------
    ValueError
        If a number lies outside (-1, 1), or a prior's support reaches beyond [-1, 1].
    TypeError
        If it is neither a number nor a Prior.
    """
    if isinstance(rho, Prior):
        low, high = rho.bounds
        if low < -1.0 or high > 1.0:
            raise ValueError(
                f"The prior of rho, {rho!r}, has mass outside (-1, 1) (its support is {low:g} to "
                f'{high:g}); use for example Prior("Uniform", lower=-0.9, upper=0.9) or '
                'Prior("TruncatedNormal", mu=0, sigma=0.3, lower=-1, upper=1).'
            )
        return
    if isinstance(rho, bool) or not isinstance(rho, (int, float, np.number)):
        raise TypeError(f"rho must be a number in (-1, 1) or a bm.Prior; {rho!r} was given.")
    if not -1.0 < rho < 1.0:
        raise ValueError(f"rho must lie strictly between -1 and 1; {rho!r} was given.")
