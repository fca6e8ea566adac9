"""Counterfactual means of every pair of families against quadrature, simulation and each other."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, special, stats

from bayesmed import surface
from bayesmed.design import Counterfactuals
from bayesmed.families import FAMILIES
from bayesmed.family import Family
from bayesmed.potential import Draws, cell_means, mediator_effect

ARMS = (0, 1)
CUTS, SCORES = np.array([-0.8, 0.3, 1.1]), np.array([0.0, 1.0, 2.5, 3.0])
PARAMETERS = {
    "sigma": 0.7, "nu": 4.5, "shape": 2.4, "phi": 5.0, "alpha": 1.7, "cutpoints": CUTS,
}  # fmt: skip
TRIALS = 6.0
# Slopes in a mediator, large enough to matter, small enough for the moments that must exist.
SLOPE = {"gamma": 0.25, "negative_binomial": 0.15, "poisson": 0.2, "beta": 1.5}
FALLING = {"lognormal"}
LOG_LINK = {"lognormal", "gamma", "weibull", "loglogistic", "poisson", "negative_binomial"}


def rows_and_draws(pair, rho, n=3, size=1, seed=0, **fields):
    """Rows of an intercept and a covariate, with the mediator's slope differing by arm.

    Mediator columns: 1, x, t. Outcome columns: 1, x, t, m, t m.
    """
    rng = np.random.default_rng(seed)
    x, one = rng.normal(0.0, 0.8, n), np.ones(n)
    mediator = np.stack([np.column_stack([one, x, t * one]) for t in ARMS])
    base = np.stack([np.column_stack([one, x, t * one, 0 * one, 0 * one]) for t in ARMS])
    slope = np.stack([np.column_stack([0 * one] * 3 + [one, t * one]) for t in ARMS])
    if FAMILIES[pair[0]].kind == "ordered":
        levels = np.stack([base + m * slope for m in range(4)], axis=1)
        fields = {"by_level": levels, **fields}
        base = slope = None
    if pair[1] == "binomial":
        fields = {"outcome_columns": {"trials": np.full(n, TRIALS)}, **fields}
    if "ordered" in pair[1]:
        fields = {"outcome_columns": {"scores": SCORES}, **fields}
    g = SLOPE.get(pair[0], 0.5) * (1.0 if pair[1] in LOG_LINK else 2.0)
    if pair[0] in FALLING:
        g = -0.3
    coefs = np.array([0.2, 0.5, 0.4, g, -0.4 * g if g > 0 else 0.4 * g])
    jitter = rng.normal(0.0, 0.05, (size, 8)) * (np.arange(size) > 0)[:, None]
    draws = Draws(
        np.array([0.3, 0.4, 0.5]) + jitter[:, :3], own(pair[0], size),
        coefs * (1.0 + jitter[:, 3:]), own(pair[1], size), np.full(size, rho),
    )  # fmt: skip
    return Counterfactuals(mediator, base, slope, **fields), draws


def own(name, size):
    return {
        key: np.repeat(np.reshape(PARAMETERS[key], (-1, 1)), size, axis=1).squeeze(axis=0)
        if key != "cutpoints" else np.repeat(CUTS[:, None], size, axis=1)
        for key in FAMILIES[name].parameters
    }  # fmt: skip


# --- an oracle: adaptive quadrature over the mediator's score -------------------------------


def outcome_given(family, eta, e, rho, parameters):
    """E[Y | eta, e_m = e]: a trapezoid over the outcome's score, or sums over its values."""
    k = np.sqrt(1.0 - rho**2)
    if family.kind == "continuous":
        z = np.linspace(-14.0, 14.0, 71)
        values = sum(stats.norm._pdf(u) * family.value(rho * e + k * u, eta, parameters) for u in z)
        return values * (z[1] - z[0])
    last = {"binary": 1, "ordered": 3}.get(family.kind, 150)
    last = int(TRIALS) if family.name == "binomial" else last
    known = SCORES if family.kind == "ordered" else np.arange(last + 1.0)
    total, below = 0.0, 0.0
    for y in range(last + 1):
        upper = special.ndtr((family.score(float(y), eta, parameters) - rho * e) / k)
        total, below = total + known[y] * (upper - below), upper
    return total


def truth(pair, rows, draws, eta_at=None, last=120):
    """The four cells of the first draw by quadrature, with nothing of the engine."""
    first, second = (FAMILIES[name] for name in pair)
    given = [{k: v[..., 0] for k, v in p.items()} for p in (draws.mediator_parameters, draws.outcome_parameters)]
    given[1] |= {k: np.asarray(v) for k, v in rows.outcome_columns.items()}
    rho, cells = draws.rho[0], np.empty((2, 2))
    for t in ARMS:
        for s in ARMS:
            eta_m = rows.mediator[s] @ draws.mediator_coef[0]
            cells[t, s] = cell_truth(
                first, second, given, rho, eta_m, lambda m: outcome_eta(rows, draws, t, m), last
            )
    return cells


def outcome_eta(rows, draws, t, m):
    coef = draws.outcome_coef[0]
    if rows.by_level is not None:
        return rows.by_level[t][int(m)] @ coef
    return rows.base[t] @ coef + (rows.slope[t] @ coef) * m


def cell_truth(first, second, given, rho, eta_m, eta, last):
    def at(e, m):
        return stats.norm._pdf(e) * outcome_given(second, eta(m), e, rho, given[1])

    if first.kind == "continuous":
        values, _ = integrate.quad_vec(
            lambda e: at(e, first.value(e, eta_m, given[0])), -9.0, 9.0, 1e-10, 1e-9, norm="max"
        )
        return values.mean()
    count, total = {"binary": 2, "ordered": 4}.get(first.kind, last), 0.0
    for m in range(count):
        ends = [np.clip(first.score(float(j), eta_m, given[0]), -9.0, 9.0) for j in (m - 1, m)]
        width = ends[1] - ends[0]
        if width.max() > 0.0:
            total += integrate.quad_vec(
                lambda u: width * at(ends[0] + width * u, m), 0.0, 1.0, 1e-11, 1e-9, norm="max"
            )[0]  # fmt: skip
    return np.mean(total)
