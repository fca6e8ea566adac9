"""Every family of a mediator or an outcome, each one constant."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special as sp
from scipy import stats

from bayesmed import special
from bayesmed.family import FAR, Family, Parameters
from bayesmed.priors import Prior

#: Where exp(w) of a Weibull hazard is cut off, and where it is too small for log1mexp.
_LARGEST, _SMALLEST = 500.0, -25.0
#: SciPy's quantiles of Student's t and of the beta distribution fail further out, at odds of
#: 1e-89, and stay there; those of Poisson counts lose digits further out.
_REACH, _POISSON_REACH = 20.0, 4.0

# --- normal scores and densities ------------------------------------------------------------


def _residual(y: Any, eta: Any, parameters: Parameters) -> Any:
    return (y - eta) / parameters["sigma"]


def _log_residual(y: Any, eta: Any, parameters: Parameters) -> Any:
    return (special.log(y) - eta) / parameters["sigma"]


def _gaussian_log_density(y: Any, eta: Any, parameters: Parameters) -> Any:
    sigma = parameters["sigma"]
    return -0.5 * ((y - eta) / sigma) ** 2 - special.log(sigma) - special.LOG_SQRT_2PI


def _lognormal_log_density(y: Any, eta: Any, parameters: Parameters) -> Any:
    log_y = special.log(y)
    return _gaussian_log_density(log_y, eta, parameters) - log_y


def _student_t_score(y: Any, eta: Any, parameters: Parameters) -> Any:
    nu, t = parameters["nu"], _residual(y, eta, parameters)
    near = abs(t) < 0.01
    # At the centre, where a tail of one half says little, the series of F and of Phi^{-1}.
    inner = special.where(near, t, 0.0)
    square = inner * inner
    series = 1.0 - (nu + 1.0) / (6.0 * nu) * square * (1.0 - 0.15 * (nu + 3.0) / nu * square)
    scaled = special.exp(_student_t_constant(nu) + special.LOG_SQRT_2PI) * inner * series
    square = scaled * scaled
    centre = scaled * (1.0 + square / 6.0 * (1.0 + 0.35 * square))
    # Further out by the smaller of P(|T| > |t|) and P(|T| < |t|).
    outer = special.where(near, 2.0, t)
    square = outer * outer
    far, total = square > 1.0, nu + square
    part = special.log_beta_tail(far, 0.5 * nu, 0.5, nu / total, square / total)
    half = special.LOG_HALF + special.where(far, part, special.log1p(special.exp(part)))
    size = special.ndtri_exp(half)
    size = special.where(far, -size, size)
    return special.where(near, centre, special.where(outer < 0.0, -size, size))


def _student_t_constant(nu: Any) -> Any:
    half = special.gammaln(0.5 * (nu + 1.0)) - special.gammaln(0.5 * nu)
    return half - 0.5 * special.log(nu * np.pi)


def _student_t_log_density(y: Any, eta: Any, parameters: Parameters) -> Any:
    nu, t = parameters["nu"], _residual(y, eta, parameters)
    constant = _student_t_constant(nu) - special.log(parameters["sigma"])
    return constant - 0.5 * (nu + 1.0) * special.log1p(t * t / nu)


def _student_t_value(e: Any, eta: Any, parameters: Parameters) -> Any:
    tail = sp.stdtrit(parameters["nu"], sp.ndtr(-np.minimum(np.abs(e), _REACH)))
    return eta + parameters["sigma"] * np.where(e < 0.0, tail, -tail)


def _gamma_score(y: Any, eta: Any, parameters: Parameters) -> Any:
    shape = parameters["shape"]
    x = shape * y * special.exp(-eta)
    return special.gamma_score(shape, x)


def _gamma_log_density(y: Any, eta: Any, parameters: Parameters) -> Any:
    shape, log_y = parameters["shape"], special.log(y)
    x = shape * special.exp(log_y - eta)
    return shape * (special.log(shape) + log_y - eta) - x - log_y - special.gammaln(shape)


def _gamma_value(e: Any, eta: Any, parameters: Parameters) -> Any:
    shape = parameters["shape"]
    lower = sp.gammaincinv(shape, sp.ndtr(np.minimum(e, 0.0)))
    upper = sp.gammainccinv(shape, sp.ndtr(-np.maximum(e, 0.0)))
    return np.exp(eta) * np.where(e < 0.0, lower, upper) / shape


def _weibull_score(y: Any, eta: Any, parameters: Parameters) -> Any:
    w = _log_residual(y, eta, parameters)
    hazard = _weibull_hazard(w)
    tiny = w < _SMALLEST
    log_lower = special.where(tiny, w, special.log1mexp(special.where(tiny, -1.0, -hazard)))
    return special.score_of_logs(log_lower, -hazard)


def _weibull_hazard(w: Any) -> Any:
    return special.exp(special.minimum(w, _LARGEST))


def _weibull_log_density(y: Any, eta: Any, parameters: Parameters) -> Any:
    w = _log_residual(y, eta, parameters)
    return w - _weibull_hazard(w) - special.log(parameters["sigma"]) - special.log(y)


def _loglogistic_score(y: Any, eta: Any, parameters: Parameters) -> Any:
    return special.ndtri_expit(_log_residual(y, eta, parameters))


def _loglogistic_log_density(y: Any, eta: Any, parameters: Parameters) -> Any:
    w = _log_residual(y, eta, parameters)
    both = special.log_expit(w) + special.log_expit(-w)
    return both - special.log(parameters["sigma"]) - special.log(y)


def _beta_shapes(eta: Any, parameters: Parameters) -> tuple[Any, Any]:
    phi = parameters["phi"]
    return phi * special.expit(eta), phi * special.expit(-eta)


def _beta_score(y: Any, eta: Any, parameters: Parameters) -> Any:
    a, b = _beta_shapes(eta, parameters)
    return special.beta_score(a, b, y, 1.0 - y)


def _beta_log_density(y: Any, eta: Any, parameters: Parameters) -> Any:
    a, b = _beta_shapes(eta, parameters)
    constant = special.gammaln(a + b) - special.gammaln(a) - special.gammaln(b)
    return constant + (a - 1.0) * special.log(y) + (b - 1.0) * special.log1p(-y)


def _beta_value(e: Any, eta: Any, parameters: Parameters) -> Any:
    a, b = _beta_shapes(eta, parameters)
    e = np.clip(e, -_REACH, _REACH)
    from_below = sp.betaincinv(a, b, sp.ndtr(e))
    from_above = 1.0 - sp.betaincinv(b, a, sp.ndtr(-e))
    # The smaller tail has the digits, unless the value itself is small.
    value = np.where((e < 0.0) | ((e < 5.0) & (from_above < 1e-3)), from_below, from_above)
    # Zero and one lie outside the support, and round-off reaches both.
    return np.clip(value, np.finfo(float).tiny, 1.0 - 2.0**-53)


def _binary_score(threshold: Any, y: Any) -> Any:
    return special.where(y < 0, -FAR, special.where(y < 1, threshold, FAR))


def _cutpoint(y: Any, cutpoints: Any) -> Any:
    """Cutpoint above category y; the categories are on axis 0 of the cutpoints."""
    if special.is_tensor(y, cutpoints):
        return special.cutpoint(y, cutpoints, FAR)
    cutpoints = np.asarray(cutpoints, dtype=float)
    ends = np.full((1, *cutpoints.shape[1:]), FAR)
    padded = np.concatenate([-ends, cutpoints, ends])
    category = np.asarray(y).astype(int) + 1
    if category.ndim and cutpoints.ndim > 1:  # rows against draws
        category = category[..., 0]
    return padded[category]


def _ordered_value(score: Callable[..., Any]) -> Callable[..., Any]:
    def value(e: Any, eta: Any, parameters: Parameters) -> Any:
        below = [score(j, eta, parameters) for j in range(len(parameters["cutpoints"]))]
        return np.sum([e > threshold for threshold in below], axis=0).astype(float)

    return value


def _ordered_mean(above: Callable[[Any], Any]) -> Callable[..., Any]:
    """Mean of the categories' scores; ``above(x)`` is P(latent residual > -x)."""

    def mean(eta: Any, parameters: Parameters) -> Any:
        scores = parameters["scores"]
        total = scores[0]
        for j, cut in enumerate(parameters["cutpoints"]):
            total = total + (scores[j + 1] - scores[j]) * above(eta - cut)
        return total

    return mean


