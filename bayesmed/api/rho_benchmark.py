"""A prior of rho in terms of an observed covariate's strength."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from bayesmed.effects.numbers import percent
from bayesmed.families.names import names_nearest
from bayesmed.sensitivity.benchmark import check_covariates
from bayesmed.sensitivity.latent_scales import latent_scales
from bayesmed.sensitivity.strength import Strength, covariate_strength

if TYPE_CHECKING:
    from bayesmed.api.fit import MediationFit

SignRule = Literal["either", "same", "positive", "negative"]
_TRIALS = 1000


@names_nearest
@dataclass(frozen=True)
class RhoBenchmark:
    r"""A prior of rho: an omitted confounder some times as strong as an observed covariate.

    For each posterior draw k is uniform between the two ``times``, the confounder has the
    covariate's coefficients in both equations times :math:`\sqrt k`, and rho is what omitting it
    would produce (:mod:`bayesmed.sensitivity.strength`). So the prior of rho carries the posterior of the
    covariate's strength. Where a draw allows no confounder of some k, because it would explain
    more than everything, k is uniform over those that it allows.

    Parameters
    ----------
    covariate : str
        A covariate that stands in both equations.
    times : tuple of float
        Lowest and highest k; equal for a fixed strength.
    sign : {"either", "same", "positive", "negative"}
        Sign of rho: "same" as the covariate's own (it acts as the covariate does); "either", by
        the toss of a coin for each draw the same or the opposite effect on the outcome;
        or "positive" or "negative", whichever of the two effects gives that.

    Raises
    ------
    ValueError
        If the strengths are not two numbers with 0 <= low <= high and high > 0, or there is no
        such sign.

    Examples
    --------
    >>> import bayesmed as bm
    >>> bm.RhoBenchmark("educ", times=(0, 2))
    RhoBenchmark(covariate='educ', times=(0.0, 2.0), sign='either')
    """

    covariate: str
    times: tuple[float, float] = (0.0, 1.0)
    sign: SignRule = "either"

    def __post_init__(self) -> None:
        if not isinstance(self.covariate, str):
            raise ValueError(f"covariate={self.covariate!r}; give the name of one covariate.")
        try:
            low, high = (float(value) for value in self.times)
        except (TypeError, ValueError):
            low, high = np.nan, np.nan
        if not (0.0 <= low <= high < np.inf and high > 0.0):
            raise ValueError(
                "times must be two numbers, the lowest and the highest strength, with "
                f"0 <= low <= high and high > 0; {self.times!r} was given."
            )
        if self.sign not in get_args(SignRule):
            raise ValueError(f"sign={self.sign!r}; choose one of {list(get_args(SignRule))}.")
        object.__setattr__(self, "times", (low, high))

    def draw(self, fit: "MediationFit", random_seed: int | None = None) -> np.ndarray:
        """One rho for each posterior draw.

        Parameters
        ----------
        fit : MediationFit
            Both equations must be linear on a latent scale; see
            :meth:`bayesmed.MediationFit.benchmarks`.
        random_seed : int, optional
            Of k and of the sign; the fit's own where None.

        Returns
        -------
        numpy.ndarray
            Shape (chain, draw), in (-1, 1).

        Raises
        ------
        ValueError
            If the covariate does not stand in both equations, an equation has no latent scale,
            or in some draws no confounder of that strength exists.
        """
        check_covariates(fit, self.covariate)
        seed = fit.description.settings["random_seed"] if random_seed is None else random_seed
        rng = np.random.default_rng(seed)
        own = covariate_strength(fit, self.covariate, latent_scales(fit))
        return self._of_strength(own, rng).reshape(fit.shape)

    def _of_strength(self, own: Strength, rng: np.random.Generator) -> np.ndarray:
        """Draw k until each draw has one that it allows: uniform over those."""
        size = len(own.product)
        along = np.where(own.product < 0.0, -1.0, 1.0)
        sign = {
            "either": rng.choice([-1.0, 1.0], size),
            "same": np.ones(size),
            "positive": along,
            "negative": -along,
        }[self.sign]
        rho = np.full(size, np.nan)
        for _ in range(_TRIALS):
            todo = np.isnan(rho)
            if not todo.any():
                return rho
            rho = np.where(todo, own.confounder(rng.uniform(*self.times, size), sign).rho, rho)
        raise ValueError(
            f"In {percent(np.isnan(rho).mean())} of the draws no confounder {self.times[0]:g} to "
            f"{self.times[1]:g} times as strong as {self.covariate!r} exists: it would explain more "
            "than the whole residual variance of the mediator or of the outcome. Lower times=."
        )
