"""Simulations with a known omitted confounder, and fits whose posterior is one point."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy import optimize, special, stats

import bayesmed as bm
from bayesmed.posterior.arrays import constant_data
from bayesmed.system.about import describe
from tests.support.models import quiet_model

MEDIATOR, OUTCOME = "m ~ t + x + z", "y ~ m + t + x + z"
TRUTH = {"beta": np.array([-0.2, 0.5, 0.3, 0.6]), "theta": np.array([0.3, 0.2, -0.4, 0.5])}
SLOPE = 0.4


@dataclass(frozen=True)
class World:
    """Data without the confounder u, and what the confounder does in truth."""

    data: pd.DataFrame
    rho: float
    residual_shares: tuple[float, float]
    total_shares: tuple[float, float]
    outcome_sd: float


def world(n=100_000, times=1.0, sign=1.0, binary=(False, False), seed=1, theta=0.5, scale=1.0):
    """An omitted u that is `times` as strong as z, whose residual variance given t and x is 1.

    m* = (1, t, x, z) beta + sqrt(times) 0.6 u + e, and y* = 0.4 m + (1, t, x, z) theta +
    sign sqrt(times) theta_z u + e', m and y being m* and y* or whether they are positive.
    """
    rng = np.random.default_rng(seed)
    t = rng.integers(0, 2, n)
    x = rng.normal(size=n) + 0.5 * t
    z = rng.normal(size=n) + 0.4 * x
    columns = np.column_stack([np.ones(n), t, x, z])
    effect = np.array([*TRUTH["theta"][:3], theta])
    u = np.sqrt(times) * rng.normal(size=n)
    in_m, in_y = 0.6 * u, sign * theta * u
    e_m, e_y = in_m + scale * rng.normal(size=n), in_y + scale * rng.normal(size=n)
    latent_m = columns @ TRUTH["beta"] + e_m
    m = (latent_m > 0).astype(float) if binary[0] else latent_m
    latent_y = SLOPE * m + columns @ effect + e_y
    y = (latent_y > 0).astype(float) if binary[1] else latent_y
    return World(
        pd.DataFrame({"t": t, "x": x, "z": z, "m": m, "y": y}),
        np.corrcoef(e_m, e_y)[0, 1],
        (in_m.var() / e_m.var(), in_y.var() / e_y.var()),
        (in_m.var() / latent_m.var(), in_y.var() / latent_y.var()),
        e_y.std(),
    )


def model_of(data, mediator=MEDIATOR, outcome=OUTCOME, **arguments):
    return quiet_model(data, mediator=mediator, outcome=outcome, treatment="t", **arguments)


def families(binary):
    names = ("mediator_family", "outcome_family")
    return {name: "probit" for name, flag in zip(names, binary, strict=True) if flag}


def made_fit(model, **draws):
    """A fit whose posterior is the draws, each of shape (S, ...), as two chains."""
    dims = {"mediator_coef": ("mediator_term",), "outcome_coef": ("outcome_term",),
            "mediator_cutpoints": ("cut",)}  # fmt: skip
    posterior = xr.Dataset({
        name: (("chain", "draw", *dims.get(name, ())), np.reshape(v, (2, -1, *np.shape(v)[1:])))
        for name, v in draws.items()
    })  # fmt: skip
    observed = xr.Dataset(
        {e: ("obs", model.equations[e].response.values) for e in ("mediator", "outcome")}
    )
    tree = xr.DataTree.from_dict({
        "posterior": posterior, "sample_stats": xr.Dataset(), "observed_data": observed,
        "constant_data": constant_data(model),
    })  # fmt: skip
    about = describe(model).saying(
        sampler="made", settings={"random_seed": 5}, interrupted=False, fit="made", versions={}
    )
    tree.attrs["bayesmed"] = about.to_json()
    return bm.MediationFit(tree, model)


def regression(columns, y, binary, logistic=False):
    """Coefficients and residual sd by least squares or by maximum likelihood of a 0/1 response."""
    if not binary:
        coef = np.linalg.lstsq(columns, y)[0]
        return coef, (y - columns @ coef).std()
    law = stats.logistic if logistic else stats.norm
    sign = 2.0 * y - 1.0

    def loss(b):
        eta = sign * (columns @ b)
        log = law.logcdf(eta)
        return -log.mean(), -(columns.T @ (sign * np.exp(law.logpdf(eta) - log))) / len(y)

    found = optimize.minimize(loss, np.zeros(columns.shape[1]), jac=True, method="BFGS")
    return found.x, 1.0


def point_fit(model, size=8, **replaced):
    """A fit at rho = 0 whose draws all are the estimates of the two regressions."""
    found = {}
    for name, equation in model.equations.items():
        if f"{name}_coef" in replaced:
            continue
        binary, logit = equation.family.kind == "binary", equation.family.name == "logit"
        design, y = equation.design.matrix, equation.response.values
        coef, sd = regression(design, y, binary, logit)
        found[f"{name}_coef"] = coef
        if not binary:
            found[f"{name}_sigma"] = sd
    found |= replaced
    return made_fit(model, **{k: np.repeat(np.asarray(v)[None], size, 0) for k, v in found.items()})


def posterior_fit(model, size=400, seed=2):
    """A fit of two Gaussian equations with its exact posterior under flat priors."""
    rng, found = np.random.default_rng(seed), {}
    for name, design in zip(("mediator", "outcome"), model.designs, strict=True):
        x, y = design.matrix, model.equations[name].response.values
        coef, sd = regression(x, y, False)
        sigma = sd * np.sqrt(len(y) / rng.chisquare(len(y) - x.shape[1], size))
        root = np.linalg.cholesky(np.linalg.inv(x.T @ x))
        noise = rng.normal(size=(size, x.shape[1])) @ root.T
        found |= {f"{name}_coef": coef + sigma[:, None] * noise, f"{name}_sigma": sigma}
    return made_fit(model, **found)


def normal_scores_known(eta):
    """Variance of E[e | M] of a probit mediator with linear predictor eta."""
    p = special.ndtr(eta)
    return float(np.mean(stats.norm.pdf(eta) ** 2 / (p * (1.0 - p))))
