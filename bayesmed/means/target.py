r"""What of the outcome's distribution is averaged: its mean, a probability, a restricted mean ...

A functional g turns an outcome family into another family whose mean is :math:`E[g(Y)]`. What has
steps, :math:`g(Y) = g_0 + \sum_j w_j 1(Y > c_j)`, is an ordered family whose cutpoints are the
c_j on the scale of the response, so that every pair's integrals serve it unchanged.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.polynomial import legendre
from scipy.special import ndtr

from bayesmed.families.family import FAR, Family, Parameters
from bayesmed.families.listing import few, is_number
from bayesmed.families.names import names_nearest
from bayesmed.numerics.score_pair import given_sd
from bayesmed.posterior.draws import Draws
from bayesmed.system.capabilities import refuse
from bayesmed.system.rows import Counterfactuals

#: Nodes of an integral of survival over time, and the power that puts them near its start.
_NODES, _POWER = 48, 3

Kind = Literal["mean", "probability", "restricted_mean", "log_time", "observed", "quantile"]


@dataclass(frozen=True)
class Functional:
    """What of the outcome is averaged over units.

    Made by :func:`probability`, :func:`survival`, :func:`restricted_mean` and :func:`quantile`;
    ``"mean"``, ``"log_time"``, ``"observed"`` and ``"categories"`` go by these names.

    Attributes
    ----------
    kind : str
    value : float, str or None
        The value whose probability is asked for, the time, the horizon or the quantile's level.
    above : bool
        P(Y > value) rather than P(Y = value).
    """

    kind: Kind = "mean"
    value: Any = None
    above: bool = False

    def label(self, outcome: str) -> str:
        """Words for tables and axes."""
        return {
            "mean": f"mean of {outcome}",
            "probability": f"P({outcome} {'>' if self.above else '='} {_shown(self.value)})",
            "restricted_mean": f"mean of {outcome} restricted to {_shown(self.value)}",
            "log_time": f"mean of log {outcome}",
            "observed": f"mean of {outcome} as observed, within its limits",
            "quantile": f"{_shown(self.value)} quantile of {outcome}",
        }[self.kind]


MEAN = Functional()
_NAMED = {name: Functional(name) for name in ("mean", "log_time", "observed")}  # type: ignore[arg-type]


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)


def _number(value: Any, what: str) -> float:
    if not is_number(value):
        raise TypeError(f"{what} must be a number; {value!r} was given.")
    if not np.isfinite(value):
        raise ValueError(f"{what} must be finite; {value!r} was given.")
    return float(value)


@names_nearest
def probability(*, equals: Any = None, above: Any = None) -> Functional:
    """P(Y = k) of a discrete outcome, or P(Y > c) of any.

    Parameters
    ----------
    equals : number or level, optional
        A value of a binary, ordered or count outcome.
    above : number or level, optional
        For an ordered outcome one of its levels.

    Raises
    ------
    ValueError
        Unless exactly one is given.

    Examples
    --------
    >>> import bayesmed as bm
    >>> bm.probability(above=2).label("y")
    'P(y > 2)'
    """
    if (equals is None) == (above is None):
        raise ValueError("Give exactly one of equals= and above=.")
    return Functional("probability", equals if above is None else above, above is not None)


@names_nearest
def survival(time: float) -> Functional:
    """S(t) = P(Y > t), the probability that the event comes later than a time.

    Parameters
    ----------
    time : float
        In the unit of the outcome.
    """
    value = _number(time, "The time")
    if value <= 0.0:
        raise ValueError(f"The time must be positive; {time!r} was given.")
    return Functional("probability", value, True)


@names_nearest
def restricted_mean(horizon: float) -> Functional:
    r"""E[min(Y, h)], the mean time lived until a horizon: :math:`\int_0^h S(t) dt`.

    Parameters
    ----------
    horizon : float
        h, in the unit of the outcome.

    References
    ----------
    Royston, P., & Parmar, M. K. B. (2013). Restricted mean survival time. BMC Medical Research
    Methodology, 13, 152.
    """
    value = _number(horizon, "The horizon")
    if value <= 0.0:
        raise ValueError(f"The horizon must be positive; {horizon!r} was given.")
    return Functional("restricted_mean", value)


@names_nearest
def quantile(level: float) -> Functional:
    """The q with P(Y(t, M(t')) <= q) = level over the units: of the mixture, not a mean of quantiles.

    Parameters
    ----------
    level : float
        In (0, 1).
    """
    value = _number(level, "The level of a quantile")
    if not 0.0 < value < 1.0:
        raise ValueError(f"The level of a quantile lies between 0 and 1; {level!r} was given.")
    return Functional("quantile", value)


def resolve_functional(of: Any) -> Functional:
    """Return the functional of a name; one is returned as it is.

    Raises
    ------
    ValueError
        For another name.
    """
    if isinstance(of, Functional):
        return of
    if not isinstance(of, str) or of not in _NAMED:
        raise ValueError(
            f"of={of!r}; choose 'mean', 'log_time', 'observed' or 'categories', or give "
            "bm.probability(...), bm.survival(t), bm.restricted_mean(h) or bm.quantile(level)."
        )
    return _NAMED[of]


@dataclass(frozen=True)
class Target:
    """A functional of one outcome family, ready for counterfactual means.

    Attributes
    ----------
    functional : Functional
    family : Family
        Whose mean is wanted.
    base : Family
        The outcome's own.
    cutpoints : numpy.ndarray or None
        Values at which g(Y) steps, shape (step,).
    columns : dict of str to numpy.ndarray
        Data columns of the family that replace those of the outcome, such as ``scores``.
    """

    functional: Functional
    family: Family
    base: Family
    cutpoints: np.ndarray | None = None
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def monotone(self) -> bool:
        """Whether g rises, or falls, throughout."""
        single = self.functional.kind == "probability" and not self.functional.above
        return not single or self.base.kind == "binary"

    def draws(self, draws: Draws) -> Draws:
        """Draws with the parameters that the family reads."""
        if self.cutpoints is None:
            return draws
        cuts = self.cutpoints[:, None] * np.ones(len(draws))
        return draws.changed("outcome", parameters={**draws.outcome.parameters, "cutpoints": cuts})

    def rows(self, rows: Counterfactuals) -> Counterfactuals:
        """Rows of the family, with the data columns that it reads."""
        columns = {**rows.outcome.columns, **self.columns}
        return rows.changed("outcome", family=self.family, columns=columns)


def target_of(functional: Functional, family: Family, levels: tuple[Any, ...] = ()) -> Target:
    """Apply a functional to an outcome family.

    Parameters
    ----------
    functional : Functional
    family : Family
        Of the outcome.
    levels : tuple
        Categories of an ordered outcome.

    Raises
    ------
    ValueError
        If the family has no such functional; the message names one it has.
    """
    make: dict[str, Callable[..., Target]] = {
        "mean": lambda f, base, levels: Target(f, base, base),
        "probability": _probability,
        "restricted_mean": _restricted_mean,
        "log_time": _log_time,
        "observed": _observed,
        "quantile": _quantile,
    }
    return make[functional.kind](functional, family, levels)


def _probability(functional: Functional, family: Family, levels: tuple[Any, ...]) -> Target:
    value = functional.value
    if family.kind == "ordered":
        if value not in levels:
            raise ValueError(f"{value!r} is not a category of the outcome; it has {few(levels)}.")
        place = levels.index(value)
        codes = np.arange(len(levels))
        scores = (codes > place) if functional.above else (codes == place)
        return Target(functional, family, family, columns={"scores": scores.astype(float)})
    number = _number(value, "The value")
    if family.kind == "binary":
        return _of_binary(functional, family, number)
    if functional.above:
        cut = np.floor(number) if family.discrete else number
        return _steps(functional, family, [cut], [0.0, 1.0])
    refuse("equals", family)
    if number < 0.0 or number != np.floor(number):
        raise ValueError(
            f"A {family.name} outcome is never {number:g}; give a whole number from 0."
        )
    return _steps(functional, family, [number - 1.0, number], [0.0, 1.0, 0.0])


def _of_binary(functional: Functional, family: Family, number: float) -> Target:
    """P(Y = 1), which is the mean, or P(Y = 0)."""
    if number not in ((0.0,) if functional.above else (0.0, 1.0)):
        raise ValueError(f"A {family.name} outcome is 0 or 1; {number:g} was given.")
    if functional.above or number == 1.0:
        return Target(functional, family, family)
    mean = lambda eta, p: 1.0 - family.mean(eta, p)
    made = replace(family, kind="ordered", mean=mean)
    return Target(functional, made, family, columns={"scores": np.array([1.0, 0.0])})


def _restricted_mean(functional: Functional, family: Family, levels: tuple[Any, ...]) -> Target:
    refuse("time", family, asked="A restricted mean")
    horizon = float(functional.value)
    nodes, weights = legendre.leggauss(_NODES)
    u = 0.5 * (nodes + 1.0)
    rises = 0.5 * weights * horizon * _POWER * u ** (_POWER - 1)
    scores = np.concatenate([[0.0], np.cumsum(rises)])
    found = _steps(functional, family, horizon * u**_POWER, scores)
    if family.latent == "free":  # log-normal
        mean = lambda eta, p: lognormal_restricted_mean(eta, p["sigma"], horizon)
        return replace(found, family=replace(found.family, mean=mean))
    return found


def lognormal_restricted_mean(eta: Any, sigma: Any, horizon: float) -> Any:
    r"""E[min(Y, h)] of log Y ~ N(eta, sigma^2), in closed form."""
    z = (np.log(horizon) - eta) / sigma
    return np.exp(eta + 0.5 * sigma * sigma) * ndtr(z - sigma) + horizon * ndtr(-z)


def _log_time(functional: Functional, family: Family, levels: tuple[Any, ...]) -> Target:
    refuse("time", family, asked="The mean of log time")
    made = replace(
        family, name=f"log of {family.name}", link="identity",
        score=lambda y, eta, p: family.score(np.exp(y), eta, p),
        value=lambda e, eta, p: np.log(family.value(e, eta, p)),
        mean=lambda eta, p: eta + log_mean(family, p),
        valid=np.isfinite, additive=True, multiplicative=False, conditional=None,
        exponential_moment=None, tail=None,
    )  # fmt: skip
    return Target(functional, made, family)


def log_mean(family: Family, parameters: Parameters) -> np.ndarray:
    r"""E[log Y] - eta of a multiplicative family: :math:`\int \phi(e) \log w(e) de`."""
    nodes, weights = legendre.leggauss(96)
    nodes, zero = 8.5 * nodes, np.zeros((1, 1))
    density = weights * np.exp(-0.5 * nodes**2)
    density = density / density.sum()
    return sum(
        w * np.log(family.value(e, zero, parameters)) for e, w in zip(nodes, density, strict=True)
    )


def _observed(functional: Functional, family: Family, levels: tuple[Any, ...]) -> Target:
    refuse("observed", family)
    made = replace(
        family, name=f"{family.name} as observed", link="bounded", additive=False, mean=observed_mean,
        conditional=lambda e, eta, rho, p: observed_mean(
            eta + rho * p["sigma"] * e,
            {**p, "sigma": p["sigma"] * given_sd(rho)},
        ),
        value=lambda e, eta, p: np.clip(
            family.value(e, eta, p), p.get("lower", -np.inf), p.get("upper", np.inf)
        ),
    )  # fmt: skip
    return Target(functional, made, family)


def observed_mean(eta: Any, parameters: Parameters) -> Any:
    """E[max(min(Y, upper), lower)] of Y ~ N(eta, sigma^2)."""
    sigma = parameters["sigma"]

    def excess(x: Any) -> Any:
        """E[max(x + sigma z, 0)]."""
        z = x / sigma
        return x * ndtr(z) + sigma * np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)

    lower, upper = (np.asarray(parameters.get(n, np.nan)) for n in ("lower", "upper"))
    low, high = np.isfinite(lower), np.isfinite(upper)
    at_low, at_high = np.where(low, lower, 0.0), np.where(high, upper, 0.0)
    total = np.where(low, at_low + excess(eta - at_low), eta)
    return np.where(high, total - excess(eta - at_high), total)


def _quantile(functional: Functional, family: Family, levels: tuple[Any, ...]) -> Target:
    refuse("quantile", family)
    return _steps(functional, family, [0.0], [0.0, 1.0])


def _steps(functional: Functional, family: Family, cutpoints: Any, scores: Any) -> Target:
    """The target of a sum of steps."""
    cuts, scores = np.asarray(cutpoints, dtype=float), np.asarray(scores, dtype=float)

    def score(y: Any, eta: Any, parameters: Parameters) -> Any:
        own = parameters["cutpoints"]
        if y < 0 or y >= len(own):
            return np.full((1, 1), -FAR if y < 0 else FAR)
        return family.score(own[int(y)], eta, parameters)

    def mean(eta: Any, parameters: Parameters) -> Any:
        total: Any = scores[0]
        for j, cut in enumerate(parameters["cutpoints"]):
            total = total + (scores[j + 1] - scores[j]) * ndtr(-family.score(cut, eta, parameters))
        return total

    made = Family(
        name=family.name, kind="ordered", score=score, value=family.value, mean=mean,
        valid=family.valid, domain=family.domain, link="probability", coefficient_scale=1.0,
        latent="free" if family.latent == "free" else None, takes=family.takes, needs=family.needs, scale=family.scale,
        parameters=family.parameters,
    )  # fmt: skip
    return Target(functional, made, family, cuts, {"scores": scores})
