"""Posterior draws of the equations as plain arrays."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class EquationDraws:
    """Posterior draws of one equation.

    Attributes
    ----------
    coef : numpy.ndarray
        Shape (S, term), structural.
    parameters : mapping of str to numpy.ndarray
        The family's other parameters, shape (S,); cutpoints have shape (category - 1, S).
    sigma_coef : numpy.ndarray or None
        Coefficients of log sigma where it has a regression, shape (S, sigma_term); sigma is
        then not among the parameters.
    """

    coef: np.ndarray
    parameters: Mapping[str, np.ndarray]
    sigma_coef: np.ndarray | None = None

    def block(self, part: slice | np.ndarray) -> "EquationDraws":
        """Some of the draws."""
        return EquationDraws(
            self.coef[part],
            {name: value[..., part] for name, value in self.parameters.items()},
            None if self.sigma_coef is None else self.sigma_coef[part],
        )


@dataclass(frozen=True)
class Draws:
    """Posterior draws of the equations, flattened to one axis of length S.

    Attributes
    ----------
    equations : mapping of str to EquationDraws
        The outcome's last.
    rho : numpy.ndarray
        Residual correlation, shape (S,).
    index : numpy.ndarray or None
        Which draws of the fit these are, where some were left out, shape (S,).
    """

    equations: Mapping[str, EquationDraws]
    rho: np.ndarray
    index: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.rho)

    @property
    def mediator(self) -> EquationDraws:
        """Those of the mediator's equation."""
        return self.equations["mediator"]

    @property
    def outcome(self) -> EquationDraws:
        """Those of the outcome's equation."""
        return self.equations["outcome"]

    def changed(self, key: str, **fields: Any) -> "Draws":
        """The same with other coefficients or parameters of one equation."""
        own = replace(self.equations[key], **fields)
        return replace(self, equations={**self.equations, key: own})

    def block(self, part: slice | np.ndarray) -> "Draws":
        """Some of the draws."""
        return Draws(
            {key: own.block(part) for key, own in self.equations.items()},
            self.rho[part],
            None if self.index is None else self.index[part],
        )
