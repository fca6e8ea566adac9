"""Scores, densities, quantiles and moments of the families, each a plain function.

All take ``parameters``, a mapping by name; scores and densities take NumPy arrays and PyTensor
tensors alike, quantiles (``..._value``) arrays only. :mod:`bayesmed.families.catalogue` puts them together.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special as sp

from bayesmed.families.family import FAR, Parameters
from bayesmed.families.prior import Prior
from bayesmed.numerics import special

#: Where exp(w) of a Weibull hazard is cut off, and where it is too small for log1mexp.
_LARGEST, _SMALLEST = 500.0, -25.0
#: SciPy's quantiles of Student's t and of the beta distribution fail further out, at odds of
#: 1e-89, and stay there; those of Poisson counts lose digits further out.
_REACH, _POISSON_REACH = 20.0, 4.0
_MOST_HALVINGS = 64

# --- normal scores and densities ------------------------------------------------------------


def residual(y: Any, eta: Any, parameters: Parameters) -> Any:
    return (y - eta) / parameters["sigma"]


def log_residual(y: Any, eta: Any, parameters: Parameters) -> Any:
    return (special.log(y) - eta) / parameters["sigma"]


def gaussian_log_density(y: Any, eta: Any, parameters: Parameters) -> Any:
    sigma = parameters["sigma"]
    return -0.5 * ((y - eta) / sigma) ** 2 - special.log(sigma) - special.LOG_SQRT_2PI


def lognormal_log_density(y: Any, eta: Any, parameters: Parameters) -> Any:
    log_y = special.log(y)
    return gaussian_log_density(log_y, eta, parameters) - log_y


def student_t_score(y: Any, eta: Any, parameters: Parameters) -> Any:
    nu, t = parameters["nu"], residual(y, eta, parameters)
    near = abs(t) < 0.01
    # At the centre, where a tail of one half says little, the series of F and of Phi^{-1}.
    inner = special.where(near, t, 0.0)
    square = inner * inner
    series = 1.0 - (nu + 1.0) / (6.0 * nu) * square * (1.0 - 0.15 * (nu + 3.0) / nu * square)
    scaled = special.exp(student_t_constant(nu) + special.LOG_SQRT_2PI) * inner * series
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


def student_t_constant(nu: Any) -> Any:
    half = special.gammaln(0.5 * (nu + 1.0)) - special.gammaln(0.5 * nu)
    return half - 0.5 * special.log(nu * np.pi)


def student_t_log_density(y: Any, eta: Any, parameters: Parameters) -> Any:
    nu, t = parameters["nu"], residual(y, eta, parameters)
    constant = student_t_constant(nu) - special.log(parameters["sigma"])
    return constant - 0.5 * (nu + 1.0) * special.log1p(t * t / nu)


def student_t_value(e: Any, eta: Any, parameters: Parameters) -> Any:
    nu, near = parameters["nu"], np.minimum(np.abs(e), _REACH)
    # Further out than SciPy inverts, the power law of the tail.
    further = np.exp((sp.log_ndtr(-near) - sp.log_ndtr(-np.abs(e))) / nu)
    tail = sp.stdtrit(nu, sp.ndtr(-near)) * further
    return eta + parameters["sigma"] * np.where(e < 0.0, tail, -tail)


def gamma_score(y: Any, eta: Any, parameters: Parameters) -> Any:
    shape = parameters["shape"]
    x = shape * y * special.exp(-eta)
    return special.gamma_score(shape, x)


def gamma_log_density(y: Any, eta: Any, parameters: Parameters) -> Any:
    shape, log_y = parameters["shape"], special.log(y)
    x = shape * special.exp(log_y - eta)
    return shape * (special.log(shape) + log_y - eta) - x - log_y - special.gammaln(shape)


def gamma_value(e: Any, eta: Any, parameters: Parameters) -> Any:
    shape = parameters["shape"]
    lower = sp.gammaincinv(shape, sp.ndtr(np.minimum(e, 0.0)))
    upper = sp.gammainccinv(shape, sp.ndtr(-np.maximum(e, 0.0)))
    return np.exp(eta) * np.where(e < 0.0, lower, upper) / shape


def weibull_score(y: Any, eta: Any, parameters: Parameters) -> Any:
    w = log_residual(y, eta, parameters)
    hazard = weibull_hazard(w)
    tiny = w < _SMALLEST
    log_lower = special.where(tiny, w, special.log1mexp(special.where(tiny, -1.0, -hazard)))
    return special.score_of_logs(log_lower, -hazard)


def weibull_hazard(w: Any) -> Any:
    return special.exp(special.minimum(w, _LARGEST))


def weibull_log_density(y: Any, eta: Any, parameters: Parameters) -> Any:
    w = log_residual(y, eta, parameters)
    return w - weibull_hazard(w) - special.log(parameters["sigma"]) - special.log(y)


def loglogistic_score(y: Any, eta: Any, parameters: Parameters) -> Any:
    return special.ndtri_expit(log_residual(y, eta, parameters))


def loglogistic_log_density(y: Any, eta: Any, parameters: Parameters) -> Any:
    w = log_residual(y, eta, parameters)
    both = special.log_expit(w) + special.log_expit(-w)
    return both - special.log(parameters["sigma"]) - special.log(y)


def beta_shapes(eta: Any, parameters: Parameters) -> tuple[Any, Any]:
    phi = parameters["phi"]
    return phi * special.expit(eta), phi * special.expit(-eta)


def beta_score(y: Any, eta: Any, parameters: Parameters) -> Any:
    a, b = beta_shapes(eta, parameters)
    return special.beta_score(a, b, y, 1.0 - y)


def beta_log_density(y: Any, eta: Any, parameters: Parameters) -> Any:
    a, b = beta_shapes(eta, parameters)
    constant = special.gammaln(a + b) - special.gammaln(a) - special.gammaln(b)
    return constant + (a - 1.0) * special.log(y) + (b - 1.0) * special.log1p(-y)


def beta_value(e: Any, eta: Any, parameters: Parameters) -> Any:
    a, b = beta_shapes(eta, parameters)
    e = np.clip(e, -_REACH, _REACH)
    from_below = sp.betaincinv(a, b, sp.ndtr(e))
    from_above = 1.0 - sp.betaincinv(b, a, sp.ndtr(-e))
    # The smaller tail has the digits, unless the value itself is small.
    value = np.where((e < 0.0) | ((e < 5.0) & (from_above < 1e-3)), from_below, from_above)
    # Zero and one lie outside the support, and round-off reaches both.
    return np.clip(value, np.finfo(float).tiny, 1.0 - 2.0**-53)


def binary_score(threshold: Any, y: Any) -> Any:
    return special.where(y < 0, -FAR, special.where(y < 1, threshold, FAR))


def cutpoint(y: Any, cutpoints: Any) -> Any:
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


def ordered_probit_score(y: Any, eta: Any, parameters: Parameters) -> Any:
    return cutpoint(y, parameters["cutpoints"]) - eta


def ordered_logit_score(y: Any, eta: Any, parameters: Parameters) -> Any:
    x = cutpoint(y, parameters["cutpoints"]) - eta
    far = abs(x) > 0.5 * FAR
    return special.where(far, x, special.ndtri_expit(special.where(far, 0.0, x)))


def ordered_value(score: Callable[..., Any]) -> Callable[..., Any]:
    def value(e: Any, eta: Any, parameters: Parameters) -> Any:
        below = [score(j, eta, parameters) for j in range(len(parameters["cutpoints"]))]
        return np.sum([e > threshold for threshold in below], axis=0).astype(float)

    return value


def ordered_mean(above: Callable[[Any], Any]) -> Callable[..., Any]:
    """Mean of the categories' scores; ``above(x)`` is P(latent residual > -x)."""

    def mean(eta: Any, parameters: Parameters) -> Any:
        scores = parameters["scores"]
        total = scores[0]
        for cut, rise in zip(parameters["cutpoints"], np.diff(scores), strict=True):
            if rise != 0.0:  # of one category all but two are
                total = total + rise * above(eta - cut)
        return total

    return mean


