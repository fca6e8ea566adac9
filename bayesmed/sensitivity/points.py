"""Points of a sweep over rho, and a run that keeps what it has done."""

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from bayesmed.data.warn import warn

#: Seconds from which on a run says how long it takes.
_LONG = 10.0


@dataclass(frozen=True)
class RhoPoint:
    """One rho of a sweep: counterfactual means, the effect on the mediator, and how."""

    cells: np.ndarray
    shift: np.ndarray
    how: str
    pareto_k: float = float("nan")


@dataclass
class Run:
    """What a sweep has done so far; it outlives a failure."""

    points: dict[float, RhoPoint] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def each(
        self,
        steps: Iterable[tuple[float, Callable[[], RhoPoint | None]]],
        description: str,
        progress: bool,
    ) -> bool:
        """Take steps until one fails; say whether all were taken.

        A step that returns None leaves its rho to be done otherwise.
        """
        from rich.progress import track

        rho, every, start = float("nan"), list(steps), time.monotonic()
        try:
            for i, (rho, step) in enumerate(track(every, description, disable=not progress)):
                if i == 2 and progress:  # the first may cost nothing: the fit's own rho
                    _tell(description, len(every), 0.5 * (time.monotonic() - start))
                point = step()
                if point is not None:
                    self.points[rho] = point
        except (KeyboardInterrupt, Exception) as error:
            if not self.points:
                raise
            warn(
                f"The sweep stopped at rho = {rho:g} ({type(error).__name__}: {error}); the "
                f"{len(self.points)} values before it are kept."
            )
            return False
        return True

    def warn_of_failed(self) -> None:
        """Name the refits that did not converge."""
        if self.failed:
            warn(
                "Refits without convergence, whose values are not to be relied on: "
                + "; ".join(self.failed)
            )


def _tell(description: str, count: int, seconds: float) -> None:
    """Say what a long run costs where no bar shows it."""
    if seconds * count > _LONG and not sys.stderr.isatty():
        print(f"{description}: about {seconds * count:.0f} s", file=sys.stderr, flush=True)
