"""The mode of a compiled log-density, the curvature there, and draws that start from both."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy import linalg

from bayesmed.posterior import density as compiled
from bayesmed.posterior.weights import smooth_and_resample
from bayesmed.system.system import System

#: Steps of finite differences, in posterior standard deviations.
_DIFFERENCE = 0.01
#: Squared distance to the mode that counts as none, in posterior standard deviations.
_AT_MODE = 1e-6
_MOST_STEPS = 80
#: A curvature serves until a step promises more than this share of the one before.
_SLOW = 0.25
_SMALLEST_STEP = 1e-6
#: Degrees of freedom of the proposal: tails heavier than the posterior's.
_FREEDOM = 12
#: Candidates beyond the draws, among which each chain finds its start.
_STARTS = 50
#: Steps for each kept draw where the data have at most so many numbers; one step elsewhere.
_STEPS, _FEW = 4, 40_000


class Density(Protocol):
    """What is asked of a log-density; see :class:`bayesmed.posterior.density.LogDensity`."""

    @property
    def start(self) -> np.ndarray: ...
    @property
    def size(self) -> int: ...
    def at(self, point: np.ndarray) -> tuple[float, np.ndarray]: ...
    def batch(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]: ...
    def values(self, points: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class Laplace:
    """A normal approximation of a posterior: its mode, and minus the Hessian there."""

    mode: np.ndarray
    precision: np.ndarray


@dataclass(frozen=True)
class LaplaceDraws:
    """Draws by independence Metropolis-Hastings.

    Attributes
    ----------
    points : numpy.ndarray
        In the sampler's coordinates, shape (chain, draw, dim).
    stats : dict of str to numpy.ndarray
        ``accepted``, a share, and ``lp``; shape (chain, draw).
    pareto_k : float
        Of the importance weights of the proposals; infinite where no mode was found.
    """

    points: np.ndarray
    stats: dict[str, np.ndarray]
    pareto_k: float


def laplace_draws(
    model: System, settings: Mapping[str, Any], progress: bool = False
) -> LaplaceDraws:
    r"""Draw from a multivariate t around the mode, and accept by the exact density.

    A candidate x with weight :math:`w = p(x) / q(x)` replaces the draw before with probability
    :math:`\min(1, w / w_{before})`, so that the chain's target is the posterior itself.

    References
    ----------
    Tierney, L. (1994). Markov chains for exploring posterior distributions. The Annals of
    Statistics, 22(4), 1701-1728.

    Vehtari, A., Simpson, D., Gelman, A., Yao, Y., & Gabry, J. (2024). Pareto smoothed
    importance sampling. Journal of Machine Learning Research, 25(72), 1-58.
    """
    chains, draws = settings["chains"], settings["draws"]
    whole = compiled.log_density(model, progress)
    density: Density = whole if model.passes is None else model.passes.density(whole)
    found = find_mode(density, model.size)
    if found is None:
        return LaplaceDraws(np.empty((chains, 0, density.start.size)), {}, np.inf)
    rng = np.random.default_rng(settings["random_seed"])
    steps = _STEPS if density.size <= _FEW else 1
    shape = (chains, _STARTS + steps * draws)
    candidates, log_proposal = _propose(found, rng, shape)
    flat = candidates.reshape(-1, candidates.shape[-1])
    # Small data are not worth a second compilation, of the density without its gradient.
    values = density.values(flat) if density.size > _FEW else density.batch(flat)[0]
    log_weight = np.where(np.isfinite(values), values, -np.inf) - log_proposal.ravel()
    finite = np.isfinite(log_weight)
    if not finite.any():
        return LaplaceDraws(np.empty((chains, 0, density.start.size)), {}, np.inf)
    log_weight -= log_weight[finite].max()
    kept, pareto_k = smooth_and_resample(
        np.maximum(log_weight, -700.0), shape, settings["random_seed"]
    )
    index, accepted = _accept(log_weight, kept, rng, shape)
    index = index[:, steps - 1 :: steps]
    moved = accepted.reshape(chains, draws, steps).mean(axis=-1)
    return LaplaceDraws(flat[index], {"accepted": moved, "lp": values[index]}, pareto_k)


def find_mode(density: Density, rows: int) -> Laplace | None:
    """The mode, with differences taken on the scale of its own curvature."""
    rough = laplace(density, density.start, np.full(density.start.size, 1.0 / np.sqrt(rows)))
    if rough is None:
        return None
    sd = np.sqrt(np.diag(linalg.inv(rough.precision)))
    return laplace(density, rough.mode, sd) if np.all(np.isfinite(sd)) else None


def _propose(
    base: Laplace, rng: np.random.Generator, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Draws of a multivariate t, shape (chain, candidate, dim), and their log-density."""
    dim = base.mode.size
    whitener = linalg.cholesky(base.precision, lower=True).T
    z = rng.standard_normal((*shape, dim))
    stretch = np.sqrt(_FREEDOM / rng.chisquare(_FREEDOM, size=shape))[..., None]
    u = z * stretch
    points = base.mode + linalg.solve_triangular(whitener, u.reshape(-1, dim).T).T.reshape(u.shape)
    log_density = -0.5 * (_FREEDOM + dim) * np.log1p((u * u).sum(axis=-1) / _FREEDOM)
    return np.ascontiguousarray(points), log_density


