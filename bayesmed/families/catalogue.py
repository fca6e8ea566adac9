"""Every family of a mediator or an outcome, each one constant."""

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import special as sp

from bayesmed.families import scores as of
from bayesmed.families.family import Family
from bayesmed.families.names import nearest
from bayesmed.families.prior import Prior
from bayesmed.numerics import special

#: What real numbers, times, 0/1, categories and counts have in common.
_REAL: dict[str, Any] = {
    "kind": "continuous", "valid": np.isfinite, "domain": "finite numbers", "link": "identity",
    "mean": lambda eta, parameters: eta, "working": lambda y: y, "additive": True, "scale": "sigma",
}  # fmt: skip
_TIME: dict[str, Any] = {
    "kind": "continuous", "valid": of.positive, "domain": "positive numbers", "link": "log",
    "working": np.log, "takes": ("event",), "multiplicative": True,
}  # fmt: skip
_BINARY: dict[str, Any] = {"kind": "binary", "valid": of.is_binary, "domain": "0 and 1"}
_ORDERED: dict[str, Any] = {"kind": "ordered", "valid": of.whole, "domain": "ordered categories"}
_COUNT: dict[str, Any] = {
    "kind": "count", "valid": of.whole, "domain": "whole numbers from 0", "link": "log",
    "mean": lambda eta, parameters: np.exp(eta), "working": lambda y: np.log(y + 0.5),
    "takes": ("exposure",),
}  # fmt: skip

GAUSSIAN = Family(
    name="gaussian",
    score=of.residual,
    value=lambda e, eta, parameters: eta + parameters["sigma"] * e,
    log_density=of.gaussian_log_density,
    parameters={"sigma": of.scale_prior},
    latent="free",
    conditional=lambda e, eta, rho, parameters: eta + rho * parameters["sigma"] * e,
    **_REAL,
)

STUDENT_T = Family(
    name="student_t",
    score=of.student_t_score,
    value=of.student_t_value,
    log_density=of.student_t_log_density,
    parameters={"sigma": of.scale_prior, "nu": of.degrees_prior},
    lower={"nu": 2.0},
    exponential_moment=of.never_unless_flat,
    **_REAL,
)

TOBIT = replace(
    GAUSSIAN,
    name="tobit",
    domain="finite numbers, censored at known limits",
    takes=("lower", "upper"),
    outcome_only=True,
)

LOGNORMAL = Family(
    name="lognormal",
    score=of.log_residual,
    value=lambda e, eta, parameters: np.exp(eta + parameters["sigma"] * e),
    mean=lambda eta, parameters: np.exp(eta + 0.5 * parameters["sigma"] ** 2),
    log_density=of.lognormal_log_density,
    parameters={"sigma": of.scale_prior},
    latent="free",
    scale="sigma",
    conditional=of.lognormal_conditional,
    exponential_moment=of.only_falling,
    **_TIME,
)

GAMMA = Family(
    name="gamma",
    score=of.gamma_score,
    value=of.gamma_value,
    mean=lambda eta, parameters: np.exp(eta),
    log_density=of.gamma_log_density,
    parameters={"shape": of.positive_prior},
    exponential_moment=of.gamma_moment,
    **_TIME,
)

WEIBULL = Family(
    name="weibull",
    score=of.weibull_score,
    value=lambda e, eta, parameters: np.exp(eta + parameters["sigma"] * np.log(-sp.log_ndtr(-e))),
    mean=lambda eta, parameters: np.exp(eta) * sp.gamma(1.0 + parameters["sigma"]),
    log_density=of.weibull_log_density,
    parameters={"sigma": of.scale_prior},
    scale="sigma",
    outcome_only=True,
    **_TIME,
)

LOGLOGISTIC = Family(
    name="loglogistic",
    score=of.loglogistic_score,
    value=lambda e, eta, parameters: np.exp(
        eta + parameters["sigma"] * (sp.log_ndtr(e) - sp.log_ndtr(-e))
    ),
    mean=lambda eta, parameters: np.exp(eta) / np.sinc(parameters["sigma"]),
    log_density=of.loglogistic_log_density,
    parameters={"sigma": of.scale_prior},
    scale="sigma",
    tail=lambda parameters: parameters["sigma"],
    outcome_only=True,
    **_TIME,
)

BETA = Family(
    name="beta",
    kind="continuous",
    score=of.beta_score,
    value=of.beta_value,
    mean=lambda eta, parameters: special.expit(eta),
    log_density=of.beta_log_density,
    parameters={"phi": of.positive_prior},
    valid=lambda y: (y > 0.0) & (y < 1.0),
    domain="numbers strictly between 0 and 1",
    link="logit",
    coefficient_scale=2.5,
)

