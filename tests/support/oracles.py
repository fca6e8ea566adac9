"""The families once more, by SciPy's distributions: what the package's are tested against."""

import numpy as np
from scipy import special, stats

from bayesmed.numerics.rectangle import log_rectangle
from bayesmed.numerics.special import exp

#: One value of each parameter.
PARAMETERS = {
    "sigma": 0.8,
    "nu": 4.5,
    "shape": 2.3,
    "alpha": 1.7,
    "phi": 6.0,
    "cutpoints": np.array([-0.7, 0.4, 1.5]),
    "trials": 7.0,
    "scores": np.array([1.0, 2.0, 3.0, 4.0]),
}


class Ordered:
    """Categories 0, 1, ... of a latent law cut at points."""

    def __init__(self, latent, eta, cutpoints):
        self.edges = np.concatenate([[-np.inf], cutpoints, [np.inf]])
        self.latent, self.eta = latent, eta

    def cdf(self, y):
        return self.latent.cdf(self.edges[np.asarray(y, dtype=int) + 1] - self.eta)

    def sf(self, y):
        return self.latent.sf(self.edges[np.asarray(y, dtype=int) + 1] - self.eta)

    def pmf(self, y):
        return self.cdf(y) - self.cdf(np.asarray(y) - 1)

    def logpmf(self, y):
        return np.log(self.pmf(y))

    def support(self):
        return np.arange(len(self.edges) - 1.0)


class Loglogistic:
    """SciPy's fisk loses the digits of its upper tail; its logistic does not."""

    def __init__(self, eta, sigma):
        self.log, self.itself = stats.logistic(eta, sigma), stats.fisk(1 / sigma, scale=np.exp(eta))

    def __getattr__(self, name):
        if name in ("cdf", "sf", "logcdf", "logsf"):
            return lambda y: getattr(self.log, name)(np.log(y))
        return getattr(self.itself, name)


def law(name, eta, **parameters):
    """The distribution of a family at a linear predictor, as SciPy has it."""
    p = {**PARAMETERS, **parameters}
    laws = {
        "gaussian": lambda: stats.norm(eta, p["sigma"]),
        "tobit": lambda: stats.norm(eta, p["sigma"]),
        "student_t": lambda: stats.t(p["nu"], eta, p["sigma"]),
        "lognormal": lambda: stats.lognorm(p["sigma"], scale=np.exp(eta)),
        "gamma": lambda: stats.gamma(p["shape"], scale=np.exp(eta) / p["shape"]),
        "weibull": lambda: stats.weibull_min(1.0 / p["sigma"], scale=np.exp(eta)),
        "loglogistic": lambda: Loglogistic(eta, p["sigma"]),
        "beta": lambda: stats.beta(p["phi"] * special.expit(eta), p["phi"] * special.expit(-eta)),
        "probit": lambda: stats.bernoulli(stats.norm.cdf(eta)),
        "logit": lambda: stats.bernoulli(special.expit(eta)),
        "poisson": lambda: stats.poisson(np.exp(eta)),
        "negative_binomial": lambda: stats.nbinom(
            p["alpha"], p["alpha"] / (p["alpha"] + np.exp(eta))
        ),
        "binomial": lambda: stats.binom(p["trials"], special.expit(eta)),
        "ordered_probit": lambda: Ordered(stats.norm, eta, p["cutpoints"]),
        "ordered_logit": lambda: Ordered(stats.logistic, eta, p["cutpoints"]),
    }
    return laws[name]()


def own_parameters(family, values=PARAMETERS):
    """The parameters and columns that a family reads."""
    names = [*family.parameters, *family.needs]
    names += ["scores"] if family.kind == "ordered" else []
    return {name: values[name] for name in names}


def bvn_cdf(h, l, rho):
    """P(Z1 <= h, Z2 <= l) as a rectangle of the package, arrays or tensors."""
    return exp(log_rectangle(-np.inf, h, -np.inf, l, rho))
