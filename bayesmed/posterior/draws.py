"""Posterior draws of both equations as plain arrays."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Draws:
    """Posterior draws of both equations, flattened to one axis of length S, the last one.

    Attributes
    ----------
    mediator_coef, outcome_coef : numpy.ndarray
        Shapes (S, mediator_term) and (S, outcome_term), structural.
    mediator_parameters, outcome_parameters : dict of str to numpy.ndarray
        Each family's other parameters, shape (S,); cutpoints have shape (category - 1, S).
    rho : numpy.ndarray
        Residual correlation, shape (S,).
    mediator_sigma_coef, outcome_sigma_coef : numpy.ndarray or None
        Coefficients of log sigma where it has a regression, shape (S, sigma_term); sigma is
        then not among the parameters.
    index : numpy.ndarray or None
        Which draws of the fit these are, where some were left out, shape (S,).
    """

    mediator_coef: np.ndarray
    mediator_parameters: dict[str, np.ndarray]
    outcome_coef: np.ndarray
    outcome_parameters: dict[str, np.ndarray]
    rho: np.ndarray
    mediator_sigma_coef: np.ndarray | None = None
    outcome_sigma_coef: np.ndarray | None = None
    index: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.rho)

    def block(self, part: slice | np.ndarray) -> "Draws":
        """Some of the draws."""
        first, second = self.mediator_sigma_coef, self.outcome_sigma_coef
        return Draws(
            self.mediator_coef[part],
            {name: value[..., part] for name, value in self.mediator_parameters.items()},
            self.outcome_coef[part],
            {name: value[..., part] for name, value in self.outcome_parameters.items()},
            self.rho[part],
            None if first is None else first[part],
            None if second is None else second[part],
            None if self.index is None else self.index[part],
        )
