"""At which rho a conclusion holds: its probability along rho, and how far it reaches.

Between values of the grid the draws of the claim's margin (:func:`bayesmed.sensitivity.claims.margins`) are
interpolated as in :mod:`bayesmed.sensitivity.ranked`; the probability there lies between those of its two
neighbours on the grid.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayesmed.effects.numbers import Printed, chance_in_words
from bayesmed.effects.setting import setting_of
from bayesmed.families.listing import is_number
from bayesmed.families.names import names_nearest
from bayesmed.numerics.score_pair import from_odds, odds
from bayesmed.sensitivity.claims import Claim, effect_label, every_effect, margins, null_value
from bayesmed.sensitivity.ranked import Ladder, around_zero, build_ladder


def probability_curve(draws: xr.Dataset, claim: Claim) -> xr.Dataset:
    """P(claim | rho) at each value of the grid.

    Parameters
    ----------
    draws : xarray.Dataset
        Of :class:`bayesmed.Sensitivity`.

    Returns
    -------
    xarray.Dataset
        ``probability(rho)``, the share of draws in which the claim is true, and ``mcse(rho)``, its
        Monte Carlo standard error (0 where all draws agree). The attribute ``bayesmed`` has
        ``claim``, in words.
    """
    import arviz_stats as az

    true = (margins(draws, claim) > 0.0).astype(float)
    share, mcse = true.mean(["chain", "draw"]), az.mcse(true, method="mean")
    setting = setting_of(draws).saying(claim=claim.text(draws))
    return xr.Dataset(
        {"probability": ("rho", share.to_numpy()), "mcse": ("rho", mcse.to_numpy())},
        {"rho": draws["rho"].to_numpy()},
        {"bayesmed": setting.to_json()},
    )


def _mean_and_mcse(values: xr.DataArray) -> tuple[float, float]:
    import arviz_stats as az

    return float(values.mean()), float(az.mcse(values, method="mean"))


def probability_at(ladder: Ladder, rho: float) -> tuple[float, float]:
    """P(claim | rho) at one rho of the grid or between its values, and its mcse."""
    return _mean_and_mcse(ladder.in_order((ladder.at(rho) > 0.0).astype(float), rho))


@names_nearest
@dataclass(frozen=True)
class Within:
    """The probability of a claim over all rho with abs(rho) <= r.

    Attributes
    ----------
    claim : str
    r : float
    averaged : float
        Mean of P(claim | rho) over rho uniform between -r and r: the probability that someone
        with this belief about rho gives the claim.
    averaged_mcse : float
        Its Monte Carlo standard error.
    worst : float
        The smallest P(claim | rho) there.
    worst_mcse : float
    worst_rho : float
        Where it is smallest; the value nearest to zero where there are several.
    """

    claim: str
    r: float
    averaged: float
    averaged_mcse: float
    worst: float
    worst_mcse: float
    worst_rho: float

    def __str__(self) -> str:
        if self.r == 0.0:
            return f"{self.claim}: the probability at rho = 0 is {chance_in_words(self.worst)}."
        return (
            f"{self.claim}: averaged over rho uniform between {-self.r:g} and {self.r:g} the "
            f"probability is {chance_in_words(self.averaged)}; at the worst, at rho = "
            f"{self.worst_rho:.3g}, it is {chance_in_words(self.worst)}."
        )


def probability_within(draws: xr.Dataset, claim: Claim, r: float) -> Within:
    r"""Average and worst probability of a claim over :math:`|\rho| \le r`.

    .. math:: \frac{1}{2r} \int_{-r}^{r} P(claim \mid \rho)\, d\rho
              \qquad\text{and}\qquad \min_{|\rho| \le r} P(claim \mid \rho)

    Parameters
    ----------
    draws : xarray.Dataset
        Of :class:`bayesmed.Sensitivity`.
    r : float
        In [0, 1), not beyond the grid.
    """
    if not is_number(r) or not 0.0 <= r < 1.0:
        raise ValueError(f"r must be a number of at least 0 and below 1; {r!r} was given.")
    r, ladder = float(r), around_zero(build_ladder(margins(draws, claim)))
    if r == 0.0:
        here = probability_at(ladder, 0.0)
        return Within(claim.text(draws), r, *here, *here, 0.0)
    averaged = _mean_and_mcse(ladder.in_order(ladder.share_positive(-r, r), 0.0))
    rho, ranked = ladder.between(-r, r)
    share = (ranked > 0.0).mean(axis=1)
    lowest = rho[share == share.min()]
    worst = float(lowest[np.abs(lowest).argmin()])
    return Within(claim.text(draws), r, *averaged, *probability_at(ladder, worst), worst)


@names_nearest
@dataclass(frozen=True)
class Extent:
    """How far from rho = 0 a claim holds: its probability is at least the level all the way.

    Attributes
    ----------
    claim : str
    level : float
    at_zero : float
        P(claim | rho = 0).
    low, high : float
        The first rho below and above zero at which the probability falls below the level; 0 where
        it is below at rho = 0 already, NaN where it does not fall below on that side of the grid.
    mcse_low, mcse_high : float
        Their Monte Carlo standard errors; NaN where there are none.
    grid : tuple of float
        Ends of the grid.
    """

    claim: str
    level: float
    at_zero: float
    low: float
    high: float
    mcse_low: float
    mcse_high: float
    grid: tuple[float, float]

    @property
    def reach(self) -> float:
        """The largest r for which the grid holds every rho with abs(rho) <= r."""
        return min(-self.grid[0], self.grid[1])

    @property
    def r(self) -> float:
        """The smallest abs(rho) at which the claim ceases to hold; NaN where none is on the grid."""
        ends = [end for end in (-self.low, self.high) if end <= self.reach]
        return min(ends) + 0.0 if ends else float("nan")

    @property
    def mcse_r(self) -> float:
        """The Monte Carlo standard error of ``r``."""
        return self.mcse_low if self.r == -self.low else self.mcse_high

    @property
    def interval(self) -> tuple[float, float]:
        """The rho from and to which the claim holds, as far as the grid goes."""
        low = self.grid[0] if math.isnan(self.low) else self.low
        return low, self.grid[1] if math.isnan(self.high) else self.high

    def __str__(self) -> str:
        level = f"{100 * self.level:.10g}%"
        if self.at_zero < self.level:
            return (
                f"{self.claim} does not hold at {level}: its probability at rho = 0 is "
                f"{chance_in_words(self.at_zero)}."
            )
        said = f"{self.claim} holds at {level}"
        whole = math.isnan(self.low) and math.isnan(self.high)
        if whole and self.grid[1] == -self.grid[0] > 0.0:
            return f"{said} for all |rho| up to {self.reach:.10g}, the end of the grid."
        sides = f"{self._side(-1)}; {self._side(1)}."
        if self.reach == 0.0:
            return f"{said} at rho = 0: {sides}"
        to = f"{self.reach:.10g}" if math.isnan(self.r) else _down(self.r, self.mcse_r)
        return f"{said} for |rho| <= {to}: {sides}"

    def _side(self, sign: int) -> str:
        name, end, mcse, last = (
            ("negative", self.low, self.mcse_low, self.grid[0])
            if sign < 0
            else ("positive", self.high, self.mcse_high, self.grid[1])
        )
        if last == 0.0:
            return f"the grid has no {name} rho"
        if math.isnan(end):
            return f"for {name} rho to {last:.10g}, the end of the grid"
        return f"for {name} rho to {'-' if sign < 0 else ''}{_down(abs(end), mcse)}"


def extent(draws: xr.Dataset, claim: Claim, level: float = 0.95) -> Extent:
    """How far from rho = 0, on either side, a claim holds.

    It holds at a rho where a share of at least ``level`` of the draws meet it.

    Parameters
    ----------
    draws : xarray.Dataset
        Of :class:`bayesmed.Sensitivity`.
    level : float
        Posterior probability, in (0, 1).
    """
    _check_level(level)
    return _extent_of(around_zero(build_ladder(margins(draws, claim))), claim.text(draws), level)


def _check_level(level: float) -> None:
    if not is_number(level) or not 0.0 < level < 1.0:
        raise ValueError(f"level must be a probability between 0 and 1; {level!r} was given.")


def _extent_of(ladder: Ladder, claim: str, level: float) -> Extent:
    start = int(np.flatnonzero(ladder.rho == 0.0)[0])
    low, mcse_low = _ceases(ladder, range(start, -1, -1), level)
    high, mcse_high = _ceases(ladder, range(start, len(ladder.rho)), level)
    return Extent(
        claim, float(level), probability_at(ladder, 0.0)[0], low, high, mcse_low, mcse_high,
        (float(ladder.rho[0]), float(ladder.rho[-1])),
    )  # fmt: skip


def _ceases(ladder: Ladder, steps: range, level: float) -> tuple[float, float]:
    """The first rho, from zero outward, at which a claim ceases to hold, and its mcse."""
    import arviz_stats as az

    size = ladder.ranked.shape[1]
    # At least this many draws must be positive, so the claim holds where this one is.
    needed = math.ceil(level * size - 1e-9)
    rho, decisive = ladder.rho[steps], ladder.ranked[steps, size - needed]
    below = np.flatnonzero(decisive <= 0.0)
    if not below.size:
        return float("nan"), float("nan")
    if below[0] == 0:
        return 0.0, float("nan")
    (near, far), (inner, outer) = (part[below[0] - 1 : below[0] + 1] for part in (rho, decisive))
    slope = (outer - inner) / (odds(far) - odds(near))
    found = float(from_odds(odds(near) - inner / slope))
    here = ladder.in_order(ladder.at(found), found)
    error = float(az.mcse(here, method="quantile", prob=1.0 - level))
    return found, float(error / abs(slope) * (1.0 - found * found) ** 1.5)


def own_rho(draws: xr.Dataset) -> float:
    """The fit's rho; zero where it has a prior or lies beyond the grid."""
    fixed, grid = setting_of(draws).rho_fixed, draws["rho"].to_numpy()
    return float(fixed) if fixed is not None and grid[0] <= fixed <= grid[-1] else 0.0


