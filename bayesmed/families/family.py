r"""What a family is: the pieces from which every pair's likelihood and effects follow."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from bayesmed.families.names import names_nearest
from bayesmed.families.prior import Prior

#: Values of a family's parameters by name, and of the data columns that it needs.
Parameters = Mapping[str, Any]
#: From the response on the scale of the linear predictor to a default prior.
DefaultPrior = Callable[[np.ndarray], Prior]
Kind = Literal["continuous", "binary", "ordered", "count"]

#: Keys of the two equations that a user states.
EQUATIONS = ("mediator", "outcome")
#: Stands for an infinite normal score: its probability is zero, and arithmetic stays finite.
FAR = 1e8


@dataclass(frozen=True)
class Traits:
    """What words about a family need; files keep those of a user's own."""

    kind: Kind = "continuous"
    link: str = ""
    coefficient_scale: float | None = None
    bounded: bool = False
    limited: bool = False


@names_nearest
@dataclass(frozen=True, eq=False)
class Family:
    r"""A distribution of the response given its linear predictor :math:`\eta`.

    A family says once, for NumPy arrays and PyTensor tensors alike, what the Gaussian
    copula needs; likelihoods, counterfactual means, prediction and simulation of every pair
    follow. Parameters and data columns arrive in one mapping by name.

    Attributes
    ----------
    name : str
        The name a user gives.
    kind : {"continuous", "binary", "ordered", "count"}
        ``"binary"`` responses are 0 and 1, ``"ordered"`` ones categories coded
        0, 1, ..., ``"count"`` ones whole numbers from 0.
    score : callable
        ``score(y, eta, parameters)``, the normal score :math:`\Phi^{-1}(F(y))`; for a
        discrete family the upper end of the interval of scores of y, so that y has the
        scores between ``score(y - 1)`` and ``score(y)``.
    value : callable
        ``value(e, eta, parameters)``, the quantile :math:`F^{-1}(\Phi(e))`; arrays only.
    mean : callable
        ``mean(eta, parameters)``, the expectation on the scale of the response.
    log_density : callable or None
        ``log_density(y, eta, parameters)``, log density or log probability. May be None for
        a binary or ordered family, whose probabilities follow from its scores.
    parameters : mapping of str to callable
        Parameters beside the linear predictor, such as ``"sigma"``, each with its default
        prior: a function of the response on the scale of the linear predictor.
    valid : callable
        ``valid(y)``, a boolean array: which observed values the family can hold. The ends of a
        continuous response, ``support``, are read off it.
    domain : str
        The support in words, for messages.
    link : str
        The scale of the linear predictor: "identity", "log", "logit", "probit", or other
        words. "log" is taken to mean that the mean grows without bound with the linear predictor.
    working : callable or None
        The response on the scale of the linear predictor, roughly, from which default
        priors take their location and scale. None for a scale that is fixed, such as
        logits, whose priors take ``coefficient_scale``.
    coefficient_scale : float or None
        Standard deviation of the default priors of the coefficients on the link scale, for
        columns of unit standard deviation; where None, 2.5 times that of ``working``.
    lower : mapping of str to float
        Lower bounds of parameters, where they are not zero; ``-numpy.inf`` for one without.
    needs, takes : tuple of str
        Data columns that must, or may, be given: "trials", "exposure", "event", "lower",
        "upper". Each arrives in ``parameters``. Of "lower" and "upper", limits at which values
        are censored, one must be given.
    latent : {"free", "unit", None}
        Whether the score is linear in a normal latent variable, and if so whether its
        residual scale is the parameter sigma (``"free"``) or one (``"unit"``). Such
        outcomes may be closed under the residual correlation.
    additive : bool
        Whether :math:`Q(\Phi(e)) = \eta + s(e)` with s of mean zero, free of eta.
    multiplicative : bool
        Whether :math:`Q(\Phi(e)) = \exp(\eta)\, w(e)` with w free of eta.
    conditional : callable or None
        ``conditional(e, eta, rho, parameters)``, the mean of Y given the mediator's score e
        in closed form: :math:`E[Q(\Phi(\rho e + k z))]`, z standard normal. Otherwise it is
        integrated.
    exponential_moment : callable or None
        ``exponential_moment(slope, eta, parameters)``: where :math:`E[\exp(slope\,M)]` is
        finite for a mediator of this family. None says that it always is, which nothing
        checks: a heavy-tailed family must give it.
    tail : callable or None
        ``tail(parameters)``: s where :math:`\log Q(\Phi(e))` grows as :math:`s e^2/2`. The mean is
        finite where s < 1, and at rho > 0 a heavy tail of the mediator leaves less room. None
        for a slower growth.
    scale : str or None
        The parameter that may have a regression of its own (log link).
    outcome_only : bool
        Whether it cannot be a mediator.

    Raises
    ------
    TypeError
        If a piece that must be there is missing or cannot be called.
    """

    name: str
    kind: Kind
    score: Callable[[Any, Any, Parameters], Any]
    value: Callable[[Any, Any, Parameters], Any]
    mean: Callable[[Any, Parameters], Any]
    valid: Callable[[np.ndarray], np.ndarray]
    domain: str
    link: str
    log_density: Callable[[Any, Any, Parameters], Any] | None = None
    parameters: Mapping[str, DefaultPrior] = field(default_factory=dict)
    working: Callable[[np.ndarray], np.ndarray] | None = None
    coefficient_scale: float | None = None
    lower: Mapping[str, float] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    latent: Literal["free", "unit"] | None = None
    additive: bool = False
    multiplicative: bool = False
    conditional: Callable[[Any, Any, Any, Parameters], Any] | None = None
    exponential_moment: Callable[[Any, Any, Parameters], Any] | None = None
    tail: Callable[[Parameters], Any] | None = None
    scale: str | None = None
    outcome_only: bool = False

    def __post_init__(self) -> None:
        must = ["score", "value", "mean", "valid"]
        if self.kind in ("continuous", "count"):
            must.append("log_density")
        for piece in must:
            if not callable(getattr(self, piece)):
                raise TypeError(
                    f"Family({self.name!r}) of kind {self.kind!r} needs {piece}, a function; "
                    f"{getattr(self, piece)!r} was given."
                )
        if self.kind not in ("continuous", "binary", "ordered", "count"):
            raise TypeError(
                f"Family({self.name!r}): kind={self.kind!r}; choose 'continuous', 'binary', "
                "'ordered' or 'count'."
            )
        if self.working is None and self.coefficient_scale is None:
            raise TypeError(
                f"Family({self.name!r}) needs working, a function that takes the response to the "
                "scale of the linear predictor, or coefficient_scale, a number: default priors "
                "are made from them."
            )
        if not isinstance(self.parameters, Mapping):
            raise TypeError(
                f"Family({self.name!r}): parameters must map names to functions from the response to a "
                f"bm.Prior; {self.parameters!r} was given."
            )
        for name, default in self.parameters.items():
            if not callable(default):
                raise TypeError(
                    f"Family({self.name!r}): parameters[{name!r}] must be a function from the "
                    f"response to a bm.Prior; {default!r} was given."
                )

    @property
    def discrete(self) -> bool:
        """Whether the response lies on whole numbers."""
        return self.kind != "continuous"

    @property
    def limited(self) -> bool:
        """Whether values may be censored at known limits, of which one must be given."""
        return bool({"lower", "upper"} & set(self.takes))

    @property
    def is_normal(self) -> bool:
        """Whether the response is normal around the linear predictor, with sigma, and never censored."""
        plain = self.latent == "free" and self.link == "identity" and not self.limited
        return plain and list(self.parameters) == ["sigma"]

    @cached_property
    def support(self) -> tuple[float, float]:
        """Ends of the values of a response, as ``valid`` tells them; infinite where there are none.

        Categories have scores, which may be any numbers.
        """
        if self.kind != "continuous":
            low, high = {"binary": (0.0, 1.0), "count": (0.0, np.inf)}.get(
                self.kind, (-np.inf, np.inf)
            )
            return low, high
        sizes = np.geomspace(1e-9, 1e12, 400)
        points = np.concatenate([-sizes[::-1], [0.0], sizes])
        inside = np.flatnonzero(self.valid(points))
        if not inside.size:
            return -np.inf, np.inf
        return self._end(points, inside[0], -1), self._end(points, inside[-1], 1)

    def _end(self, points: np.ndarray, last: int, step: int) -> float:
        """Where ``valid`` ends beyond the last of some points that it allows."""
        if not 0 <= last + step < len(points):
            return step * np.inf
        inside, outside = points[last], points[last + step]
        for _ in range(60):
            middle = 0.5 * (inside + outside)
            inside, outside = (
                (middle, outside) if self.valid(np.array(middle)) else (inside, middle)
            )
        return round(float(outside), 9) + 0.0

    @property
    def bounded(self) -> bool:
        """Whether a mean cannot change by more than one: probabilities and shares."""
        return self.support[1] - self.support[0] <= 1.0

    @property
    def traits(self) -> Traits:
        """What words about it need."""
        return Traits(self.kind, self.link, self.coefficient_scale, self.bounded, self.limited)

    @property
    def vectors(self) -> tuple[str, ...]:
        """Names of parameters that are vectors: the cutpoints of an ordered family."""
        return ("cutpoints",) if self.kind == "ordered" else ()


#: Of the equations, by their keys, the outcome's last.
Families = Mapping[str, Family]