def poisson_score(y: Any, eta: Any, parameters: Parameters) -> Any:
    rate, top = special.exp(eta), special.maximum(y, 0.0) + 1.0
    return special.where(y < 0.0, -FAR, -special.gamma_score(top, rate))


def poisson_log_density(y: Any, eta: Any, parameters: Parameters) -> Any:
    return y * eta - special.exp(eta) - special.gammaln(y + 1.0)


def poisson_value(e: Any, eta: Any, parameters: Parameters) -> Any:
    from scipy import stats

    e, rate = np.broadcast_arrays(np.asarray(e, dtype=float), np.exp(eta))
    value = np.asarray(stats.poisson.ppf(sp.ndtr(np.minimum(e, _POISSON_REACH)), rate))
    far = e > _POISSON_REACH
    if not far.any():
        return value
    # SciPy takes upper quantiles from 1 - q. Bisect between its last one and Bernstein's bound.
    e, rate, low = e[far], rate[far], value[far] - 1.0
    high = np.ceil(rate + (e + 1.0) * np.sqrt(rate) + (e + 1.0) ** 2)
    for _ in range(_MOST_HALVINGS):
        if not (high - low > 1.0).any():
            break
        middle = np.floor(0.5 * (low + high))
        enough = poisson_score(middle, np.log(rate), parameters) >= e
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    value[far] = high
    return value


