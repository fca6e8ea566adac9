r"""Draws at some values of rho, and what lies between them.

At different rho the draws may be of different posteriors, so they are paired by rank. Between two
values they are interpolated linearly in :math:`x = \rho / \sqrt{1 - \rho^2}`, in which the curve
of a linear model is a line. Nothing is said beyond the grid.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from bayesmed.numerics.score_pair import from_odds, odds


@dataclass(frozen=True)
class Ladder:
    """Ranked draws along rho.

    Attributes
    ----------
    rho : numpy.ndarray
        Ascending, shape (R,).
    ranked : numpy.ndarray
        Draws, ascending along the last axis, shape (R, S).
    places : numpy.ndarray
        The rank of each draw at each rho, shape (R, chain, draw).
    """

    rho: np.ndarray
    ranked: np.ndarray
    places: np.ndarray

    def at(self, rho: float) -> np.ndarray:
        """Ranked draws at one rho, shape (S,)."""
        if not self.rho[0] <= rho <= self.rho[-1]:
            raise ValueError(
                f"rho = {rho:g} lies beyond the grid, which runs from {self.rho[0]:g} to "
                f"{self.rho[-1]:g}; widen rho= of sensitivity()."
            )
        place = int(np.searchsorted(self.rho, rho))
        if self.rho[place] == rho:
            return self.ranked[place]
        low, high = odds(self.rho[place - 1]), odds(self.rho[place])
        share = (odds(rho) - low) / (high - low)
        return (1.0 - share) * self.ranked[place - 1] + share * self.ranked[place]

    def in_order(self, ranked: np.ndarray, rho: float) -> xr.DataArray:
        """Ranked values in the order of the draws at the nearest rho, for diagnostics.

        Returns
        -------
        xarray.DataArray
            Dims (chain, draw).
        """
        nearest = self.places[np.abs(self.rho - rho).argmin()]
        return xr.DataArray(ranked[nearest], dims=("chain", "draw"))

    def between(self, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
        """Values of rho from low to high, both included, and the ranked draws there."""
        inner = (self.rho > low) & (self.rho < high)
        rho = np.array([low, *self.rho[inner], high])
        return rho, np.stack([self.at(low), *self.ranked[inner], self.at(high)])

    def share_positive(self, low: float, high: float) -> np.ndarray:
        """For each rank the share of the rho from low to high at which it is positive, (S,)."""
        rho, ranked = self.between(low, high)
        x, start, end = odds(rho)[:, None], rho[:-1, None], rho[1:, None]
        first, last = ranked[:-1], ranked[1:]
        with np.errstate(divide="ignore", invalid="ignore"):
            root = from_odds(x[:-1] + first / (first - last) * np.diff(x, axis=0))
        up, down = (first <= 0.0) & (last > 0.0), (first > 0.0) & (last <= 0.0)
        length = np.where((first > 0.0) & (last > 0.0), end - start, 0.0)
        length = np.where(up, end - root, np.where(down, root - start, length))
        return np.asarray(length.sum(axis=0) / (high - low))


def build_ladder(values: xr.DataArray) -> Ladder:
    """Rank draws of dims (rho, chain, draw) at each rho."""
    draws = values.transpose("rho", "chain", "draw").to_numpy()
    flat = draws.reshape(len(draws), -1)
    order = flat.argsort(axis=1)
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.arange(flat.shape[1])[None], axis=1)
    ranked = np.take_along_axis(flat, order, axis=1)
    return Ladder(values["rho"].to_numpy(), ranked, places.reshape(draws.shape))


def around_zero(ladder: Ladder) -> Ladder:
    """The same with a value at rho = 0, interpolated where the grid has none."""
    rho = ladder.rho
    if not rho[0] <= 0.0 <= rho[-1]:
        raise ValueError(
            f"The grid runs from {rho[0]:g} to {rho[-1]:g}; what holds for |rho| <= r needs one with "
            "0 in it. Give another rho= to sensitivity()."
        )
    if 0.0 in rho:
        return ladder
    place = int(np.searchsorted(rho, 0.0))
    nearest = np.abs(rho).argmin()
    return Ladder(
        np.insert(rho, place, 0.0),
        np.insert(ladder.ranked, place, ladder.at(0.0), axis=0),
        np.insert(ladder.places, place, ladder.places[nearest], axis=0),
    )
