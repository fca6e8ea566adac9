"""From the arguments of a question to the rows, weights, contrasts and functionals asked for."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmed.data.levels import Contrast
from bayesmed.data.texts import number_as_text
from bayesmed.data.warn import warn
from bayesmed.effects.estimands import SCALES, Scale
from bayesmed.effects.setting import Setting, asked_of
from bayesmed.effects.view import Asked, View
from bayesmed.families.listing import few, is_number
from bayesmed.families.names import nearest
from bayesmed.means.accuracy import ACCURACIES, Accuracy, Effort
from bayesmed.means.slices import sliced
from bayesmed.means.target import Functional, Target, probability, resolve_functional, target_of
from bayesmed.posterior.state import Posterior
from bayesmed.system.about import contrast_in_sd
from bayesmed.system.capabilities import refuse
from bayesmed.system.groups import (
    by_group,
    group_columns,
    levels_of,
    warn_of_alike,
    warn_of_one_arm,
    warn_of_ranges,
)
from bayesmed.system.rows import Counterfactuals, RowSource, equal_rows
from bayesmed.system.system import System

#: Most pairs of treatment values that contrast="pairwise" compares.
_MOST_PAIRS = 45
#: Scales by their initials.
_SHORT = {"or": "odds_ratio", "rr": "ratio", "rd": "difference", "smd": "standardised"}


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of a fit; the arguments are those of :meth:`bayesmed.MediationFit.effects`."""

    at: Mapping[str, Any] | None = None
    average: str = "sample"
    by: str | Sequence[str] | None = None
    on: str = "all"
    weights: str | None = None
    contrast: Any = None
    of: Any = "mean"
    m: Any = None
    scale: Scale = "difference"
    memory: float | None = None
    accuracy: Accuracy = "posterior"

    @property
    def of_all_rows(self) -> bool:
        """Whether it is the means of all rows under the model's own contrast that are asked for."""
        others = (self.at, self.by, self.weights, self.contrast, self.m)
        plain = self.average == "sample" and self.on == "all"
        return plain and all(value is None for value in others)


def ask(fit: Posterior, question: Question) -> tuple[Asked, Setting]:
    """Settle a question, and say what it is."""
    if question.accuracy not in ACCURACIES:
        near = nearest(question.accuracy, ACCURACIES)
        raise ValueError(f"accuracy={question.accuracy!r}; choose one of {list(ACCURACIES)}.{near}")
    columns = [] if question.by is None else group_columns(question.by)
    if question.average == "population":
        refuse("population", fit)
    targets, contrasts = _targets(fit, question), _contrasts(fit, question.contrast)
    values = _mediator_values(fit, question.m)
    views: list[View] = []
    alike = question.scale in ("difference", "standardised")
    for chosen in contrasts:
        rows = fit.row_source(question.at, chosen)
        alike = alike and all(_same_for_all(rows.held, one) for one in targets)
        groups = _groups(fit, rows, question, columns, chosen)
        views += [
            _view(fit, part, target, value, question)
            for (_, part), target, value in itertools.product(groups, targets, values)
        ]
    if columns:
        _warn_of_groups(fit, columns, contrasts)
    dims = _dims(fit, question, contrasts, [label for label, _ in groups])
    named = str(contrasts[0] or fit.description.contrast)
    if "contrast" in dims:
        named = f"{fit.description.treatment}: {'; '.join(dims['contrast'])}"
    sizes = {str(label): part.n for label, part in groups if columns}
    setting = _setting(
        fit, question, targets[0].functional, named, ", ".join(columns), sizes, alike
    )
    return Asked(tuple(views), dims, question.scale, _unit(fit, question, contrasts, dims)), setting