def negative_binomial_score(y: Any, eta: Any, parameters: Parameters) -> Any:
    alpha, top = parameters["alpha"], special.maximum(y, 0.0) + 1.0
    log_odds = special.log(alpha) - eta
    p, q = special.expit(log_odds), special.expit(-log_odds)
    return special.where(y < 0.0, -FAR, special.beta_score(alpha, top, p, q))


def negative_binomial_log_density(y: Any, eta: Any, parameters: Parameters) -> Any:
    alpha = parameters["alpha"]
    log_odds = special.log(alpha) - eta
    constant = special.gammaln(y + alpha) - special.gammaln(alpha) - special.gammaln(y + 1.0)
    return constant + alpha * special.log_expit(log_odds) + y * special.log_expit(-log_odds)


def negative_binomial_value(e: Any, eta: Any, parameters: Parameters) -> Any:
    from scipy import stats

    alpha = parameters["alpha"]
    return quantile(stats.nbinom(alpha, sp.expit(np.log(alpha) - eta)), e)


def binomial_score(y: Any, eta: Any, parameters: Parameters) -> Any:
    trials = parameters["trials"]
    inner = special.maximum(special.minimum(y, trials - 1.0), 0.0)
    p, q = special.expit(eta), special.expit(-eta)
    inside = special.beta_score(trials - inner, inner + 1.0, q, p)
    return special.where(y < 0.0, -FAR, special.where(y < trials, inside, FAR))


def binomial_log_density(y: Any, eta: Any, parameters: Parameters) -> Any:
    trials = parameters["trials"]
    constant = special.gammaln(trials + 1.0) - special.gammaln(y + 1.0)
    constant = constant - special.gammaln(trials - y + 1.0)
    return constant + y * special.log_expit(eta) + (trials - y) * special.log_expit(-eta)


def binomial_value(e: Any, eta: Any, parameters: Parameters) -> Any:
    from scipy import stats

    return quantile(stats.binom(parameters["trials"], sp.expit(eta)), e)


def quantile(distribution: Any, e: Any) -> Any:
    """Quantile at a normal score, from the tail that keeps the digits."""
    if np.ndim(e) == 0:
        return distribution.ppf(sp.ndtr(e)) if e < 0.0 else distribution.isf(sp.ndtr(-e))
    lower = distribution.ppf(sp.ndtr(np.minimum(e, 0.0)))
    return np.where(e < 0.0, lower, distribution.isf(sp.ndtr(-np.maximum(e, 0.0))))


# --- conditional means given the mediator's score -------------------------------------------


def lognormal_conditional(e: Any, eta: Any, rho: Any, parameters: Parameters) -> Any:
    sigma = parameters["sigma"]
    return np.exp(eta + rho * sigma * e + 0.5 * (1.0 - rho**2) * sigma**2)


# --- default priors, from the response on the scale of the linear predictor -----------------


def scale_prior(working: np.ndarray) -> Prior:
    return Prior("Exponential", scale=float(working.std()))


def degrees_prior(working: np.ndarray) -> Prior:
    return Prior("TruncatedNormal", mu=2.0, sigma=30.0, lower=2.0)


def positive_prior(working: np.ndarray) -> Prior:
    return Prior("LogNormal", mu=1.0, sigma=1.5)


# --- supports -------------------------------------------------------------------------------


def positive(y: np.ndarray) -> np.ndarray:
    return np.isfinite(y) & (y > 0.0)


def whole(y: np.ndarray) -> np.ndarray:
    return np.isfinite(y) & (y >= 0.0) & (y == np.floor(y))


def is_binary(y: np.ndarray) -> np.ndarray:
    return (y == 0) | (y == 1)


# --- exponential moments of mediators -------------------------------------------------------


def never_unless_flat(slope: Any, eta: Any, parameters: Parameters) -> Any:
    return slope == 0.0


def only_falling(slope: Any, eta: Any, parameters: Parameters) -> Any:
    return slope <= 0.0


def gamma_moment(slope: Any, eta: Any, parameters: Parameters) -> Any:
    return slope * np.exp(eta) < parameters["shape"]


def negative_binomial_moment(slope: Any, eta: Any, parameters: Parameters) -> Any:
    return np.expm1(slope) * np.exp(eta) < parameters["alpha"]