def _accept(
    log_weight: np.ndarray, kept: np.ndarray, rng: np.random.Generator, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Which candidate each draw is, and whether it was taken; shape (chain, draw)."""
    chains, draws = shape[0], shape[1] - _STARTS
    position = np.arange(log_weight.size).reshape(shape)[:, _STARTS:]
    starts = kept[np.isin(kept % shape[1], np.arange(_STARTS))]
    now = rng.choice(starts if starts.size else kept, size=chains)
    uniform = np.log(rng.random((chains, draws)))
    index, accepted = np.empty((chains, draws), dtype=int), np.empty((chains, draws))
    for i in range(draws):
        new = position[:, i]
        taken = uniform[:, i] < log_weight[new] - log_weight[now]
        now = np.where(taken, new, now)
        index[:, i], accepted[:, i] = now, taken
    return index, accepted


def laplace(density: Density, start: np.ndarray, scale: np.ndarray) -> Laplace | None:
    """Find a mode by Newton's method, and the curvature there.

    A curvature is kept as long as its steps gain well, since it costs two gradients a coordinate.

    Parameters
    ----------
    start : numpy.ndarray
        Shape (dim,).
    scale : numpy.ndarray
        Posterior standard deviation of each coordinate, roughly.

    Returns
    -------
    Laplace or None
        None if there is no mode to be found, or the curvature is not that of a maximum.
    """
    x, last, solve = start, np.inf, None
    value, gradient = density.at(x)
    for _ in range(_MOST_STEPS):
        if not (np.isfinite(value) and np.all(np.isfinite(gradient))):
            return None
        fresh = solve is None
        if solve is None:
            precision = _precision(density, x, scale)
            if not np.all(np.isfinite(precision)) or not precision.any():
                return None
            curvature, solve = _uphill_solver(precision)
        step = scale * solve(scale * gradient)
        promised = float(step @ gradient)
        if promised < _AT_MODE:
            if not fresh:  # the curvature is wanted at the mode itself
                solve, last = None, np.inf
                continue
            flat = curvature[0] <= 1e-10 * curvature[-1]
            return None if flat else Laplace(x, precision / np.outer(scale, scale))
        if not fresh and promised > _SLOW * last:
            solve, last = None, np.inf
            continue
        found = _uphill(density, x, float(value), gradient, step)
        if found is None:
            if fresh:
                return None
            solve, last = None, np.inf
            continue
        (x, value, gradient), last = found, promised
    return None


def _uphill_solver(precision: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Curvatures, and a solver whose steps lead uphill also where the surface is a saddle."""
    curvature, vectors = linalg.eigh(precision)
    size = np.maximum(np.abs(curvature), 1e-10 * np.abs(curvature).max())
    return curvature, lambda gradient: vectors @ ((vectors.T @ gradient) / size)


def _precision(density: Density, x: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Minus the Hessian per posterior sd of each coordinate, by differences of the gradient."""
    ends = x + _DIFFERENCE * np.concatenate([-np.diag(scale), np.diag(scale)])
    before, after = np.split(density.batch(ends)[1], 2)
    hessian = (before - after) * scale / (2.0 * _DIFFERENCE)
    return 0.5 * (hessian + hessian.T)


def _uphill(
    density: Density, x: np.ndarray, value: float, gradient: np.ndarray, step: np.ndarray
) -> tuple[np.ndarray, float, np.ndarray] | None:
    """Halve a step until the log-density rises by a share of what its slope promises."""
    size, slope = 1.0, float(step @ gradient)
    while size > _SMALLEST_STEP:
        there = x + size * step
        new, new_gradient = density.at(there)
        if np.isfinite(new) and float(new) >= value + 1e-4 * size * slope:
            return there, float(new), new_gradient
        size *= 0.5
    return None
