"""What the data cannot tell: numbers that a user fixes or gives a prior, and draws to act on."""

from typing import Any, Protocol, runtime_checkable

import numpy as np

from bayesmed.families.prior import Prior, check_rho, draw_prior
from bayesmed.means.along_rho import Regression, regression_draws
from bayesmed.posterior.draws import Draws
from bayesmed.posterior.state import Posterior
from bayesmed.system.capabilities import refuse


@runtime_checkable
class DrawsRho(Protocol):
    """A prior of rho that follows the posterior, such as :class:`bayesmed.RhoBenchmark`."""

    def draw(self, fit: Posterior, random_seed: int | None = None) -> np.ndarray:
        """One rho for each posterior draw, shape (chain, draw)."""


def closed_regression(fit: Posterior, feature: str) -> Regression:
    """Draws of the regression at rho = 0, where the data say nothing about what is assumed.

    Parameters
    ----------
    feature : str
        One of :data:`bayesmed.system.capabilities.FEATURES` that needs a closed pair.
    """
    refuse(feature, fit)
    found = regression_draws(fit)
    assert found is not None
    return found


def draws_under(fit: Posterior, rho: Any, random_seed: int | None) -> tuple[Draws, str]:
    """Draws of a closed pair at another rho, or under a prior on it, and what to say of it.

    A prior is a number, a :class:`bayesmed.Prior`, or what draws rho for a posterior.
    """
    regression = closed_regression(fit, "rho")
    if isinstance(rho, DrawsRho):
        return regression.at(rho.draw(fit, random_seed).ravel()), f"~ {rho!r}"
    check_rho(rho)
    if not isinstance(rho, Prior):
        return regression.at(float(rho)), stated(rho)
    seed = fit.description.settings["random_seed"] + 1 if random_seed is None else random_seed
    drawn = draw_prior(rho, len(regression.draws), np.random.default_rng(seed))
    return regression.at(drawn), f"~ {rho!r} (the data say nothing about it)"


def fixed_or_drawn(value: float | Prior, size: int, rng: np.random.Generator) -> np.ndarray:
    """One value for each draw, shape (size,): the number itself, or draws of its prior."""
    if isinstance(value, Prior):
        return draw_prior(value, size, rng)
    return np.full(size, float(value))


def stated(value: float | Prior) -> str:
    """A fixed number or a prior, in words."""
    return f"~ {value!r}" if isinstance(value, Prior) else f"set to {value + 0.0:g}"


def grid_of(given: Any, name: str, ends: str, rule: str, inside: Any) -> np.ndarray:
    """Sorted distinct numbers of a range, in which ``inside`` says that they lie."""
    try:
        grid = np.unique(np.round(np.atleast_1d(np.asarray(given, dtype=float)), 12)) + 0.0
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be numbers in {ends}; {given!r} was given.") from None
    if not grid.size or not np.all(np.isfinite(grid) & inside(grid)):
        raise ValueError(f"Every {name} must lie {rule}; {given!r} was given.")
    return grid


def keep_systematically(possible: np.ndarray) -> np.ndarray:
    """Positions of possible draws, evenly repeated to the number of all, in their order.

    Parameters
    ----------
    possible : numpy.ndarray
        Boolean, shape (S,).

    Returns
    -------
    numpy.ndarray
        Shape (S,); 0, 1, ... where every draw is possible.
    """
    positions = np.flatnonzero(possible)
    return positions[np.arange(possible.size) * positions.size // possible.size]
