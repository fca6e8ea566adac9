r"""Independent draws from the posterior of two Gaussian regressions with flat priors.

With p(coefficients) constant and p(sigma) constant on the positive numbers, n rows, p columns, the
least-squares estimate b and its residual sum of squares S,

.. math:: \sigma^2 \mid y \sim InvGamma\big(\tfrac{n - p - 1}{2}, \tfrac{S}{2}\big), \qquad
          \beta \mid \sigma, y \sim Normal(b, \sigma^2 (X'X)^{-1}).

References
----------
Gelman, A., Carlin, J. B., Stern, H. S., Dunson, D. B., Vehtari, A., & Rubin, D. B. (2013). Bayesian
Data Analysis (3rd ed.), section 14.2. CRC Press.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import linalg

from bayesmed.posterior import density as compiled
from bayesmed.posterior.graphs import condensed_rows_of
from bayesmed.system.condensed import Rows
from bayesmed.system.system import System


def is_exact(model: System) -> bool:
    """Whether the posterior is that of two Gaussian regressions with flat priors."""
    equations = model.equations.values()
    plain = all(equation.family.is_normal for equation in equations)
    if not (plain and model.independent and all(condensed_rows_of(model).values())):
        return False
    flat = {"Flat", "HalfFlat"}
    return all(
        prior.distribution in flat
        for equation in equations
        for prior in equation.priors[equation.key].values()
    )


def exact_draws(model: System, settings: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Independent draws of every parameter, each of shape (chain, draw, ...)."""
    rng = np.random.default_rng(settings["random_seed"])
    shape = (settings["chains"], settings["draws"])
    suffix = "_rho0" if model.prior_scale == "regression" else ""
    found: dict[str, np.ndarray] = {}
    for key, rows in condensed_rows_of(model).items():
        assert rows is not None
        own = suffix if key == model.last.key else ""
        found[f"{key}_coef{own}"], found[f"{key}_sigma{own}"] = _regression(rows, rng, shape)
    return compiled.constrain(model, compiled.unconstrain(model, found))


def _regression(
    rows: Rows, rng: np.random.Generator, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    root = np.sqrt(rows.weights)
    q, r = linalg.qr(rows.design * root[:, None], mode="economic")
    y, p = rows.values * root, len(r)
    freedom = float(rows.weights.sum()) - p - 1.0  # rows are condensed where it is positive
    squares = float(((y - q @ (q.T @ y)) ** 2).sum())
    sigma = np.sqrt(squares / rng.chisquare(freedom, size=shape))
    z = rng.standard_normal((*shape, p)) * sigma[..., None]
    coef = linalg.solve_triangular(r, (q.T @ y + z).reshape(-1, p).T).T.reshape(*shape, p)
    return coef, sigma