def likelier_sign(draws: xr.Dataset, claim: Claim) -> Claim:
    """A claim about a sign, or its opposite where most draws at the fit's rho have that."""
    ladder = build_ladder(margins(draws, claim))
    rho = float(np.clip(own_rho(draws), ladder.rho[0], ladder.rho[-1]))
    positive = float((ladder.at(rho) > 0.0).mean()) >= 0.5
    return claim if positive else replace(claim, direction="negative")


def conclusions_table(
    draws: xr.Dataset,
    level: float = 0.95,
    where: Mapping[str, Any] | None = None,
    round_to: int | Literal["auto"] | None = "auto",
) -> pd.DataFrame:
    """For each effect its sign, how probable that is, and how far along rho it holds.

    The sign is that of the most draws at the fit's rho, or at rho = 0 where the fit's has a
    prior or lies beyond the grid.

    Parameters
    ----------
    draws : xarray.Dataset
        Of :class:`bayesmed.Sensitivity`.
    level : float
        Posterior probability, in (0, 1).
    where : mapping, optional
        Coordinates of further dimensions; where it is silent, a row for each.
    round_to : {"auto"} or None
        ``"auto"`` shows no digit below the Monte Carlo error; None all digits.

    Returns
    -------
    pandas.DataFrame
        Indexed by effect: ``claim``; ``rho``, and ``probability`` and ``mcse`` there; ``r``,
        ``low`` and ``high`` as in :class:`Extent` (NaN where it does not cease to hold on the
        grid); and the ``sentence``.

    Raises
    ------
    ValueError
        As :func:`extent` and :func:`bayesmed.sensitivity.claims.choose_effect`.
    """
    _check_level(level)
    rho, rows = own_rho(draws), {}
    for effect, arm, chosen in every_effect(draws, where):
        null = null_value(draws, effect)
        claim = likelier_sign(draws, Claim(effect, arm, "positive", where=chosen))
        ladder = around_zero(build_ladder(margins(draws, claim)))
        found = _extent_of(ladder, claim.text(draws), level)
        probability, mcse = probability_at(ladder, rho)
        ends = [(found.r, found.mcse_r), (found.low, found.mcse_low), (found.high, found.mcse_high)]
        if round_to == "auto":
            mcse = float(f"{mcse:.1g}")
            ends = [(math.copysign(float(_down(abs(e), s)), e), s) for e, s in ends]
        sign = "> " if claim.direction == "positive" else "< "
        rows[effect_label(draws, effect, arm, chosen)] = {
            "claim": f"{sign}{null:g}", "rho": rho, "probability": probability, "mcse": mcse,
            **dict(zip(("r", "low", "high"), [end for end, _ in ends], strict=True)),
            "sentence": str(found),
        }  # fmt: skip
    table = pd.DataFrame.from_dict(rows, orient="index")
    table = table if round_to is None else Printed(table)
    table.index.name = setting_of(draws).contrast
    return table


def _down(r: float, mcse: float) -> str:
    """A radius rounded down, so that what is said of it is true, to no digit below its error."""
    if math.isnan(r):
        return "nan"
    digits = 2
    if mcse > 0.0 and math.isfinite(mcse):
        digits = min(max(-math.floor(math.log10(mcse)), 1), 3)
    return f"{math.floor(r * 10**digits + 1e-9) / 10**digits:.{digits}f}"
