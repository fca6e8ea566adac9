"""The families of a cell, and the few numbers in which its rows differ."""

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesmed.means.cell import Coordinates, Pair
from bayesmed.means.layout import Layout, times
from bayesmed.posterior.draws import Draws


def ease(pair: Pair) -> float:
    """How many nodes may be taken for each row.

    With a discrete mediator its probabilities and the outcome's quantiles are each taken along
    one axis of a plane only, unless there are rectangles.
    """
    rectangles = np.any(pair.rho) and pair.outcome.kind in ("binary", "ordered")
    return 8.0 if pair.mediator.discrete and not rectangles else 0.5


def coordinates(
    layout: Layout, draws: Draws, t: int, s: int, level: int
) -> tuple[Pair, Coordinates]:
    """What is the same in all rows of a cell, and the few numbers in which they differ."""
    pair, at = pair_of(layout, draws, t, s, level)
    return pair, fewer(pair, at)[0]


def pair_of(
    layout: Layout,
    draws: Draws,
    t: int,
    s: int,
    level: int,
    made: dict[Any, np.ndarray] | None = None,
) -> tuple[Pair, Coordinates]:
    """What is the same in all rows, and what differs; ``made`` keeps what cells share."""
    made = {} if made is None else made

    def once(key: Any, make: Callable[[], np.ndarray]) -> np.ndarray:
        if key not in made:
            made[key] = make()
        return made[key]

    at = {"location": once(("location", s), lambda: layout.location(draws, s))}
    mediator, outcome, functions = layout.mediator, layout.outcome, None
    if outcome.levels is not None:
        design = outcome.levels[t][level]
        at["base"] = once((t, level), lambda: outcome.eta(draws.outcome, design))
    elif outcome.functions is not None:
        functions = outcome.functions[t]
        at |= {"base": outcome.eta(draws.outcome, functions.base), "row": functions.alike}
    else:
        assert outcome.base is not None and outcome.slope is not None
        base, slope = outcome.base[t], outcome.slope[t]
        at["base"] = once((t, "base"), lambda: outcome.eta(draws.outcome, base))
        at["slope"] = once((t, "slope"), lambda: times(slope, draws.outcome.coef))
    own = {
        "mediator": mediator.parameters(draws.mediator, s),
        "outcome": outcome.parameters(draws.outcome, t),
    }
    for key, family in (("mediator", mediator.family), ("outcome", outcome.family)):
        by_row = [n for n, v in own[key].items() if v.ndim > 1 and n not in family.vectors]
        at |= {f"{key} {name}": own[key].pop(name) for name in by_row}
    knots = layout.rows.outcome.knots if functions else ()
    pair = Pair(
        mediator.family, outcome.family, own, draws.rho, functions, draws.outcome.coef, knots
    )
    return pair, at


def fewer(pair: Pair, at: Coordinates) -> tuple[Coordinates, np.ndarray | float]:
    """Fewer coordinates that differ between rows, and the logarithm of a factor of the mean."""
    at, zero, mediator = dict(at), np.zeros((1, len(pair.rho))), pair.mediator
    if "slope" in at and mediator.additive:  # only m - location is random
        at["base"] = at["base"] + at["slope"] * at["location"]
        at["location"] = zero
        if mediator.latent == "free":  # which is sigma times a normal score
            at["slope"] = at["slope"] * pair.parameters(at)[0]["sigma"]
            at["mediator sigma"] = zero + 1.0
    elif "slope" in at and mediator.multiplicative and len(at["slope"]) > 1:
        at["slope"] = at["slope"] * np.exp(at["location"])
        at["location"] = zero
    if pair.outcome.multiplicative:
        return {**at, "base": zero}, at["base"]
    return at, 0.0