def _targets(fit: Posterior, question: Question) -> list[Target]:
    """What of the outcome is averaged: one functional, or the probability of each category."""
    if question.of != "mean":
        refuse("of", fit, asked=question.of)
    levels, family = tuple(fit.description.categories.get("outcome", ())), fit.families["outcome"]
    if isinstance(question.of, str) and question.of == "categories":
        refuse("categories", family)
        functionals = [probability(equals=level) for level in levels]
    else:
        functionals = [resolve_functional(question.of)]
    targets = [target_of(one, family, levels) for one in functionals]
    for one in targets:
        check_scale(one, question.scale)
        _warn_of_horizon(fit, one.functional)
    return targets


def _view(
    fit: Posterior, rows: RowSource, target: Target, m: float | None, question: Question
) -> View:
    whole = target.functional.kind == "quantile"  # of all rows' distribution, no mean
    held = sliced(_limited(fit, rows, target), None if whole else question.memory)
    return View(held, target, m, Effort(exact=question.accuracy == "exact"))


def _warn_of_groups(
    fit: Posterior, columns: list[str], contrasts: Sequence[Contrast | None]
) -> None:
    model = fit.require_model("groups", asked="by=")
    warn_of_ranges(model, columns)
    warn_of_alike(model, columns)
    if model.treatment not in columns:
        warn_of_one_arm(model, [one or model.contrast for one in contrasts], columns)


def _dims(
    fit: Posterior, question: Question, contrasts: Sequence[Contrast | None], groups: list[Any]
) -> dict[str, list[Any]]:
    """Labels along each dimension of which several were asked for."""
    dims: dict[str, list[Any]] = {}
    if isinstance(question.contrast, list) or question.contrast == "pairwise":
        dims["contrast"] = [str(chosen).split(": ", 1)[1] for chosen in contrasts]
    if question.by is not None:
        dims["by"] = groups
    if question.of == "categories":
        dims["category"] = list(fit.description.categories["outcome"])
    if isinstance(question.m, (list, tuple, np.ndarray)):
        dims["m"] = list(question.m)
    return dims


def _setting(
    fit: Posterior,
    question: Question,
    functional: Functional,
    contrast: str,
    by: str,
    sizes: Mapping[str, int],
    alike: bool,
) -> Setting:
    """What a table says of a question."""
    m, about = question.m, fit.description
    each = f"probability of each category of {about.outcome}"
    standardised = question.scale == "standardised"
    return asked_of(
        about, question.at, question.average, contrast=contrast,
        on={"all": "", "treated": "of the treated", "untreated": "of the untreated"}[question.on],
        by=by, group_sizes=sizes, weights=question.weights or "", alike=alike,
        of=each if question.of == "categories" else functional.label(about.outcome),
        functional=functional.kind, scale=question.scale,
        m="" if m is None else str(list(m) if isinstance(m, (list, tuple, np.ndarray)) else m),
        **({"per_sd": _contrast_in_sd(fit, None) is not None} if standardised else {}),
    )  # fmt: skip


def _same_for_all(rows: Counterfactuals, target: Target) -> bool:
    """Whether effects are the same for every row, whoever is averaged over: linear, no interaction."""
    mediator, outcome = rows.mediator, rows.outcome
    linear = target.functional.kind == "mean" and target.family.additive
    if not (linear and mediator.family.additive) or outcome.log_mediator:
        return False
    if outcome.base is None or outcome.slope is None:
        return False
    changes = [design[1] - design[0] for design in (mediator.design, outcome.base)]
    return np.array_equal(*outcome.slope) and all(map(equal_rows, [*changes, outcome.slope[0]]))


def check_scale(target: Target, scale: str) -> None:
    """Refuse ratios of what can be zero or negative, and odds of what is no probability."""
    if scale not in SCALES:
        near = nearest(_SHORT.get(str(scale).lower(), scale), SCALES)
        raise ValueError(f"scale={scale!r}; choose one of {list(SCALES)}.{near}")
    if scale != "difference":
        refuse(scale, target)


