"""How accurate a counterfactual mean must be, and sizes that make it so.

Nobody sees an error of a thousandth of the contrasts' posterior standard deviation. A few draws
are evaluated with half as many nodes again; where they differ by more, the sizes that matter
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
# Errors that lack little, and much.
_NEAR, _FAR = 0.4 * TOLERANCE, 20.0 * TOLERANCE
# The error of the few that is small enough, since others can be worse.
_ENOUGH = 0.8 * _SHARE * TOLERANCE
# A contrast that varies by less than this share of the means is as good as fixed.
_FIXED = 1e-6


@dataclass
class Effort:
    """What means have needed so far.

    Attributes
    ----------
    sizes : Sizes
        With which the next call starts, where it knows of none by its rho.
    known : dict of float to Sizes
        What each rho has needed. It serves those nearer to zero: a larger one needs more.
    error : float
        Largest error so far, in posterior standard deviations; NaN before the first.
    exact : bool
        Whether adaptive integrals to 1e-8 are asked for.
    """

    sizes: Sizes = field(default_factory=Sizes)
    known: dict[float, Sizes] = field(default_factory=dict)
    error: float = float("nan")
    exact: bool = False

    def start(self, rho: float) -> tuple[Sizes, bool]:
        """Sizes with which to start at some rho, and whether they are known to do."""
        beyond = [own for own in self.known if own * rho >= 0.0 and abs(own) >= abs(rho)]
        inside = [own for own in self.known if own * rho > 0.0]
        if beyond:
            return self.known[min(beyond, key=abs)], True
        return self.known[max(inside, key=abs)] if inside else self.sizes, False


#: ``evaluate(draws, sizes)``: cells (2, 2, draw) of the draws at these positions, or of all.
Evaluate = Callable[[np.ndarray | None, Sizes], np.ndarray]


def settled(evaluate: Evaluate, rho: np.ndarray, effort: Effort) -> np.ndarray | None:
    """Cells of all draws whose error cannot be seen; None where no size reaches that.

    Parameters
    ----------
    evaluate : callable
    rho : numpy.ndarray
        Of each draw, shape (S,).
    effort : Effort
        Changed in place.
    """
    if len(rho) < _FEWEST:
        return None
    some = np.unique(np.linspace(0, len(rho) - 1, _CHECKED).round().astype(int))
    mean = float(rho.mean())
    sizes, known = effort.start(mean)
    if not known:  # the few are cheap: what they need is found before all follow
        sizes = _enlarged(evaluate, some, sizes)
    for _ in range(_TURNS):
        cells = evaluate(None, sizes)
        if not np.isfinite(cells).all():
            break
        unit = spread(cells)
        finer = evaluate(some, _grown(sizes, _NAMES))
        error = float(np.abs(cells[..., some] - finer).max() / unit)
        if error <= _SHARE * TOLERANCE:
            effort.error = float(np.fmax(effort.error, error))
            effort.known[mean] = sizes
            return cells
        before, sizes = sizes, _enlarged(evaluate, some, sizes, unit)
        if sizes == before:
            sizes = _more(before, dict.fromkeys(_NAMES, error))
        if sizes == before:
            break
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
    """Half as many nodes again."""
    return replace(sizes, **{name: getattr(sizes, name) * 3 // 2 for name in names})


def _enlarged(
    evaluate: Evaluate, some: np.ndarray, sizes: Sizes, unit: float | None = None
) -> Sizes:
    """Sizes from which half as many nodes again would move the few draws by little.

    In the spread of the few, unless that of all is given as ``unit``.
    """
    names: tuple[str, ...] = _NAMES
    for _ in range(_TURNS):
        now = evaluate(some, sizes)
        unit = unit or spread(now)
        if not np.abs(evaluate(some, _grown(sizes, names)) - now).max() / unit > _ENOUGH:
            break
        moved = {
            name: float(np.abs(evaluate(some, _grown(sizes, (name,))) - now).max() / unit)
            for name in names
        }
        names = tuple(name for name in names if not moved[name] < 0.1 * _ENOUGH)
        rest, short = sum(moved.values()), dict[str, float]()
        for name in sorted(moved, key=moved.__getitem__, reverse=True):
            if rest <= _ENOUGH:
                break
            short[name], rest = moved[name], rest - moved[name]
        before, sizes = sizes, _more(sizes, short)
        if sizes == before:
            break
    return sizes


def _more(sizes: Sizes, moved: dict[str, float]) -> Sizes:
    """More nodes by how much is lacking: a quarter, a half or as many again, up to the largest."""
    more = {}
    for name, move in moved.items():
        size = getattr(sizes, name)
        part = 4 if move < _NEAR else 2 if move < _FAR else 1
        more[name] = min(size + max(2, size // part), getattr(_LARGEST, name))
    return replace(sizes, **more)
