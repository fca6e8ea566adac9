"""What results are of: the fit, and what was asked of it; and that in words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import xarray as xr

from bayesmed.effects.estimands import Scale, null_value
from bayesmed.system.about import About

#: Shares of which variances; confounders beside a covariate, or in its place.
type Form = Literal["residual", "total"]
type Kind = Literal["besides", "leave-out"]
_ALL_ROWS = "averaged over the observed rows"
_ALIKE = ", which changes nothing here: the effects are the same for every row"
_SCALE_WORDS = {
    "ratio": "; as ratios", "odds_ratio": "; as odds ratios",
    "standardised": "; in standard deviations of the outcome",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Setting(About):
    """What a Dataset of results is of; as JSON it is their attribute ``bayesmed``.

    First what was asked, then what the answer rests on, then what was made of it.
    """

    on: str = ""
    by: str = ""
    group_sizes: Mapping[str, int] = field(default_factory=dict)
    weights: str = ""
    alike: bool = False
    of: str = ""
    functional: str = "mean"
    scale: Scale = "difference"
    m: str = ""
    per_sd: bool = False
    at: str = ""
    averaged: str = _ALL_ROWS
    difference: bool = False
    every: int = 1
    error: float | None = None
    assumed: str = ""
    impossible: float = 0.0
    prior_note: str = ""
    no_r_squared: str = ""
    group: str = ""
    carried: float | None = None
    claim: str = ""
    form: Form = "residual"
    r_compatible: bool = False
    kind: Kind = "besides"
    times: float = 1.0
    approximate: bool = False

    @property
    def null(self) -> float:
        """The value of no effect."""
        return null_value(self.scale)

    @property
    def what(self) -> str:
        """What of the outcome is averaged; nothing where it is the mean."""
        return "" if self.functional == "mean" else f"the {self.of}"

    @property
    def where(self) -> str:
        """At which values of covariates."""
        return f", at {self.at}" if self.at else ""

    @property
    def contrast_words(self) -> str:
        """The contrast of the effects, which may be a standard deviation of the treatment."""
        one_sd = self.per_sd and "; " not in self.contrast
        return f"{self.treatment}: one sd more" if one_sd else self.contrast

    @property
    def headline(self) -> str:
        """One line that says what a table of effects is of."""
        kind = "Differences of mediation effects" if self.difference else "Mediation effects"
        per = " for one sd of the treatment" if self.per_sd else ""
        fixed = f"; controlled direct effect at {self.mediator} = {self.m}" if self.m else ""
        assumed = f"; {self.assumed}" if self.assumed else ""
        few = f"; computed at one draw in {self.every}, since all would take too long"
        return (
            f"{kind} of {self.contrast_words} on {self.what or self.outcome} through {self.mediator}; "
            f"{self.family['mediator']} mediator, {self.family['outcome']} outcome; rho {self.rho}; "
            f"{self.averaged}{self.where}{_SCALE_WORDS.get(self.scale, '')}{per}{fixed}{assumed}"
            f"{few if self.every > 1 else ''}."
        )

    @property
    def arms_words(self) -> str:
        """How many have each treatment level, and that other levels than the two compared count too."""
        levels = self.contrast.split(": ", 1)[-1].split(" -> ")
        if len(levels) != 2 or not all(self.arms.get(level) for level in levels):
            return ""
        counts = ", ".join(f"{level}: {self.arms[level]}" for level in levels)
        others = {level: n for level, n in self.arms.items() if level not in levels}
        if not others:
            return f" ({counts})"
        told = ", ".join(f"{level}: {n}" for level, n in others.items())
        where = "both equations" if self.on else "both equations and the averages"
        return f" ({counts}; {told}, which {where} include)"

    def chosen(self, labels: Mapping[str, Any]) -> "Setting":
        """Of one label of some dimensions."""
        found, at = self, [self.at] if self.at else []
        for dim, label in labels.items():
            if dim == "contrast":
                found = found.saying(contrast=f"{self.treatment}: {label}")
            elif dim == "by":
                count, group = self.group_sizes.get(str(label)), f"{self.by} = {label}"
                rows = "the rows" if count is None else f"the {count} rows"
                over = self.averaged.split(", for each ")[0].replace("the observed rows", rows)
                averaged = f"{over} with {group}{_ALIKE if self.alike else ''}"
                found = found.saying(by="", group=group, averaged=averaged)
            else:
                at.append(f"{dim} = {label}")
        return found.saying(at=", ".join(at))


def setting_of(draws: xr.Dataset | xr.DataArray) -> Setting:
    """What a Dataset of results says that it is of."""
    return Setting.from_json(draws.attrs["bayesmed"])


def asked_of(
    about: About, at: Mapping[str, Any] | None = None, average: str = "sample", **question: Any
) -> Setting:
    """The setting of a question to a fit."""
    found = Setting(**vars(about)).saying(**question)
    averaged = (
        _ALL_ROWS if average == "sample" else "averaged over a Bayesian bootstrap of the rows"
    )
    averaged += f" {found.on}" if found.on else ""
    averaged += f", weighted by {found.weights}" if found.weights else ""
    averaged += f", for each {found.by}" if found.by else ""
    averaged += _ALIKE if found.alike and averaged != _ALL_ROWS else ""
    at_words = ", ".join(f"{name} = {value}" for name, value in (at or {}).items())
    return found.saying(at=at_words, averaged=averaged, difference=False)
