"""The values of rho of a curve, how each is reached, and what the data say about rho."""

from typing import Any

import numpy as np

from bayesmed.effects.assumed import grid_of
from bayesmed.system.about import About

DEFAULT_GRID = np.round(np.linspace(-0.9, 0.9, 37), 10)
EXACT, WEIGHTED, TRANSPORT = "exact map", "reweighted map", "transport"
REFIT, FITTED = "refit", "fitted"


def identification_note(about: About) -> str:
    """What the data say about rho, in one sentence."""
    if about.closed:
        told = "The data say nothing about rho here: every value fits them equally well"
        if about.priors_on == "regression":
            return told + ", and the total effect does not depend on it."
        return (
            told + ". The priors were stated for the structural coefficients: they, not the data, "
            "let effects and their total shift with rho beyond the exact map, and pull on a rho that "
            "has a prior."
        )
    return (
        f"rho is identified by {about.identified_by}. A fit that prefers some rho is no evidence "
        "about confounding."
    )


def check_grid(rho: Any) -> np.ndarray:
    """Sorted distinct values of rho."""
    if rho is None:
        return DEFAULT_GRID
    rule = "strictly between -1 and 1"
    return grid_of(rho, "rho", "(-1, 1)", rule, lambda values: np.abs(values) < 1.0)
