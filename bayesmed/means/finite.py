"""Where counterfactual means are infinite: an error that says so, before anything is integrated."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bayesmed.means.layout import ARMS, EquationLayout, Layout, times
from bayesmed.posterior.blocks import over_blocks
from bayesmed.posterior.draws import Draws, EquationDraws


def require_finite(draws: Draws, layout: Layout) -> None:
    """Check the families' own means, and the exponential moments that a log link needs.

    Functions of the mediator and families of a user's own are judged by the tails of their
    integrals as these are taken.

    Raises
    ------
    ArithmeticError
        If E[Y(t, M(t'))] is infinite in some row of some draw.
    """
    mediator, outcome = layout.mediator.family, layout.outcome.family
    affine = layout.outcome.slope is not None
    if outcome.tail is not None:
        share = _share(draws, layout, lambda own: _no_mean(layout.outcome, own.outcome))
        _refuse(share, f"the mean of a {outcome.name} outcome is itself infinite there",
                "Take a restricted mean, a survival probability or log time as the outcome, or an "
                "outcome family with a lighter tail.")  # fmt: skip
    if outcome.additive and affine and mediator.tail is not None:
        share = _share(draws, layout, lambda own: _no_mean(layout.mediator, own.mediator))
        _refuse(share, f"the mean of the {mediator.name} mediator is itself infinite there",
                "Use a mediator family with a lighter tail.")  # fmt: skip
    log = outcome.multiplicative or (outcome.kind == "count" and outcome.link == "log")
    if log and affine and mediator.exponential_moment is not None:
        share = _share(draws, layout, partial(_no_exponential_moment, layout))
        _refuse(share, f"a {outcome.name} outcome with its log link grows exponentially in a "
                f"{mediator.name} mediator, whose tail is too heavy for the slopes there",
                "Let the mediator enter through its logarithm, model the logarithm of the outcome "
                "as Gaussian, or use a mediator family with a lighter tail.")  # fmt: skip


def _share(draws: Draws, layout: Layout, broken: Callable[[Draws], np.ndarray]) -> float:
    """Share of the draws in which some row is broken."""
    return float(np.concatenate(over_blocks(broken, draws, layout.size)).mean())


def _any_row(values: Any, draws: int) -> np.ndarray:
    values = np.asarray(values)
    return np.broadcast_to(values, np.broadcast_shapes(values.shape, (1, draws))).any(axis=0)


def _tail(layout: EquationLayout, draws: EquationDraws, arm: int) -> Any:
    tail = layout.family.tail
    return 0.0 if tail is None else np.asarray(tail(layout.parameters(draws, arm)))


def _no_mean(layout: EquationLayout, draws: EquationDraws) -> np.ndarray:
    heavy = [_tail(layout, draws, arm) >= 1.0 for arm in ARMS]
    return np.any([_any_row(one, len(draws.coef)) for one in heavy], axis=0)


def _no_exponential_moment(layout: Layout, draws: Draws) -> np.ndarray:
    mediator, outcome = layout.mediator, layout.outcome
    moment = mediator.family.exponential_moment
    assert moment is not None and outcome.slope is not None
    found = np.zeros(len(draws), dtype=bool)
    for s in ARMS:
        location = layout.location(draws, s)
        own = mediator.parameters(draws.mediator, s)
        for t in ARMS:
            room = _room(draws.rho, _tail(outcome, draws.outcome, t))
            slope = times(outcome.slope[t], draws.outcome.coef) / room
            found |= _any_row(~np.asarray(moment(slope, location, own)), len(draws))
    return found


def _room(rho: np.ndarray, tail: Any) -> Any:
    """What an outcome's own tail s leaves of the slopes for which exp(slope M) has a mean.

    With log exp(slope M) growing as u e_m^2 / 2 and log Y as s e_y^2 / 2, the exponent of the joint
    integrand is -(e_m^2 - 2 rho e_m e_y + e_y^2) / (2 k^2) + (u e_m^2 + s e_y^2) / 2. At rho > 0 it
    falls in every direction where (1 - k^2 u)(1 - k^2 s) > rho^2; at rho <= 0 each tail is alone.
    """
    k2 = (1.0 - rho) * (1.0 + rho)
    return np.where(rho > 0.0, (1.0 - rho * rho / (1.0 - k2 * tail)) / k2, 1.0)


def _refuse(share: float, cause: str, mend: str) -> None:
    if share > 0.0:
        raise ArithmeticError(
            f"E[Y(t, M(t'))] is infinite in {share:.1%} of the draws: {cause}. {mend}"
        )
