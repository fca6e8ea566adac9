"""How accurate a counterfactual mean must be, and sizes that make it so.

Nobody sees an error of a thousandth of the contrasts' posterior standard deviation. A few draws
are evaluated with twice the nodes everywhere; where they differ by more, the sizes that matter
grow. What was found serves the next call, along a curve.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Literal, get_args

import numpy as np

from bayesmed.means.engine import Sizes

Accuracy = Literal["posterior", "exact"]
ACCURACIES: tuple[Accuracy, ...] = get_args(Accuracy)
#: Largest error of a draw, in posterior standard deviations of the contrast that varies least.
TOLERANCE = 1e-3
# Of it, what the draws that are checked may take, since others can be worse.
_SHARE = 0.25
_CHECKED, _FEWEST = 16, 32
_LARGEST = Sizes(score=64, base=48, other=32, table=160, along=96, draw=24)
_NAMES = tuple(one.name for one in fields(Sizes))
_TURNS = 8
# A contrast that varies by less than this share of the means is as good as fixed.
_FIXED = 1e-6


@dataclass
class Effort:
    """What means have needed so far.

    Attributes
    ----------
    sizes : Sizes
        With which the next call starts.
    error : float
        Largest error so far, in posterior standard deviations; NaN before the first.
    exact : bool
        Whether adaptive integrals to 1e-8 are asked for.
    """

    sizes: Sizes = field(default_factory=Sizes)
    error: float = float("nan")
    exact: bool = False


#: ``evaluate(draws, sizes)``: cells (2, 2, draw) of the draws at these positions, or of all.
Evaluate = Callable[[np.ndarray | None, Sizes], np.ndarray]


def settled(evaluate: Evaluate, count: int, effort: Effort) -> np.ndarray | None:
    """Cells of all draws whose error cannot be seen; None where no size reaches that.

    Parameters
    ----------
    evaluate : callable
    count : int
        Number of draws.
    effort : Effort
        Changed in place.
    """
    if count < _FEWEST:
        return None
    some, start = np.unique(np.linspace(0, count - 1, _CHECKED).round().astype(int)), effort.sizes
    for _ in range(_TURNS):
        cells = evaluate(None, effort.sizes)
        if not np.isfinite(cells).all():
            break
        unit = spread(cells)
        finer = evaluate(some, _grown(effort.sizes, _NAMES))
        error = float(np.abs(cells[..., some] - finer).max() / unit)
        if error <= _SHARE * TOLERANCE:
            effort.error = float(np.fmax(effort.error, error))
            return cells
        before, effort.sizes = effort.sizes, _enlarged(evaluate, some, effort.sizes, unit)
        if effort.sizes == before:
            effort.sizes = _more(before, _NAMES)
        if effort.sizes == before:
            break
    effort.sizes = start
    return None


def spread(cells: np.ndarray) -> float:
    """Smallest posterior standard deviation of the effects that means (2, 2, S) make."""
    low, high = cells[0], cells[1]
    effects = [low[1] - low[0], high[1] - high[0], high[0] - low[0], high[1] - low[1]]
    found = np.array([effect.std() for effect in effects])
    size = np.abs(cells).max()
    seen = found[found > _FIXED * size]
    return float(seen.min()) if len(seen) else max(float(_FIXED * size), 1e-300)


def _grown(sizes: Sizes, names: tuple[str, ...]) -> Sizes:
    """Twice the nodes."""
    return replace(sizes, **{name: 2 * getattr(sizes, name) for name in names})


def _enlarged(evaluate: Evaluate, some: np.ndarray, sizes: Sizes, unit: float) -> Sizes:
    """Sizes each of which, made half as large again, moves the few draws by little."""
    for _ in range(_TURNS):
        now = evaluate(some, sizes)
        moved = {
            name: float(np.abs(evaluate(some, _grown(sizes, (name,))) - now).max() / unit)
            for name in _NAMES
        }
        short = {n: move for n, move in moved.items() if not move < 0.1 * TOLERANCE}
        if not short:
            return sizes
        before, sizes = sizes, _more(sizes, tuple(short))
        if sizes == before:
            break
    return sizes


def _more(sizes: Sizes, names: tuple[str, ...]) -> Sizes:
    """Half as many nodes again, up to the largest."""
    own = {name: getattr(sizes, name) for name in names}
    more = {n: min(size + max(2, size // 2), getattr(_LARGEST, n)) for n, size in own.items()}
    return replace(sizes, **more)
