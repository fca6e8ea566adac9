"""Every family of a mediator or an outcome, each one constant.

A family says what the Gaussian copula needs, for NumPy arrays and PyTensor tensors alike:
its normal score, the inverse of the score, its density and its mean. The likelihoods of
``copula``, the counterfactual means of ``effects`` and simulation follow from these pieces
for every pair of families.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from bayesmed import special

Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class Family:
    r"""A distribution of the response given its linear predictor :math:`\eta`.

    Attributes
    ----------
    name : str
        The name a user gives.
    kind : {"continuous", "binary"}
        ``"binary"`` responses take the values 0 and 1.
    score : callable
        ``score(y, eta, parameters)``, the normal score :math:`\Phi^{-1}(F(y))`; for a
        discrete family the upper end of the interval of scores of y, so that y has the
        scores between ``score(y - 1)`` and ``score(y)``.
    value : callable
        ``value(e, eta, parameters)``, the quantile :math:`F^{-1}(\Phi(e))`.
    mean : callable
        ``mean(eta, parameters)``, the expectation on the scale of the response.
    log_density : callable or None
        ``log_density(y, eta, parameters)`` of a continuous family.
    parameters : tuple of str
        Names of the parameters beside the linear predictor, such as ``"sigma"``.
    valid : callable
        ``valid(y)``, a boolean array: which observed values the family can hold.
    domain : str
        The support in words, for messages.
    latent : {"free", "unit", None}
        Whether the score is linear in a normal latent variable, and if so whether its
        residual scale is a parameter (``"free"``) or one (``"unit"``). Pairs of such
        families may be closed under the residual correlation.
    link : str
        The scale of the linear predictor.
    coefficient_scale : float or None
        Scale of the default priors of the coefficients on the link scale; None takes the
        scale of the response.
    """

    name: str
    kind: Literal["continuous", "binary"]
    score: Callable[[Any, Any, Parameters], Any]
    value: Callable[[Any, Any, Parameters], Any]
    mean: Callable[[Any, Parameters], Any]
    log_density: Callable[[Any, Any, Parameters], Any] | None
    parameters: tuple[str, ...]
    valid: Callable[[np.ndarray], np.ndarray]
    domain: str
    latent: Literal["free", "unit"] | None
    link: str
    coefficient_scale: float | None


def _gaussian_log_density(y: Any, eta: Any, parameters: Parameters) -> Any:
    sigma = parameters["sigma"]
    return -0.5 * ((y - eta) / sigma) ** 2 - special.log(sigma) - special.LOG_SQRT_2PI


def _binary_score(threshold: Any, y: Any) -> Any:
    return special.where(y < 0, -np.inf, special.where(y < 1, threshold, np.inf))


def _is_binary(y: np.ndarray) -> np.ndarray:
    return (y == 0) | (y == 1)


GAUSSIAN = Family(
    name="gaussian",
    kind="continuous",
    score=lambda y, eta, parameters: (y - eta) / parameters["sigma"],
    value=lambda e, eta, parameters: eta + parameters["sigma"] * e,
    mean=lambda eta, parameters: eta,
    log_density=_gaussian_log_density,
    parameters=("sigma",),
    valid=np.isfinite,
    domain="finite numbers",
    latent="free",
    link="identity",
    coefficient_scale=None,
)

PROBIT = Family(
    name="probit",
    kind="binary",
    score=lambda y, eta, parameters: _binary_score(-eta, y),
    value=lambda e, eta, parameters: special.where(e > -eta, 1.0, 0.0),
    mean=lambda eta, parameters: special.ndtr(eta),
    log_density=None,
    parameters=(),
    valid=_is_binary,
    domain="0 and 1",
    latent="unit",
    link="probit",
    coefficient_scale=1.5,
)

LOGIT = Family(
    name="logit",
    kind="binary",
    score=lambda y, eta, parameters: _binary_score(special.ndtri_expit(-eta), y),
    value=lambda e, eta, parameters: special.where(e > special.ndtri_expit(-eta), 1.0, 0.0),
    mean=lambda eta, parameters: special.expit(eta),
    log_density=None,
    parameters=(),
    valid=_is_binary,
    domain="0 and 1",
    latent=None,
    link="logit",
    coefficient_scale=2.5,
)

FAMILIES: dict[str, Family] = {family.name: family for family in (GAUSSIAN, PROBIT, LOGIT)}


def resolve_family(family: "str | Family", equation: str) -> Family:
    """Return the family constant of a name; a Family is returned as it is.

    Raises
    ------
    ValueError
        If no family has that name.
    """
    if isinstance(family, Family):
        return family
    if not isinstance(family, str) or family not in FAMILIES:
        raise ValueError(
            f"{equation}_family={family!r} is not a family; choose one of {sorted(FAMILIES)}."
        )
    return FAMILIES[family]
