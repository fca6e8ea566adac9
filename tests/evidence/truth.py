"""The structural model by itself: priors, data, effects and rho*. Imports nothing of bayesmed.

Written from the model's equations with SciPy's distributions, so that an error in a formula of
the package is not repeated here. Counterfactual means integrate over the mediator's score by
Gauss-Legendre between the scores at which a discrete mediator steps.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

#: Nodes of each panel; no panel is wider than one unit of the score.
NODES, REACH = 12, 8.5
ROWS = 100


@dataclass(frozen=True)
class World:
    """One draw from the prior: both equations' coefficients at rho, parameters and data."""

    families: tuple
    mediator: dict
    outcome: dict
    rho: float
    treat: np.ndarray
    x: np.ndarray
    m: np.ndarray
    y: np.ndarray


def mediator_value(family, e, eta, own):
    """Q(Phi(e)) of a mediator; ordered ones are 1, 2, ..."""
    if family == "gaussian":
        return eta + own["sigma"] * e
    if family == "probit":
        return (e > -eta).astype(float)
    if family == "ordered_probit":
        return 1.0 + sum((eta + e > cut).astype(float) for cut in own["cutpoints"])
    return stats.poisson.ppf(np.clip(stats.norm.cdf(e), 0.0, 1.0 - 1e-15), np.exp(eta))


def outcome_value(family, e, eta, own):
    if family == "gaussian":
        return eta + own["sigma"] * e
    if family == "probit":
        return (e > -eta).astype(float)
    if family == "logit":
        return (stats.norm.cdf(e) > special.expit(-eta)).astype(float)
    mean, size = np.exp(eta), own["alpha"]
    return stats.nbinom.ppf(
        np.clip(stats.norm.cdf(e), 0.0, 1.0 - 1e-15), size, size / (size + mean)
    )


def outcome_given(family, e, eta, rho, own):
    """E[Y | the mediator's score e]: of the outcome's score, N(rho e, 1 - rho^2)."""
    k = np.sqrt(1.0 - rho**2)
    if family == "gaussian":
        return eta + own["sigma"] * rho * e
    if family == "probit":
        return stats.norm.cdf((eta + rho * e) / k)
    if family == "logit":
        return stats.norm.cdf((stats.norm.ppf(special.expit(eta)) + rho * e) / k)
    values, place = np.unique(np.broadcast_to(eta, np.shape(e)), return_inverse=True)
    mean, size = np.exp(values), own["alpha"]
    top = int(stats.nbinom.isf(1e-12, size, size / (size + mean.max()))) + 2
    survival = stats.nbinom.sf(np.arange(top)[:, None], size, size / (size + mean))
    scores = stats.norm.ppf(survival)[:, place]  # E[Y] = sum of P(Y > step)
    return special.ndtr((rho * e + scores) / k).sum(axis=0)


def steps_of(family, eta, own):
    """Scores at which the mediator of one unit steps."""
    if family == "gaussian":
        return np.empty(0)
    if family == "probit":
        return np.array([-eta])
    if family == "ordered_probit":
        return np.asarray(own["cutpoints"]) - eta
    top = int(stats.poisson.isf(1e-12, np.exp(eta))) + 1
    return stats.norm.ppf(stats.poisson.cdf(np.arange(top), np.exp(eta)))


def predictor(own, t, x, m=None):
    eta = own["Intercept"] + own["treat"] * t + own["x"] * x
    return eta if m is None else eta + own["m"] * m


def mean_outcome(world, t, s, x):
    """E[Y(t, M(s))] of one unit."""
    family, own = world.families[0], world.mediator
    eta = predictor(own, s, x)
    whole = np.linspace(-REACH, REACH, 18)
    edges = np.concatenate([whole, np.clip(steps_of(family, eta, own), -REACH, REACH)])
    edges = np.unique(edges)
    node, weight = np.polynomial.legendre.leggauss(NODES)
    half = 0.5 * np.diff(edges)[:, None]
    e = (edges[:-1, None] + half + half * node).ravel()
    w = (half * weight).ravel() * stats.norm.pdf(e)
    m = mediator_value(family, e, eta, own)
    given = outcome_given(
        world.families[1], e, predictor(world.outcome, t, x, m), world.rho, world.outcome
    )
    return float(w @ given)


