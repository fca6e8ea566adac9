"""Fits made by hand: a model, and whatever draws a test wants its posterior to be."""

import functools

import numpy as np
import pandas as pd
import xarray as xr
from scipy import optimize, stats

import bayesmed as bm
from bayesmed.effects.setting import Setting
from bayesmed.posterior.arrays import constant_data
from bayesmed.posterior.draws import Draws, EquationDraws
from bayesmed.system.about import describe
from bayesmed.system.rows import Counterfactuals, EquationRows
from tests.support.oracles import PARAMETERS

CHAINS = 2


def pair_of(mediator, outcome):
    """Families by name, or as they are, by the equations' keys."""
    both = {"mediator": mediator, "outcome": outcome}
    return {key: bm.FAMILIES[name] if isinstance(name, str) else name
            for key, name in both.items()}  # fmt: skip


def hand_draws(mediator, outcome, rho):
    """Draws of two equations, each (coefficients, parameters[, coefficients of log sigma])."""
    return Draws({"mediator": EquationDraws(*mediator), "outcome": EquationDraws(*outcome)}, rho)


def hand_rows(families, mediator, own=None, weights=None, **outcome):
    """Rows of two equations: the mediator's design and what else it has, and the outcome's fields."""
    rows = {
        "mediator": EquationRows(families["mediator"], mediator, **(own or {})),
        "outcome": EquationRows(families["outcome"], **outcome),
    }
    return Counterfactuals(rows, weights)


#: Rows of hand_made, and limits of its tobit outcomes.
ROWS = 3
LIMITS = {"lower": -0.3, "upper": 1.0}


def hand_made(mediator, outcome, rho, seed=3):
    """Rows with T x M, and one draw, of a pair of families."""
    rng = np.random.default_rng(seed)
    x, one = rng.normal(size=ROWS), np.ones(ROWS)
    m_rows = np.stack([np.column_stack([one, t * one, x]) for t in (0, 1)])
    base = np.stack([np.column_stack([one, t * one, x, 0 * one, 0 * one]) for t in (0, 1)])
    slope = np.zeros_like(base)
    slope[:, :, 3], slope[1, :, 4] = 1.0, 1.0
    columns = {}
    if outcome == "tobit":
        columns = {name: np.full(ROWS, value) for name, value in LIMITS.items()}
    if outcome == "binomial":
        columns = {"trials": np.full(ROWS, PARAMETERS["trials"])}
    families, design = pair_of(mediator, outcome), {"base": base, "slope": slope}
    if families["mediator"].kind == "ordered":
        design = {"by_level": np.stack([base + j * slope for j in range(4)], axis=1)}
    rows = hand_rows(families, m_rows, **design, columns=columns)
    own = [
        {name: np.asarray(PARAMETERS[name])[..., None] for name in bm.FAMILIES[f].parameters}
        for f in (mediator, outcome)
    ]
    coefs = np.array([[-0.2, 0.6, 0.2]]), np.array([[0.1, 0.3, 0.2, 0.35, 0.1]])
    draws = hand_draws(*zip(coefs, own, strict=True), np.array([rho]))
    return rows, draws


def hand_fit(model, **arrays):
    """A fit whose posterior is the arrays, of shape (S, ...), cut into two chains."""
    data = constant_data(model)
    dims = {
        "mediator_coef": ("mediator_term",), "outcome_coef": ("outcome_term",),
        "outcome_cutpoints": ("outcome_cut",),
    }  # fmt: skip
    posterior = xr.Dataset(
        {
            name: (
                ("chain", "draw", *dims.get(name, ())),
                np.reshape(values, (CHAINS, -1, *np.shape(values)[1:])),
            )
            for name, values in arrays.items()
        }
    )
    observed = {
        name: ("obs", model.equations[name].response.values) for name in ("mediator", "outcome")
    }
    tree = xr.DataTree.from_dict({
        "posterior": posterior, "sample_stats": xr.Dataset(),
        "observed_data": xr.Dataset(observed), "constant_data": data,
    })  # fmt: skip
    about = describe(model).saying(
        sampler="hand", settings={"random_seed": 3}, interrupted=False, fit="hand", versions={}
    )
    tree.attrs["bayesmed"] = about.to_json()
    return bm.MediationFit(tree, model)


@functools.cache
def _small():
    rows = pd.DataFrame({"t": [0, 1] * 4, "m": np.arange(8.0) ** 2, "y": np.arange(8.0) ** 3})
    return describe(bm.MediationModel(rows, mediator="m ~ t", outcome="y ~ m + t", treatment="t"))


def told(**said):
    """The attributes of results that are of no fit."""
    return {"bayesmed": Setting(**vars(_small())).saying(**said).to_json()}


def least_squares(matrix, y):
    """Coefficients and residual sd (divisor n)."""
    coef = np.linalg.lstsq(matrix, y)[0]
    return coef, np.sqrt(np.mean((y - matrix @ coef) ** 2))


def probit_mle(matrix, y):
    """Coefficients of a probit regression by maximum likelihood, with the exact gradient."""
    sign = 2.0 * y - 1.0

    def loss(b):
        eta = sign * (matrix @ b)
        log = stats.norm.logcdf(eta)
        ratio = np.exp(stats.norm.logpdf(eta) - log)
        return -log.mean(), -(matrix.T @ (sign * ratio)) / len(y)

    found = optimize.minimize(loss, np.zeros(matrix.shape[1]), jac=True, method="BFGS")
    return found.x


def point_fit(model, size=8):
    """A fit whose draws are all the same: the estimates by least squares, or probit."""
    mediator, outcome = (design.matrix for design in model.designs)
    beta, s_m = least_squares(mediator, model.equations["mediator"].response.values)
    arrays = {"mediator_coef": beta, "mediator_sigma": s_m}
    if model.families["outcome"].name == "probit":
        arrays["outcome_coef"] = probit_mle(outcome, model.equations["outcome"].response.values)
    else:
        arrays["outcome_coef"], arrays["outcome_sigma"] = least_squares(
            outcome, model.equations["outcome"].response.values
        )
    return hand_fit(
        model, **{k: np.repeat(np.asarray(v)[None], size, 0) for k, v in arrays.items()}
    )


def value(draws, name, arm="average"):
    """An effect of a fit whose draws are all the same."""
    found = draws[name] if name == "total" else draws[name].sel(arm=arm)
    return float(found.mean())
