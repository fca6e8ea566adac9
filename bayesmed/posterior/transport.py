r"""Draws at one rho carried to another: affine Laplace transport with importance weights.

Pairs that are not closed have no exact map along rho, but their posteriors at two values of
rho have nearly the same shape. In the sampler's coordinates let :math:`x_r` be the mode at r,
:math:`P_r` minus the Hessian there, and :math:`P_0 = W'W` at the fit's own rho. The draws
go through

.. math:: x' = x_r + W^{-1} (W P_r^{-1} W')^{1/2} W (x - x_0),

which takes one Laplace approximation to the other by the shortest way in the metric of the
first, and get the weights :math:`p_r(x') / p_0(x)`; the Jacobian is constant. Only the number
rho changes among the data of the compiled log-density.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy import linalg

from bayesmed.posterior import density as compiled
from bayesmed.posterior.density import LogDensity
from bayesmed.posterior.draws import Draws
from bayesmed.posterior.laplace import Laplace, laplace
from bayesmed.posterior.state import Posterior, draws_of
from bayesmed.posterior.weights import smooth_and_resample
from bayesmed.system.system import System

#: Longest step of the walk along atanh(rho), so that Newton's method starts near the mode.
_STRIDE = 0.25
#: Log weight below the largest of a draw whose density is zero or cannot be computed.
_NO_WEIGHT = -700.0
#: Log weights that differ by no more than this have no tail to fit.
_EQUAL = 1e-6


@dataclass(frozen=True, eq=False)
class Transport:
    """Draws of a fit at its own rho, ready to be carried to others.

    Attributes
    ----------
    fit : Posterior
        At a fixed rho, with its model.
    model : System
        The same at some rho that is not zero, where the log-density takes rho as data.
    density : LogDensity
        Of that model.
    rho : float
        The fit's own.
    kept : numpy.ndarray
        Which draws, shape (chain, draw).
    points : numpy.ndarray
        These in the sampler's coordinates, shape (S, dim).
    log_density : numpy.ndarray
        At them, for the fit's rho, shape (S,).
    base : Laplace or None
        At the fit's rho; None where no mode was found.
    """

    fit: Posterior
    model: System
    density: LogDensity
    rho: float
    kept: np.ndarray
    points: np.ndarray
    log_density: np.ndarray
    base: Laplace | None

    def modes(self, grid: np.ndarray) -> dict[float, Laplace]:
        """Laplace approximations along rho, followed outward from the fit's own.

        Values whose mode was not found are left out.
        """
        found: dict[float, Laplace] = {}
        if self.base is None:
            return found
        scale = self.points.std(axis=0)
        for side in (grid[grid > self.rho], grid[grid < self.rho][::-1]):
            last = self.base
            for rho in _walk(self.rho, side):
                target = laplace(self.density.at_rho(rho), last.mode, scale)
                if target is None:
                    continue
                last = target
                if rho in side:
                    found[rho] = target
        return found

    def to(self, target: Laplace) -> np.ndarray:
        """Carry the draws to the rho of another approximation, in the sampler's coordinates."""
        assert self.base is not None
        return move(self.points, self.base, target)

    def log_ratio(self, points: np.ndarray, rho: float) -> np.ndarray:
        """Logarithms of the weights of carried draws, shape (S,)."""
        return self.density.at_rho(rho).values(points) - self.log_density

    def resample(self, log_ratio: np.ndarray) -> tuple[np.ndarray, float]:
        """Which carried draws to keep, shape (S,), and the weights' k-hat."""
        finite = np.isfinite(log_ratio)
        if not finite.any():
            return np.arange(len(log_ratio)), np.inf
        most = log_ratio[finite].max()
        ratio = np.where(finite, log_ratio, most + _NO_WEIGHT)
        if np.ptp(ratio) < _EQUAL:
            ratio[:] = 0.0
        seed = self.fit.description.settings["random_seed"]
        return smooth_and_resample(ratio, self.kept.shape, seed)

    def draws(self, points: np.ndarray, rho: float) -> Draws:
        """Carried draws as parameters, before their resampling."""
        own = self.fit.posterior
        arrays = compiled.constrain(self.model, points.reshape(*self.kept.shape, -1))
        variables = {
            name: (own[name].transpose("chain", "draw", ...).dims, arrays[str(name)])
            for name in own
        }
        coords = {n: c for n, c in own.coords.items() if "draw" not in c.dims}
        return draws_of(xr.Dataset(variables, coords), rho, self.fit.description.parameters)


def prepare(fit: Posterior, grid: np.ndarray, kept: np.ndarray) -> Transport:
    """Make the draws of a fit ready to be carried along a grid.

    Parameters
    ----------
    fit : Posterior
        At a fixed rho.
    grid : numpy.ndarray
        Values of rho, one of which or the fit's own is not zero.
    kept : numpy.ndarray
        Which draws to carry, shape (chain, draw).
    """
    model, rho = fit.require_model("transport"), fit.description.rho_fixed
    assert rho is not None
    # At zero the compiled log-density is that of two regressions, which knows no rho.
    some = next(float(value) for value in (rho, *grid) if value != 0.0)
    at_some = model if some == rho else model.with_rho(some)
    own = fit.posterior
    arrays = {str(n): own[n].transpose("chain", "draw", ...).to_numpy() for n in own}
    points = compiled.unconstrain(at_some, arrays)
    points = points.reshape(-1, points.shape[-1])[kept.ravel()]
    density = compiled.log_density(at_some).at_rho(rho)
    base = laplace(density, points.mean(axis=0), points.std(axis=0))
    log_density = density.values(points)
    return Transport(fit, at_some, density, rho, kept, points, log_density, base)


def _walk(start: float, side: np.ndarray) -> list[float]:
    """Values in their order, with others between them where they are far apart."""
    steps: list[float] = []
    last = start
    for value in side:
        low, high = float(np.arctanh(last)), float(np.arctanh(value))
        count = int(np.ceil(abs(high - low) / _STRIDE))
        steps += [float(between) for between in np.tanh(np.linspace(low, high, count + 1)[1:-1])]
        steps.append(float(value))
        last = value
    return steps


def move(points: np.ndarray, base: Laplace, target: Laplace) -> np.ndarray:
    """Take draws of one Laplace approximation to another; shape (S, dim)."""
    whitener = linalg.cholesky(base.precision, lower=True).T
    relative = whitener @ linalg.solve(target.precision, whitener.T, assume_a="pos")
    values, vectors = linalg.eigh(0.5 * (relative + relative.T))
    root = (vectors * np.sqrt(values)) @ vectors.T
    matrix = linalg.solve_triangular(whitener, root @ whitener)
    return np.ascontiguousarray(target.mode + (points - base.mode) @ matrix.T)