def _warn_of_horizon(fit: Posterior, functional: Functional) -> None:
    time = functional.value
    if functional.kind not in ("restricted_mean", "probability") or not isinstance(time, float):
        return
    last = float(fit.tree["observed_data"]["outcome"].max())
    if "event" in fit.families["outcome"].takes and time > last:
        warn(
            f"The time {time:g} lies beyond the end of follow-up, {last:g}: what happens there is "
            "extrapolated by the shape of the outcome's family."
        )


def _contrasts(fit: Posterior, contrast: Any) -> list[Contrast | None]:
    """Those that are asked for; None is the fit's own."""
    if contrast is None:
        return [None]
    model = fit.require_model("contrast")
    if isinstance(contrast, str):
        pairs = _all_pairs(model, contrast)
    else:
        pairs = contrast if isinstance(contrast, list) else [contrast]
        if not pairs:
            raise ValueError("contrast=[] names no pair of (control, treated).")
        for pair in pairs:
            if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
                raise ValueError(
                    "contrast= takes (control, treated), a list of such pairs or 'pairwise'; "
                    f"{contrast!r} was given."
                )
    return [_other(model, *pair) for pair in pairs]


def _all_pairs(model: System, word: str) -> list[tuple[Any, Any]]:
    if word != "pairwise":
        raise ValueError(
            f"contrast={word!r}; give (control, treated), a list of them or 'pairwise'."
        )
    column = model.frame.data[model.treatment]
    levels = levels_of(column)
    pairs = list(itertools.combinations(levels, 2))
    if len(pairs) > _MOST_PAIRS:
        raise ValueError(
            f"{model.treatment!r} has {len(levels)} values, so {len(pairs)} pairs; name some in a list "
            "of (control, treated), or use fit.dose_response()."
        )
    return pairs


def _other(model: System, control: Any, treated: Any) -> Contrast:
    """Another contrast, under which the draws are the same."""
    chosen = model.contrast_of(control, treated)
    if (model.closed_under(chosen).map is None) != (model.identification.map is None):
        raise ValueError(
            f"Between {control!r} and {treated!r} the pair is not closed in the same way as for the "
            "model's own contrast; fit a model with this contrast."
        )
    return chosen


def _mediator_values(fit: Posterior, m: Any) -> list[float | None]:
    """Positions or numbers at which the mediator is set."""
    if m is None:
        return [None]
    values = list(m) if isinstance(m, (list, tuple, np.ndarray)) else [m]
    if not values:
        raise ValueError(f"m={m!r} names no value of the mediator.")
    family, name = fit.families["mediator"], fit.description.mediator
    if family.kind == "ordered":
        levels = fit.description.categories["mediator"]
        unknown = [value for value in values if value not in levels]
        if unknown:
            raise ValueError(
                f"m={unknown[0]!r} is not a category of {name!r}; it has {few(levels)}."
            )
        return [float(levels.index(value)) for value in values]
    for value in values:
        if not is_number(value) or not np.all(family.valid(np.array([float(value)]))):
            raise ValueError(
                f"m={value!r} is no value of the mediator {name!r}: a {family.name} mediator takes "
                f"{family.domain}."
            )
    observed = fit.tree["observed_data"]["mediator"].to_numpy()
    if fit.description.moments:
        observed = np.array(fit.description.moments["mediator"])
    outside = [v for v in values if not observed.min() <= v <= observed.max()]
    if outside:
        warn(
            f"m = {outside[0]:g} lies outside the observed range of {name!r} ({observed.min():g} to "
            f"{observed.max():g}): the effect there is an extrapolation."
        )
    return [float(value) for value in values]


