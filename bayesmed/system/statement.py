"""What a user states of a model beside its data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bayesmed.data.levels import Level
from bayesmed.families.family import Family
from bayesmed.families.prior import Prior

PriorScale = Literal["regression", "structural"]


@dataclass(frozen=True, kw_only=True)
class Statement:
    """The arguments of :class:`bayesmed.MediationModel`, which says what they are."""

    mediator: str
    outcome: str
    treatment: str
    control: Level | None = None
    treated: Level | None = None
    mediator_family: str | Family = "gaussian"
    outcome_family: str | Family = "gaussian"
    rho: float | Prior = 0.0
    priors: Mapping[str, Mapping[str, Prior]] | None = None
    priors_on: PriorScale | None = None
    mediator_data: Mapping[str, Any] | None = None
    outcome_data: Mapping[str, Any] | None = None
    mediator_sigma: str | None = None
    outcome_sigma: str | None = None
    weights: None = None