def _poisson_score(y: Any, eta: Any, parameters: Parameters) -> Any:
    rate, top = special.exp(eta), special.maximum(y, 0.0) + 1.0
    return special.where(y < 0.0, -FAR, -special.gamma_score(top, rate))


def _poisson_log_density(y: Any, eta: Any, parameters: Parameters) -> Any:
    return y * eta - special.exp(eta) - special.gammaln(y + 1.0)


def _poisson_value(e: Any, eta: Any, parameters: Parameters) -> Any:
    e, rate = np.broadcast_arrays(np.asarray(e, dtype=float), np.exp(eta))
    value = np.asarray(stats.poisson.ppf(sp.ndtr(np.minimum(e, _POISSON_REACH)), rate))
    far = e > _POISSON_REACH
    if not far.any():
        return value
    # SciPy takes upper quantiles from 1 - q. P(Y <= y) is a chi-squared tail.
    e, rate = e[far], rate[far]
    y = np.maximum(np.ceil(0.5 * sp.chdtriv(sp.ndtr(-e), 2.0 * rate) - 1.0), 0.0)
    while (high := _poisson_score(y - 1.0, np.log(rate), parameters) >= e).any():
        y = y - high
    while (low := _poisson_score(y, np.log(rate), parameters) < e).any():
        y = y + low
    value[far] = y
    return value


