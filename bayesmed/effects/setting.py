"""What a table of effects is of, in a line: contrast, families, rho, rows."""

from collections.abc import Mapping
from typing import Any

_ALL_ROWS = "averaged over the observed rows"
ALIKE = ", which changes nothing here: the effects are the same for every row"


def effects_about(
    about: Mapping[str, Any],
    at: Mapping[str, Any] | None,
    average: str,
    said: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Attributes of an effects Dataset."""
    own = dict(said or {})
    setting = ", ".join(f"{name} = {value}" for name, value in (at or {}).items())
    averaged = {
        "sample": _ALL_ROWS,
        "population": "averaged over a Bayesian bootstrap of the rows",
    }[average]
    if own.get("on"):
        averaged += f" {own['on']}"
    if own.get("weights"):
        averaged += f", weighted by {own['weights']}"
    if own.get("by"):
        averaged += f", for each {own['by']}"
    if own.get("alike") and averaged != _ALL_ROWS:
        averaged += ALIKE
    return {**about, **own, "at": setting, "averaged": averaged, "difference": False}


def contrast_words(about: Mapping[str, Any]) -> str:
    """The contrast of the effects, which may be a standard deviation of the treatment."""
    per_sd = about.get("per_sd") and "; " not in about["contrast"]
    return f"{about['treatment']}: one sd more" if per_sd else str(about["contrast"])


_SCALE_WORDS = {
    "ratio": "; as ratios", "odds_ratio": "; as odds ratios",
    "standardised": "; in standard deviations of the outcome",
}  # fmt: skip


def headline(about: Mapping[str, Any]) -> str:
    """One line that says what a table of effects is of."""
    kind = "Differences of mediation effects" if about.get("difference") else "Mediation effects"
    where = f", at {about['at']}" if about["at"] else ""
    plain = about.get("functional", "mean") == "mean"
    per = " for one sd of the treatment" if about.get("per_sd") else ""
    of = about["outcome"] if plain else f"the {about['of']}"
    fixed = (
        f"; controlled direct effect at {about['mediator']} = {about['m']}"
        if about.get("m")
        else ""
    )
    return (
        f"{kind} of {contrast_words(about)} on {of} through {about['mediator']}; "
        f"{about['families'][0]} mediator, {about['families'][1]} outcome; rho {about['rho']}; "
        f"{about['averaged']}{where}{_SCALE_WORDS.get(about.get('scale', ''), '')}{per}{fixed}"
        f"{_assumed(about)}{_thinned(about)}."
    )


def _assumed(about: Mapping[str, Any]) -> str:
    return f"; {about['assumed']}" if about.get("assumed") else ""


def _thinned(about: Mapping[str, Any]) -> str:
    every = about.get("every", 1)
    return f"; computed at one draw in {every}, since all would take too long" if every > 1 else ""


def arms_words(about: Mapping[str, Any]) -> str:
    """How many have each treatment level, and that other levels than the two compared count too."""
    arms = about.get("arms") or {}
    levels = str(about["contrast"]).split(": ", 1)[-1].split(" -> ")
    if len(levels) != 2 or not all(arms.get(level) for level in levels):
        return ""
    counts = ", ".join(f"{level}: {arms[level]}" for level in levels)
    others = {level: n for level, n in arms.items() if level not in levels}
    if not others:
        return f" ({counts})"
    told = ", ".join(f"{level}: {n}" for level, n in others.items())
    where = "both equations" if about.get("on") else "both equations and the averages"
    return f" ({counts}; {told}, which {where} include)"