PROBIT = Family(
    name="probit",
    score=lambda y, eta, parameters: of.binary_score(-eta, y),
    value=lambda e, eta, parameters: np.where(e > -eta, 1.0, 0.0),
    mean=lambda eta, parameters: special.ndtr(eta),
    link="probit",
    coefficient_scale=1.5,
    latent="unit",
    **_BINARY,
)

LOGIT = Family(
    name="logit",
    score=lambda y, eta, parameters: of.binary_score(special.ndtri_expit(-eta), y),
    value=lambda e, eta, parameters: np.where(e > special.ndtri_expit(-eta), 1.0, 0.0),
    mean=lambda eta, parameters: special.expit(eta),
    link="logit",
    coefficient_scale=2.5,
    **_BINARY,
)

ORDERED_PROBIT = Family(
    name="ordered_probit",
    score=of.ordered_probit_score,
    value=of.ordered_value(of.ordered_probit_score),
    mean=of.ordered_mean(sp.ndtr),
    parameters={"cutpoints": lambda working: Prior("Normal", mu=0.0, sigma=2.0)},
    link="probit",
    coefficient_scale=1.5,
    latent="unit",
    **_ORDERED,
)

ORDERED_LOGIT = Family(
    name="ordered_logit",
    score=of.ordered_logit_score,
    value=of.ordered_value(of.ordered_logit_score),
    mean=of.ordered_mean(sp.expit),
    parameters={"cutpoints": lambda working: Prior("Normal", mu=0.0, sigma=3.5)},
    link="logit",
    coefficient_scale=2.5,
    **_ORDERED,
)

POISSON = Family(
    name="poisson",
    score=of.poisson_score,
    value=of.poisson_value,
    log_density=of.poisson_log_density,
    **_COUNT,
)

NEGATIVE_BINOMIAL = Family(
    name="negative_binomial",
    score=of.negative_binomial_score,
    value=of.negative_binomial_value,
    log_density=of.negative_binomial_log_density,
    parameters={"alpha": of.positive_prior},
    exponential_moment=of.negative_binomial_moment,
    **_COUNT,
)

BINOMIAL = Family(
    name="binomial",
    kind="count",
    score=of.binomial_score,
    value=of.binomial_value,
    mean=lambda eta, parameters: parameters["trials"] * special.expit(eta),
    log_density=of.binomial_log_density,
    valid=of.whole,
    domain="whole numbers from 0 to the trials",
    link="logit",
    coefficient_scale=2.5,
    needs=("trials",),
    outcome_only=True,
)

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        GAUSSIAN, PROBIT, LOGIT, STUDENT_T, LOGNORMAL, GAMMA, ORDERED_PROBIT, ORDERED_LOGIT,
        POISSON, NEGATIVE_BINOMIAL, BINOMIAL, TOBIT, WEIBULL, LOGLOGISTIC, BETA,
    )
}  # fmt: skip

#: What families are called elsewhere.
_ALSO_CALLED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("normal", "linear", "ols", "identity"), ("gaussian",)),
    **dict.fromkeys(("bernoulli", "binary", "logistic", "binomial"), ("probit", "logit")),
    **dict.fromkeys(("ordinal", "ordered", "cumulative"), ("ordered_probit", "ordered_logit")),
    **dict.fromkeys(("negbin", "nb", "nbinom"), ("negative_binomial",)),
    **dict.fromkeys(("t", "student"), ("student_t",)),
    **dict.fromkeys(("survival", "cox", "exponential"), ("weibull", "loglogistic", "lognormal")),
}
_NOMINAL = ("multinomial", "categorical", "nominal")


def resolve_family(family: "str | Family", equation: str) -> Family:
    """Return the family constant of a name; a Family is returned as it is."""
    known = [n for n, one in FAMILIES.items() if equation == "outcome" or not one.outcome_only]
    if not isinstance(family, Family) and (not isinstance(family, str) or family not in FAMILIES):
        raise ValueError(
            f"{equation}_family={family!r} is not a family; choose one of {sorted(known)}, or "
            f"give a bm.Family.{_meant(family, known)}"
        )
    found = family if isinstance(family, Family) else FAMILIES[family]
    if equation == "mediator" and found.outcome_only:
        raise ValueError(
            f"The {found.name} family is for outcomes; choose a mediator family among {sorted(known)}."
            f"{_meant(found.name, known, near=False)}"
        )
    return found


def _meant(name: Any, known: list[str], near: bool = True) -> str:
    """The families that may have been meant, in a sentence with a space before it."""
    word = str(name).casefold().replace("-", "").replace("_", "")
    if word in _NOMINAL:
        return " There is none for three or more categories without an order."
    own = [repr(one) for one in _ALSO_CALLED.get(word, ()) if one in known]
    if own:
        return f" Did you mean {' or '.join(own)}?"
    return nearest(name, known) if near else ""