def _negative_binomial_score(y: Any, eta: Any, parameters: Parameters) -> Any:
    alpha, top = parameters["alpha"], special.maximum(y, 0.0) + 1.0
    log_odds = special.log(alpha) - eta
    p, q = special.expit(log_odds), special.expit(-log_odds)
    return special.where(y < 0.0, -FAR, special.beta_score(alpha, top, p, q))


def _negative_binomial_log_density(y: Any, eta: Any, parameters: Parameters) -> Any:
    alpha = parameters["alpha"]
    log_odds = special.log(alpha) - eta
    constant = special.gammaln(y + alpha) - special.gammaln(alpha) - special.gammaln(y + 1.0)
    return constant + alpha * special.log_expit(log_odds) + y * special.log_expit(-log_odds)


def _negative_binomial_value(e: Any, eta: Any, parameters: Parameters) -> Any:
    alpha = parameters["alpha"]
    return _quantile(stats.nbinom(alpha, sp.expit(np.log(alpha) - eta)), e)


def _binomial_score(y: Any, eta: Any, parameters: Parameters) -> Any:
    trials = parameters["trials"]
    inner = special.maximum(special.minimum(y, trials - 1.0), 0.0)
    p, q = special.expit(eta), special.expit(-eta)
    inside = special.beta_score(trials - inner, inner + 1.0, q, p)
    return special.where(y < 0.0, -FAR, special.where(y < trials, inside, FAR))


def _binomial_log_density(y: Any, eta: Any, parameters: Parameters) -> Any:
    trials = parameters["trials"]
    constant = special.gammaln(trials + 1.0) - special.gammaln(y + 1.0)
    constant = constant - special.gammaln(trials - y + 1.0)
    return constant + y * special.log_expit(eta) + (trials - y) * special.log_expit(-eta)


def _quantile(distribution: Any, e: Any) -> Any:
    """Quantile at a normal score, from the tail that keeps the digits."""
    lower = distribution.ppf(sp.ndtr(np.minimum(e, 0.0)))
    return np.where(e < 0.0, lower, distribution.isf(sp.ndtr(-np.maximum(e, 0.0))))


# --- conditional means given the mediator's score -------------------------------------------


def _lognormal_conditional(e: Any, eta: Any, rho: Any, parameters: Parameters) -> Any:
    sigma = parameters["sigma"]
    return np.exp(eta + rho * sigma * e + 0.5 * (1.0 - rho**2) * sigma**2)


# --- default priors, from the response on the scale of the linear predictor -----------------


def _scale_prior(working: np.ndarray) -> Prior:
    return Prior("Exponential", scale=float(working.std()))


def _degrees_prior(working: np.ndarray) -> Prior:
    return Prior("TruncatedNormal", mu=2.0, sigma=30.0, lower=2.0)


def _positive_prior(working: np.ndarray) -> Prior:
    return Prior("LogNormal", mu=1.0, sigma=1.5)


# --- supports -------------------------------------------------------------------------------


def _positive(y: np.ndarray) -> np.ndarray:
    return np.isfinite(y) & (y > 0.0)


def _whole(y: np.ndarray) -> np.ndarray:
    return np.isfinite(y) & (y >= 0.0) & (y == np.floor(y))


def _is_binary(y: np.ndarray) -> np.ndarray:
    return (y == 0) | (y == 1)


# --- exponential moments of mediators -------------------------------------------------------


def _never_unless_flat(slope: Any, eta: Any, parameters: Parameters) -> Any:
    return slope == 0.0


def _only_falling(slope: Any, eta: Any, parameters: Parameters) -> Any:
    return slope <= 0.0


def _gamma_moment(slope: Any, eta: Any, parameters: Parameters) -> Any:
    return slope * np.exp(eta) < parameters["shape"]


