"""The regression of a numeric treatment on the covariates of both equations."""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from bayesmed.system.rows import Counterfactuals
from bayesmed.system.system import System

#: Relative size below which a column, or what is left of the treatment, is rounding.
_RANK = 1e-9


@dataclass(frozen=True)
class TreatmentEquation:
    """Posterior draws of the Gaussian regression of the treatment on the covariates.

    Attributes
    ----------
    coef : numpy.ndarray
        Shape (S, column).
    sigma : numpy.ndarray
        Shape (S,).
    """

    coef: np.ndarray
    sigma: np.ndarray


def treatment_equation(
    treatment: np.ndarray, covariates: np.ndarray, size: int, rng: np.random.Generator
) -> TreatmentEquation:
    r"""Exact draws of the posterior under the reference prior.

    .. math::

        T = W \alpha + e, \quad e \sim N(0, \sigma_t^2), \qquad
        p(\alpha, \sigma_t^2) \propto \sigma_t^{-2},

    the limit of the conjugate normal-inverse-gamma prior, so that :math:`\sigma_t^2` is the
    residual sum of squares over a chi-square of n minus the number of columns, and
    :math:`\alpha` normal around least squares given :math:`\sigma_t`.

    Parameters
    ----------
    treatment : numpy.ndarray
        Shape (obs,).
    covariates : numpy.ndarray
        W with a constant, of full rank; shape (obs, column).
    size : int
        Number of draws.

    References
    ----------
    Gelman, A., et al. (2013). Bayesian data analysis (3rd ed.). CRC Press. Section 14.2.
    """
    n, width = covariates.shape
    orthogonal, triangle = linalg.qr(covariates, mode="economic")
    middle = orthogonal.T @ treatment
    left = float(np.sum((treatment - orthogonal @ middle) ** 2))
    if n <= width or left <= _RANK * n * treatment.var():
        raise ValueError(
            "The covariates determine the treatment: nothing is left of it that could be as good as "
            "random, or confounded. Leave out the covariates that repeat it, or use fewer of them."
        )
    sigma = np.sqrt(left / rng.chisquare(n - width, size))
    rotated = middle[:, None] + sigma * rng.standard_normal((width, size))
    return TreatmentEquation(linalg.solve_triangular(triangle, rotated).T, sigma)


@dataclass(frozen=True)
class Covariates:
    """Columns of both designs that hold neither treatment nor mediator, and a constant."""

    mediator: np.ndarray
    outcome: np.ndarray
    kept: np.ndarray

    def observed(self, model: System) -> np.ndarray:
        return self._bind(*(one.design.matrix for one in model.equations.values()))

    def counterfactual(self, rows: Counterfactuals) -> np.ndarray:
        assert rows.outcome.base is not None
        return self._bind(rows.mediator.design[0], rows.outcome.base[0])

    def _bind(self, mediator: np.ndarray, outcome: np.ndarray) -> np.ndarray:
        parts = [np.ones(len(mediator)), mediator[:, self.mediator], outcome[:, self.outcome]]
        return np.column_stack(parts)[:, self.kept]


def treatment_covariates(model: System) -> Covariates:
    treatment, name = model.treatment, model.only_mediator.name
    mediator, outcome = (
        ~(one.design.holding(treatment) | one.design.holding(name))
        for one in model.equations.values()
    )
    every = np.arange(1 + mediator.sum() + outcome.sum())
    whole = Covariates(mediator, outcome, every).observed(model)
    kept: list[int] = []
    for j in every:  # the first of those that repeat others, so that the constant stays
        if np.linalg.matrix_rank(_scaled(whole[:, [*kept, j]]), tol=_RANK * len(whole)) > len(kept):
            kept.append(int(j))
    return Covariates(mediator, outcome, np.array(kept))


def _scaled(columns: np.ndarray) -> np.ndarray:
    return columns / np.sqrt((columns**2).mean(axis=0))
