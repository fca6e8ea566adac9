"""Structural priors along the map: weights that carry draws at one rho to another."""

from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr

from bayesmed.families.prior import Prior, log_density

#: Above this the weights are not to be trusted (Vehtari et al. 2024).
LARGEST_PARETO_K = 0.7


def outcome_log_prior(
    priors: Mapping[str, Prior], terms: list[str], basis: np.ndarray
) -> Callable[[np.ndarray, np.ndarray | None], np.ndarray]:
    """Log prior density of the outcome's coefficients and scale.

    ``f(coef, sigma)`` of shapes (S, term) and (S,) or None has the shape (S,). Priors, by term and by
    ``"sigma"``, are those of ``basis @ coef``.
    """
    own = {name: log_density(priors[name]) for name in (*terms, "sigma") if name in priors}

    def log_prior(coef: np.ndarray, sigma: np.ndarray | None) -> np.ndarray:
        values = dict(zip(terms, (coef @ basis.T).T, strict=True))
        values["sigma"] = np.ones(len(coef)) if sigma is None else sigma
        return np.asarray(sum(of(values[name]) for name, of in own.items()))

    return log_prior


def smooth_and_resample(
    log_ratio: np.ndarray, shape: tuple[int, int], seed: int
) -> tuple[np.ndarray, float]:
    """Pareto-smooth importance ratios and resample systematically to equal weights.

    Parameters
    ----------
    log_ratio : numpy.ndarray
        Log target minus log proposal of each draw, shape (S,).
    shape : tuple of int
        Chains and draws.

    Returns
    -------
    index : numpy.ndarray
        Draws to keep, shape (S,), in their order.
    pareto_k : float

    References
    ----------
    Vehtari, A., Simpson, D., Gelman, A., Yao, Y., & Gabry, J. (2024). Pareto smoothed
    importance sampling. Journal of Machine Learning Research, 25(72), 1-58.
    """
    import arviz_stats  # noqa: F401 - registers the azstats accessor

    if np.ptp(log_ratio) < 1e-12:
        return np.arange(log_ratio.size), float("-inf")
    ratio = xr.DataArray(log_ratio.reshape(shape), dims=("chain", "draw"))
    log_weights, pareto_k = (-ratio).azstats.psislw(dim=["chain", "draw"])
    weights = np.exp(log_weights.to_numpy().ravel())
    weights = weights / weights.sum()
    size = weights.size
    points = (np.arange(size) + np.random.default_rng(seed).random()) / size
    index = np.minimum(np.searchsorted(np.cumsum(weights), points), size - 1)
    return index, float(pareto_k)