def _negative_binomial_moment(slope: Any, eta: Any, parameters: Parameters) -> Any:
    return np.expm1(slope) * np.exp(eta) < parameters["alpha"]


# --- the families ---------------------------------------------------------------------------

GAUSSIAN = Family(
    name="gaussian",
    kind="continuous",
    score=_residual,
    value=lambda e, eta, parameters: eta + parameters["sigma"] * e,
    mean=lambda eta, parameters: eta,
    log_density=_gaussian_log_density,
    parameters={"sigma": _scale_prior},
    valid=np.isfinite,
    domain="finite numbers",
    link="identity",
    working=lambda y: y,
    latent="free",
    additive=True,
    scale="sigma",
    conditional=lambda e, eta, rho, parameters: eta + rho * parameters["sigma"] * e,
)

STUDENT_T = Family(
    name="student_t",
    kind="continuous",
    score=_student_t_score,
    value=_student_t_value,
    mean=lambda eta, parameters: eta,
    log_density=_student_t_log_density,
    parameters={"sigma": _scale_prior, "nu": _degrees_prior},
    lower={"nu": 2.0},
    valid=np.isfinite,
    domain="finite numbers",
    link="identity",
    working=lambda y: y,
    additive=True,
    scale="sigma",
    exponential_moment=_never_unless_flat,
)

TOBIT = Family(
    name="tobit",
    kind="continuous",
    score=_residual,
    value=lambda e, eta, parameters: eta + parameters["sigma"] * e,
    mean=lambda eta, parameters: eta,
    log_density=_gaussian_log_density,
    parameters={"sigma": _scale_prior},
    valid=np.isfinite,
    domain="finite numbers, censored at known limits",
    link="identity",
    working=lambda y: y,
    takes=("lower", "upper"),
    latent="free",
    additive=True,
    scale="sigma",
    conditional=lambda e, eta, rho, parameters: eta + rho * parameters["sigma"] * e,
    outcome_only=True,
)

LOGNORMAL = Family(
    name="lognormal",
    kind="continuous",
    score=_log_residual,
    value=lambda e, eta, parameters: np.exp(eta + parameters["sigma"] * e),
    mean=lambda eta, parameters: np.exp(eta + 0.5 * parameters["sigma"] ** 2),
    log_density=_lognormal_log_density,
    parameters={"sigma": _scale_prior},
    valid=_positive,
    domain="positive numbers",
    link="log",
    working=np.log,
    takes=("event",),
    latent="free",
    multiplicative=True,
    scale="sigma",
    conditional=_lognormal_conditional,
    exponential_moment=_only_falling,
)

GAMMA = Family(
    name="gamma",
    kind="continuous",
    score=_gamma_score,
    value=_gamma_value,
    mean=lambda eta, parameters: np.exp(eta),
    log_density=_gamma_log_density,
    parameters={"shape": _positive_prior},
    valid=_positive,
    domain="positive numbers",
    link="log",
    working=np.log,
    takes=("event",),
    multiplicative=True,
    exponential_moment=_gamma_moment,
)

WEIBULL = Family(
    name="weibull",
    kind="continuous",
    score=_weibull_score,
    value=lambda e, eta, parameters: np.exp(eta + parameters["sigma"] * np.log(-sp.log_ndtr(-e))),
    mean=lambda eta, parameters: np.exp(eta) * sp.gamma(1.0 + parameters["sigma"]),
    log_density=_weibull_log_density,
    parameters={"sigma": _scale_prior},
    valid=_positive,
    domain="positive numbers",
    link="log",
    working=np.log,
    takes=("event",),
    multiplicative=True,
    scale="sigma",
    outcome_only=True,
)

LOGLOGISTIC = Family(
    name="loglogistic",
    kind="continuous",
    score=_loglogistic_score,
    value=lambda e, eta, parameters: np.exp(
        eta + parameters["sigma"] * (sp.log_ndtr(e) - sp.log_ndtr(-e))
    ),
    mean=lambda eta, parameters: np.exp(eta) / np.sinc(parameters["sigma"]),
    log_density=_loglogistic_log_density,
    parameters={"sigma": _scale_prior},
    valid=_positive,
    domain="positive numbers",
    link="log",
    working=np.log,
    takes=("event",),
    multiplicative=True,
    scale="sigma",
    finite_mean=lambda parameters: parameters["sigma"] < 1.0,
    outcome_only=True,
)

