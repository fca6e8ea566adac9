"""The regression of a numeric treatment on the covariates of both equations."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg

from bayesmed.design import Counterfactuals, Design

if TYPE_CHECKING:
    from bayesmed.model import MediationModel

#: Prior sd of a coefficient, in residual sds per sd of its column.
_WIDE = 100.0
#: Shape of the inverse gamma prior of the residual variance.
_SHAPE = 1e-3
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
    r"""Exact draws of a conjugate posterior.

    .. math::

        T = W \alpha + e, \quad e \sim N(0, \sigma_t^2), \quad
        \alpha_j \mid \sigma_t \sim N(0, (100\, \sigma_t / s_j)^2), \quad
        \sigma_t^2 \sim \text{InvGamma}(10^{-3}, 10^{-3} s_T^2)

    with the columns and the treatment centred, :math:`s_j` and :math:`s_T` their sds, and a flat
    prior of the mean.

    Parameters
    ----------
    treatment : numpy.ndarray
        Shape (obs,).
    covariates : numpy.ndarray
        W, the constant first, of full rank; shape (obs, column).
    size : int
        Number of draws.
    rng : numpy.random.Generator

    Raises
    ------
    ValueError
        If the covariates determine the treatment.

    References
    ----------
    Gelman, A., et al. (2013). Bayesian data analysis (3rd ed.). CRC Press. Section 14.2.
    """
    n, centre, mean = len(treatment), covariates[:, 1:].mean(axis=0), treatment.mean()
    scale = covariates[:, 1:].std(axis=0)
    z, t = (covariates[:, 1:] - centre) / scale, treatment - mean
    precision = z.T @ z + np.eye(z.shape[1]) / _WIDE**2
    middle = np.linalg.solve(precision, z.T @ t)
    left = float(t @ t - middle @ precision @ middle)
    if left <= _RANK * float(t @ t):
        raise ValueError(
            "The covariates determine the treatment: nothing is left of it that could be as good as "
            "random, or confounded. Leave out the covariate that repeats it."
        )
    shape, rate = _SHAPE + 0.5 * (n - 1), _SHAPE * treatment.var() + 0.5 * left
    sigma = np.sqrt(rate / rng.gamma(shape, size=size))
    noise = rng.standard_normal((size, z.shape[1]))
    root = linalg.cholesky(precision)  # upper: precision = root' root
    slope = (middle + sigma[:, None] * linalg.solve_triangular(root, noise.T).T) / scale
    level = mean + sigma / np.sqrt(n) * rng.standard_normal(size) - slope @ centre
    return TreatmentEquation(np.column_stack([level, slope]), sigma)


@dataclass(frozen=True)
class Covariates:
    """Columns of both designs that hold neither treatment nor mediator, and a constant."""

    mediator: np.ndarray
    outcome: np.ndarray
    kept: np.ndarray

    def observed(self, model: "MediationModel") -> np.ndarray:
        return self._bind(*(design.matrix for design in model.designs))

    def counterfactual(self, rows: Counterfactuals) -> np.ndarray:
        assert rows.base is not None
        return self._bind(rows.mediator[0], rows.base[0])

    def _bind(self, mediator: np.ndarray, outcome: np.ndarray) -> np.ndarray:
        parts = [np.ones(len(mediator)), mediator[:, self.mediator], outcome[:, self.outcome]]
        return np.column_stack(parts)[:, self.kept]


def treatment_covariates(model: "MediationModel") -> Covariates:
    mediator, outcome = (
        _free(design, {model.treatment, model.designs[0].parsed.response})
        for design in model.designs
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


def _free(design: Design, variables: set[str]) -> np.ndarray:
    """Which columns hold none of the variables, boolean of shape (term,)."""
    flags: list[bool] = []
    for part in design.spec.structure:
        uses = any(design.uses(part.term, variable) for variable in variables)
        flags.extend([not uses] * len(part.columns))
    return np.array(flags)[design.kept]