def _groups(
    fit: Posterior,
    rows: RowSource,
    question: Question,
    columns: list[str],
    contrast: Contrast | None,
) -> Sequence[tuple[Any, RowSource]]:
    """Rows of each subgroup, weighted, with its label."""
    by, on, weights = question.by, question.on, question.weights
    if on not in ("all", "treated", "untreated"):
        near = nearest(on, ("all", "treated", "untreated"))
        raise ValueError(f"on={on!r}; choose 'all', 'treated' or 'untreated'.{near}")
    if by is None and on == "all" and weights is None:
        return [(None, rows)]
    given = {"by=": by is not None, "on=": on != "all", "weights=": weights is not None}
    asked = [name for name, yes in given.items() if yes]
    model = fit.require_model("groups", asked=" with ".join(asked))
    held, wanted = rows.held, np.ones(len(model.frame.data), dtype=bool)
    if weights is not None:
        held = replace(held, weights=_checked_weights(model, weights))
    if on != "all":
        chosen = contrast or model.contrast
        level = chosen.treated if on == "treated" else chosen.control
        wanted = (model.frame.data[model.treatment] == level).to_numpy()
        if not wanted.any():
            raise ValueError(
                f"on={on!r}: no row has {model.treatment} = {level!r}, so nobody is to be averaged "
                "over."
            )
    if by is None:
        return [(None, held.take(np.flatnonzero(wanted)))]
    return list(by_group(model, held, columns, wanted))


def _checked_weights(model: System, name: Any) -> np.ndarray:
    if not isinstance(name, str):
        raise TypeError(
            f"weights= takes the name of a column; {type(name).__name__} was given. Put the weights "
            "into a column of the data before the fit."
        )
    column = model.frame.column(name, "weights")
    _refuse_weighing_by_role(model, name)
    if isinstance(column.dtype, pd.CategoricalDtype):
        text = number_as_text(name, column.cat.categories)
        raise ValueError(
            f"weights={name!r} {text or 'is categorical; it must be a column of numbers.'}"
        )
    values = column.to_numpy(dtype=float)
    if not np.all(np.isfinite(values)) or values.min() < 0.0 or values.sum() == 0.0:
        raise ValueError(
            f"weights={name!r} must be finite and not negative, with some above zero; it runs from "
            f"{values.min():g} to {values.max():g}."
        )
    return values / values.sum()


def _refuse_weighing_by_role(model: System, name: str) -> None:
    if name == model.treatment:
        raise ValueError(
            f"weights={name!r} is the treatment; on='treated' or on='untreated' averages over those "
            "of one arm."
        )
    for role, equation in model.equations.items():
        if name == equation.name:
            raise ValueError(
                f"weights={name!r} is the {role}, which the treatment moves; weights say whom the "
                "effects are averaged over, such as survey weights."
            )


def _limited(fit: Posterior, rows: RowSource, target: Target) -> RowSource:
    """Rows with the limits within which a tobit outcome is observed."""
    if target.functional.kind != "observed":
        return rows
    data = fit.tree["constant_data"]
    columns = {
        n: data[f"outcome_{n}"].to_numpy() for n in ("lower", "upper") if f"outcome_{n}" in data
    }
    for name, values in columns.items():
        if len(values) != rows.n:
            if np.ptp(values) > 0.0:
                raise ValueError(
                    f"The {name} limit differs between rows: of='observed' takes all rows together, "
                    "without by= and on=."
                )
            columns[name] = np.full(rows.n, values[0])
    held = rows.held
    return held.changed("outcome", columns={**held.outcome.columns, **columns})


def _unit(
    fit: Posterior,
    question: Question,
    contrasts: Sequence[Contrast | None],
    dims: Mapping[str, Any],
) -> Any:
    """sd of the outcome; for a numeric treatment, times the contrast in sds of the treatment."""
    if question.scale != "standardised":
        return 1.0
    sd = float(fit.tree["observed_data"]["outcome"].std(ddof=1))
    units = [sd * (_contrast_in_sd(fit, chosen) or 1.0) for chosen in contrasts]
    if "contrast" not in dims:
        return units[0]
    return xr.DataArray(units, dims=("contrast",), coords={"contrast": dims["contrast"]})


def _contrast_in_sd(fit: Posterior, contrast: Contrast | None) -> float | None:
    """As the model has it, or the file of a fit."""
    refuse("unit", fit)
    if fit.model is not None:
        return contrast_in_sd(fit.model, contrast or fit.model.contrast)
    return fit.description.contrast_in_sd