BETA = Family(
    name="beta",
    kind="continuous",
    score=_beta_score,
    value=_beta_value,
    mean=lambda eta, parameters: special.expit(eta),
    log_density=_beta_log_density,
    parameters={"phi": _positive_prior},
    valid=lambda y: (y > 0.0) & (y < 1.0),
    domain="numbers strictly between 0 and 1",
    link="logit",
    coefficient_scale=2.5,
)

PROBIT = Family(
    name="probit",
    kind="binary",
    score=lambda y, eta, parameters: _binary_score(-eta, y),
    value=lambda e, eta, parameters: np.where(e > -eta, 1.0, 0.0),
    mean=lambda eta, parameters: special.ndtr(eta),
    valid=_is_binary,
    domain="0 and 1",
    link="probit",
    coefficient_scale=1.5,
    latent="unit",
)

LOGIT = Family(
    name="logit",
    kind="binary",
    score=lambda y, eta, parameters: _binary_score(special.ndtri_expit(-eta), y),
    value=lambda e, eta, parameters: np.where(e > special.ndtri_expit(-eta), 1.0, 0.0),
    mean=lambda eta, parameters: special.expit(eta),
    valid=_is_binary,
    domain="0 and 1",
    link="logit",
    coefficient_scale=2.5,
)


def _ordered_probit_score(y: Any, eta: Any, parameters: Parameters) -> Any:
    return _cutpoint(y, parameters["cutpoints"]) - eta


def _ordered_logit_score(y: Any, eta: Any, parameters: Parameters) -> Any:
    x = _cutpoint(y, parameters["cutpoints"]) - eta
    far = abs(x) > 0.5 * FAR
    return special.where(far, x, special.ndtri_expit(special.where(far, 0.0, x)))


ORDERED_PROBIT = Family(
    name="ordered_probit",
    kind="ordered",
    score=_ordered_probit_score,
    value=_ordered_value(_ordered_probit_score),
    mean=_ordered_mean(sp.ndtr),
    parameters={"cutpoints": lambda working: Prior("Normal", mu=0.0, sigma=2.0)},
    valid=_whole,
    domain="ordered categories",
    link="probit",
    coefficient_scale=1.5,
    latent="unit",
)

ORDERED_LOGIT = Family(
    name="ordered_logit",
    kind="ordered",
    score=_ordered_logit_score,
    value=_ordered_value(_ordered_logit_score),
    mean=_ordered_mean(sp.expit),
    parameters={"cutpoints": lambda working: Prior("Normal", mu=0.0, sigma=3.5)},
    valid=_whole,
    domain="ordered categories",
    link="logit",
    coefficient_scale=2.5,
)

POISSON = Family(
    name="poisson",
    kind="count",
    score=_poisson_score,
    value=_poisson_value,
    mean=lambda eta, parameters: np.exp(eta),
    log_density=_poisson_log_density,
    valid=_whole,
    domain="whole numbers from 0",
    link="log",
    working=lambda y: np.log(y + 0.5),
    takes=("exposure",),
)

NEGATIVE_BINOMIAL = Family(
    name="negative_binomial",
    kind="count",
    score=_negative_binomial_score,
    value=_negative_binomial_value,
    mean=lambda eta, parameters: np.exp(eta),
    log_density=_negative_binomial_log_density,
    parameters={"alpha": _positive_prior},
    valid=_whole,
    domain="whole numbers from 0",
    link="log",
    working=lambda y: np.log(y + 0.5),
    takes=("exposure",),
    exponential_moment=_negative_binomial_moment,
)

BINOMIAL = Family(
    name="binomial",
    kind="count",
    score=_binomial_score,
    value=lambda e, eta, parameters: _quantile(stats.binom(parameters["trials"], sp.expit(eta)), e),
    mean=lambda eta, parameters: parameters["trials"] * special.expit(eta),
    log_density=_binomial_log_density,
    valid=_whole,
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


def resolve_family(family: "str | Family", equation: str) -> Family:
    """Return the family constant of a name; a Family is returned as it is.

    Raises
    ------
    ValueError
        If no family has that name, or it cannot stand in that equation.
    """
    if not isinstance(family, Family) and (not isinstance(family, str) or family not in FAMILIES):
        raise ValueError(
            f"{equation}_family={family!r} is not a family; choose one of {sorted(FAMILIES)}, or "
            "give a bm.Family."
        )
    found = family if isinstance(family, Family) else FAMILIES[family]
    if equation == "mediator" and found.outcome_only:
        raise ValueError(
            f"The {found.name} family is for outcomes; choose a mediator family among "
            f"{sorted(name for name, one in FAMILIES.items() if not one.outcome_only)}."
        )
    return found
