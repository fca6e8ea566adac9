"""One equation of a system."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bayesmed.data.design import Design
from bayesmed.data.response import Response
from bayesmed.families.family import Family
from bayesmed.families.prior import Prior


@dataclass(frozen=True, eq=False)
class Equation:
    """How one response depends on what comes before it, on the complete rows.

    Attributes
    ----------
    key : str
        Names the equation, and is the prefix of its draws and arrays.
    family : Family
    design : Design
        Of the linear predictor.
    response : Response
    sigma : Design or None
        Of log sigma, where it has a regression.
    parents : tuple of str
        Keys of the equations whose responses stand in this formula.
    data : mapping
        Columns or numbers that were stated beside the formula, by what they are.
    priors : dict of str to dict
        Those in use by the names of :attr:`designs`; the family's parameters are among the first.
    basis : dict of str to numpy.ndarray
        By the same names the matrix, of shape (term, term), whose product with the coefficients is
        what their priors speak of.
    """

    key: str
    family: Family
    design: Design
    response: Response
    sigma: Design | None = None
    parents: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    priors: dict[str, dict[str, Prior]] = field(default_factory=dict)
    basis: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The response's column."""
        return self.design.parsed.response

    @property
    def designs(self) -> dict[str, Design]:
        """By the key, and of log sigma by the key and ``_sigma``."""
        own = {self.key: self.design}
        return own if self.sigma is None else {**own, f"{self.key}_sigma": self.sigma}


def edges(equations: Mapping[str, Equation]) -> list[tuple[Equation, Equation]]:
    """Every parent with every equation in whose formula it stands."""
    return [(equations[key], one) for one in equations.values() for key in one.parents]
