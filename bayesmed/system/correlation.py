"""The correlation of the equations' residuals."""

from dataclasses import dataclass

from bayesmed.families.prior import Prior, check_rho


@dataclass(frozen=True)
class Correlation:
    """Of the normal scores of mediator and outcome: a number, or a prior of one.

    Attributes
    ----------
    stated : float or Prior
        As the user gave it.
    """

    stated: float | Prior

    def __post_init__(self) -> None:
        check_rho(self.stated)

    @property
    def prior(self) -> Prior | None:
        """None where it is fixed."""
        return self.stated if isinstance(self.stated, Prior) else None

    @property
    def fixed(self) -> float | None:
        """None where it has a prior."""
        return None if isinstance(self.stated, Prior) else float(self.stated)

    def __str__(self) -> str:
        return f"fixed at {self.stated:g}" if self.prior is None else f"~ {self.prior!r}"