def effects(world):
    """Average-arm ACME and ADE, the total effect, and rho."""
    values, counts = np.unique(world.x, return_counts=True)
    po = {
        (t, s): sum(
            c * mean_outcome(world, t, s, x) for x, c in zip(values, counts, strict=True)
        ) / counts.sum()
        for t in (0, 1) for s in (0, 1)
    }  # fmt: skip
    return {
        "acme": 0.5 * (po[0, 1] - po[0, 0] + po[1, 1] - po[1, 0]),
        "ade": 0.5 * (po[1, 0] - po[0, 0] + po[1, 1] - po[0, 1]),
        "total": po[1, 1] - po[0, 0],
        "rho": world.rho,
    }


def rho_zero(world):
    """Correlation of M and (latent) Y given treatment and x: rho* of two normal equations."""
    s_m, s_y = world.mediator["sigma"], world.outcome.get("sigma", 1.0)
    slope = world.outcome["m"]
    covariance = slope * s_m**2 + world.rho * s_m * s_y
    variance = slope**2 * s_m**2 + 2.0 * slope * world.rho * s_m * s_y + s_y**2
    return covariance / (s_m * np.sqrt(variance))


#: Priors by family: (distribution, parameters in PyMC's names). Intercepts are those at the
#: means of the columns, as the package states them.
LINEAR = {"Intercept": (0.0, 0.8), "treat": (0.3, 0.6), "x": (0.0, 0.5), "m": (0.2, 0.5)}
LOG = {"Intercept": (0.3, 0.4), "treat": (0.2, 0.3), "x": (0.0, 0.2), "m": (0.05, 0.15)}
SIGMA, ALPHA, CUTPOINTS = (6.0, 6.0), (6.0, 2.0), (0.0, 1.0)


def normals(family):
    return LOG if family in ("poisson", "negative_binomial") else LINEAR


def _own(family, rng):
    if family == "gaussian":
        return {"sigma": rng.gamma(SIGMA[0], 1.0 / SIGMA[1])}
    if family == "negative_binomial":
        return {"alpha": rng.gamma(ALPHA[0], 1.0 / ALPHA[1])}
    return {}


def _coefficients(family, columns, rng):
    """A draw from the priors, its intercept taken from the columns' means to zero."""
    found = {n: rng.normal(*normals(family)[n]) for n in ("Intercept", *columns)}
    at_means = sum(found[n] * np.mean(v) for n, v in columns.items())
    if family != "ordered_probit":
        return {**found, "Intercept": found["Intercept"] - at_means}
    cuts = np.sort(rng.normal(*CUTPOINTS, 2)) + at_means
    return {**found, "Intercept": 0.0, "cutpoints": cuts}


def draw_world(families, rho, rng, regression):
    """One world from the prior.

    ``regression`` states the outcome's priors for the regression at rho = 0 (two normal
    equations); the structural coefficients follow from it.
    """
    treat, x = np.arange(ROWS) % 2.0, np.resize([-1.0, -1.0, 0.0, 0.0, 1.5, 1.5], ROWS)
    e_m, z = rng.standard_normal((2, ROWS))
    e_y = rho * e_m + np.sqrt(1.0 - rho**2) * z
    mediator = {
        **_own(families[0], rng),
        **_coefficients(families[0], {"treat": treat, "x": x}, rng),
    }
    m = mediator_value(families[0], e_m, predictor(mediator, treat, x), mediator)
    columns = {"m": m, "treat": treat, "x": x}
    outcome = {**_own(families[1], rng), **_coefficients(families[1], columns, rng)}
    if regression:
        outcome = structural(outcome, mediator, rho)
    y = outcome_value(families[1], e_y, predictor(outcome, treat, x, m), outcome)
    return World(families, mediator, outcome, rho, treat, x, m, y)


def structural(own, mediator, rho):
    """Coefficients at rho of the regression of Y (or its latent variable) on M, T and x.

    E[Y | M] = structural part + rho sigma_y (M - mu_m)/sigma_m, with residual sd sigma_y k; a
    probit regression divides both by k.
    """
    k = np.sqrt(1.0 - rho**2)
    s_y = own["sigma"] / k if "sigma" in own else 1.0
    unit = 1.0 if "sigma" in own else k
    lift = rho * s_y / mediator["sigma"]
    found = {name: unit * own[name] for name in ("Intercept", "treat", "x", "m")}
    found["m"] -= lift
    for name in ("Intercept", "treat", "x"):
        found[name] += lift * mediator[name]
    return {**found, **({"sigma": s_y} if "sigma" in own else {})}
