"""What is asked of a fit: rows, weights, contrast and functional, each a view of its draws."""

import itertools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmed.condense import merge_equal
from bayesmed.curve import Regression, curve_cells, curve_fixed
from bayesmed.design import Counterfactuals
from bayesmed.draws import Draws
from bayesmed.estimands import ARMS, FIXED, SCALES, Scale
from bayesmed.family import Family
from bayesmed.functionals import Functional, Target, probability, resolve_functional, target_of
from bayesmed.latent_cells import has_latent_cells, latent_means
from bayesmed.potential import cell_means, fixed_means, mediator_effect
from bayesmed.quantiles import quantile_cells, quantile_curve, quantile_curve_fixed, quantile_fixed
from bayesmed.thinning import thinning

if TYPE_CHECKING:
    from bayesmed.fitting import MediationFit
    from bayesmed.model import MediationModel

_MOST_PAIRS = 45


@dataclass(frozen=True)
class View:
    """One set of rows under two arms, one functional of the outcome, and perhaps a fixed m.

    Attributes
    ----------
    families : tuple of Family
        Of the mediator and of the outcome.
    rows : Counterfactuals
    target : Target
    m : float or None
        The value at which the mediator is set for a controlled direct effect; of an ordered
        one the position of its category.
    """

    families: tuple[Family, Family]
    rows: Counterfactuals
    target: Target
    m: float | None = None

    @cached_property
    def merged(self) -> Counterfactuals:
        """The rows, equal ones put together."""
        return merge_equal(self.rows)

    def cells(self, draws: Draws, bootstrap: int | None = None) -> np.ndarray:
        """Counterfactual means, shape (2, 2 or 3, S): arm, mediator arm, draw."""
        target = self.target
        if target.functional.kind == "quantile":
            cells = quantile_cells(draws, self.families[0], self.rows, target, bootstrap)
            if self.m is None:
                return cells
            fixed = quantile_fixed(draws, self.families[0], self.rows, target, self.m, bootstrap)
            return np.concatenate([cells, fixed[:, None]], axis=1)
        rows = self.rows if bootstrap is not None else self.merged
        families, rows = (self.families[0], target.family), target.rows(rows)
        own = target.draws(draws)
        quick = bootstrap is None and not target.family.additive
        if quick and has_latent_cells(own, families, rows):
            cells = latent_means(own, target.family, rows)
        else:
            cells = cell_means(own, families, rows, bootstrap)
        if self.m is None:
            return cells
        fixed = fixed_means(own, families, rows, self.m, bootstrap)
        return np.concatenate([cells, fixed[:, None]], axis=1)

    def curve(self, regression: Regression, rho: np.ndarray) -> np.ndarray:
        """The same along rho from the draws at rho = 0 of a closed pair: (rho, 2, 2 or 3, S)."""
        target = self.target
        if target.functional.kind == "quantile":
            quick = quantile_curve(regression, self.families, self.rows, target, rho)
            if quick is None:
                return np.stack([self.cells(regression.at(value)) for value in rho])
            if self.m is None:
                return quick
            set_to = quantile_curve_fixed(regression, self.families, self.rows, target, rho, self.m)
            return np.concatenate([quick, set_to[:, :, None]], axis=2)
        rows = self.merged
        cells = curve_cells(regression, self.families, rows, rho, target)
        if self.m is None:
            return cells
        fixed = curve_fixed(regression, self.families, rows, rho, self.m, target)
        return np.concatenate([cells, fixed[:, :, None]], axis=2)

    def shift(self, draws: Draws) -> np.ndarray:
        """Mean effect of the treatment on the mediator, shape (S,)."""
        return mediator_effect(draws, self.families, self.merged)

    def every(self, draws: Draws, points: int = 1) -> int:
        """Every how many draws to use, so that it takes some minutes at most."""
        families, rows = (self.families[0], self.target.family), self.target.rows(self.merged)
        return thinning(families, rows, self.target.draws(draws), points)


@dataclass(frozen=True)
class Asked:
    """Views in the order of their labels.

    Attributes
    ----------
    views : tuple of View
    dims : dict of str to list
        Labels along each leading dimension: ``contrast``, ``by``, ``category``, ``m``.
    scale : {"difference", "ratio", "odds_ratio", "standardised"}
    unit : float or xarray.DataArray
        Standard deviations that standardise.
    said : dict
        What a table says of it.
    every : int
        Only every k-th draw of each chain is used.
    """

    views: tuple[View, ...]
    dims: dict[str, list[Any]]
    scale: Scale
    unit: Any
    said: dict[str, Any]
    every: int = 1

    def thinned(self, draws: Draws, points: int = 1) -> "Asked":
        """The same of as many draws as some minutes allow, where the means are dear."""
        points *= len(self.views)
        return replace(self, every=max(view.every(draws, points) for view in self.views))

    def kept(self, shape: tuple[int, int]) -> np.ndarray:
        """Which draws are used, shape (chain, draw)."""
        return np.arange(shape[0] * shape[1]).reshape(shape)[:, :: self.every]

    @property
    def mediator_arms(self) -> list[str]:
        """Labels of the means' second axis."""
        return [*ARMS, *([FIXED] if self.views[0].m is not None else [])]

    def cells(self, draws: Draws, bootstrap: int | None = None) -> np.ndarray:
        """Counterfactual means of every view, shape (view, 2, 2 or 3, S)."""
        return np.stack([view.cells(draws, bootstrap) for view in self.views])

    def curve(self, regression: Regression, rho: np.ndarray) -> np.ndarray:
        """The same along rho, shape (rho, view, 2, 2 or 3, S)."""
        return np.stack([view.curve(regression, rho) for view in self.views], axis=1)

    def shift(self, draws: Draws) -> np.ndarray:
        """Mean effects on the mediator, shape (view, S)."""
        return np.stack([view.shift(draws) for view in self.views])

    def label(
        self, cells: np.ndarray, kept: np.ndarray, rho: np.ndarray | None = None
    ) -> xr.DataArray:
        """Name the axes of means, (..., view, 2, 2 or 3, S): dims (rho, ..., arm, mediator_arm, ...)."""
        sizes = [len(labels) for labels in self.dims.values()]
        leading = {} if rho is None else {"rho": rho}
        full = (*(len(v) for v in leading.values()), *sizes, *cells.shape[-3:-1], *kept.shape)
        coords = {
            **leading,
            **self.dims,
            "arm": list(ARMS),
            "mediator_arm": self.mediator_arms,
            "chain": np.arange(kept.shape[0]),
            "draw": kept[0],
        }
        dims = (*leading, *self.dims, "arm", "mediator_arm", "chain", "draw")
        return xr.DataArray(cells.reshape(full), dims=dims, coords=coords, name="po")


def ask(
    fit: "MediationFit",
    *,
    at: Mapping[str, Any] | None = None,
    by: str | None = None,
    on: str = "all",
    weights: str | None = None,
    contrast: Any = None,
    of: Any = "mean",
    m: Any = None,
    scale: Scale = "difference",
) -> Asked:
    """Settle a question; see :meth:`bayesmed.MediationFit.effects`.

    Raises
    ------
    ValueError, TypeError
        For what a model does not have; the message says what it has.
    """
    about = fit.about
    if about.get("moments") and of != "mean":
        fit.require_model(f"of={of!r}")
    levels = tuple(about["categories"].get("outcome", ()))
    functionals = _functionals(of, levels, fit.families[1])
    targets = [target_of(one, fit.families[1], levels) for one in functionals]
    for one in targets:
        check_scale(one, scale)
        _warn_of_horizon(fit, one.functional)
    sources = _sources(fit, contrast)
    values = _mediator_values(fit, m)
    views, groups = [], None
    for source in sources:
        rows = source.counterfactuals(at)
        own = _groups(source, rows, by, on, weights)
        groups = [label for label, _ in own]
        for (_, part), target, value in itertools.product(own, targets, values):
            views.append(View(fit.families, _limited(fit, part, target), target, value))
    assert groups is not None
    dims: dict[str, list[Any]] = {}
    if isinstance(contrast, list) or contrast == "pairwise":
        dims["contrast"] = [_contrast(source).split(": ", 1)[1] for source in sources]
    if by is not None:
        dims["by"] = groups
    if of == "categories":
        dims["category"] = list(levels)
    if isinstance(m, (list, tuple, np.ndarray)):
        dims["m"] = list(m)
    named = _contrast(sources[0])
    if "contrast" in dims:
        named = f"{about['treatment']}: {'; '.join(dims['contrast'])}"
    said = {
        "contrast": named,
        "on": {"all": "", "treated": "of the treated", "untreated": "of the untreated"}[on],
        "by": by or "",
        "weights": weights or "",
        "of": _of_label(of, functionals[0], about["outcome"]),
        "functional": functionals[0].kind,
        "scale": scale,
        "m": "" if m is None else str(list(m) if isinstance(m, (list, tuple, np.ndarray)) else m),
        "mediator": about["mediator"],
    }
    unit = _unit(fit, sources, dims, scale)
    if scale == "standardised":
        said["per_sd"] = _is_graded(fit.require_model("scale='standardised'"))
    return Asked(tuple(views), dims, scale, unit, said)


def _contrast(fit: "MediationFit") -> str:
    return str(fit.model.contrast) if fit.model is not None else str(fit.about["contrast"])


def _of_label(of: Any, functional: Functional, outcome: str) -> str:
    return (
        f"probability of each category of {outcome}"
        if of == "categories"
        else functional.label(outcome)
    )


def _functionals(of: Any, levels: tuple[Any, ...], family: Family) -> list[Functional]:
    if isinstance(of, str) and of == "categories":
        if family.kind != "ordered":
            raise ValueError(
                f"of='categories' is for an ordered outcome; a {family.name} outcome has none. Ask "
                "for bm.probability(...)."
            )
        return [probability(equals=level) for level in levels]
    return [resolve_functional(of)]


def check_scale(target: Target, scale: str) -> None:
    """Refuse ratios of what can be zero or negative, and odds of what is no probability.

    Raises
    ------
    ValueError
    """
    if scale not in SCALES:
        raise ValueError(f"scale={scale!r}; choose one of {list(SCALES)}.")
    base, kind = target.base, target.functional.kind
    chance = kind == "probability" or (kind == "mean" and base.kind == "binary")
    if scale == "odds_ratio" and not chance:
        raise ValueError(
            f"An odds ratio needs a probability; this is the {kind.replace('_', ' ')} of a {base.name} "
            "outcome. Ask for of=bm.probability(...), or scale='difference'."
        )
    positive = base.multiplicative or base.kind == "count" or base.name == "beta"
    if scale == "ratio" and not (
        chance or kind == "restricted_mean" or (positive and kind in ("mean", "quantile"))
    ):
        raise ValueError(
            f"A ratio needs what is always positive; the {kind.replace('_', ' ')} of a {base.name} "
            "outcome is not. Use scale='difference', or ask for of=bm.probability(above=...)."
        )
    if scale == "standardised" and kind not in ("mean", "observed", "quantile"):
        raise ValueError(
            f"scale='standardised' divides by the outcome's standard deviation, which a "
            f"{kind.replace('_', ' ')} is not measured in. Use scale='difference'."
        )


def _warn_of_horizon(fit: "MediationFit", functional: Functional) -> None:
    time = functional.value
    if functional.kind not in ("restricted_mean", "probability") or not isinstance(time, float):
        return
    last = float(fit.tree["observed_data"]["outcome"].max())
    if "event" in fit.families[1].takes and time > last:
        warnings.warn(
            f"The time {time:g} lies beyond the end of follow-up, {last:g}: what happens there is "
            "extrapolated by the shape of the outcome's family.",
            UserWarning,
            stacklevel=4,
        )


def _sources(fit: "MediationFit", contrast: Any) -> list["MediationFit"]:
    """The fit under each contrast that is asked for."""
    if contrast is None:
        return [fit]
    model = fit.require_model("contrast=")
    if isinstance(contrast, str):
        pairs = _all_pairs(model, contrast)
    else:
        pairs = contrast if isinstance(contrast, list) else [contrast]
        for pair in pairs:
            if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
                raise ValueError(
                    "contrast= takes (control, treated), a list of such pairs or 'pairwise'; "
                    f"{contrast!r} was given."
                )
    return [_under(fit, model, *pair) for pair in pairs]


def _all_pairs(model: "MediationModel", word: str) -> list[tuple[Any, Any]]:
    if word != "pairwise":
        raise ValueError(
            f"contrast={word!r}; give (control, treated), a list of them or 'pairwise'."
        )
    column = model.frame.data[model.treatment]
    if isinstance(column.dtype, pd.CategoricalDtype):
        levels = column.cat.categories.tolist()
    else:
        levels = np.unique(column.to_numpy()).tolist()
    pairs = list(itertools.combinations(levels, 2))
    if len(pairs) > _MOST_PAIRS:
        raise ValueError(
            f"{model.treatment!r} has {len(levels)} values, so {len(pairs)} pairs; name some in a list "
            "of (control, treated), or use fit.dose_response()."
        )
    return pairs


def _under(
    fit: "MediationFit", model: "MediationModel", control: Any, treated: Any
) -> "MediationFit":
    """The same draws under another contrast."""
    own = model.with_contrast(control, treated)
    if (own.identification.map is None) != (model.identification.map is None):
        raise ValueError(
            f"Between {control!r} and {treated!r} the pair is not closed in the same way as for the "
            "model's own contrast; fit a model with this contrast."
        )
    return replace(fit, model=own)


def _mediator_values(fit: "MediationFit", m: Any) -> list[float | None]:
    """Positions or numbers at which the mediator is set."""
    if m is None:
        return [None]
    values = list(m) if isinstance(m, (list, tuple, np.ndarray)) else [m]
    family, name = fit.families[0], fit.about["mediator"]
    if family.kind == "ordered":
        levels = fit.about["categories"]["mediator"]
        unknown = [value for value in values if value not in levels]
        if unknown:
            raise ValueError(f"m={unknown[0]!r} is not a category of {name!r}; it has {levels}.")
        return [float(levels.index(value)) for value in values]
    for value in values:
        number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
        if not number or not np.all(family.valid(np.array([float(value)]))):
            raise ValueError(
                f"m={value!r} is no value of the mediator {name!r}: a {family.name} mediator takes "
                f"{family.domain}."
            )
    observed = fit.tree["observed_data"]["mediator"].to_numpy()
    if fit.about.get("moments"):
        observed = np.array(fit.about["moments"]["mediator"])
    outside = [v for v in values if not observed.min() <= v <= observed.max()]
    if outside:
        warnings.warn(
            f"m = {outside[0]:g} lies outside the observed range of {name!r} ({observed.min():g} to "
            f"{observed.max():g}): the effect there is an extrapolation.",
            UserWarning,
            stacklevel=4,
        )
    return [float(value) for value in values]


def _groups(
    fit: "MediationFit", rows: Counterfactuals, by: str | None, on: str, weights: str | None
) -> list[tuple[Any, Counterfactuals]]:
    """Rows of each subgroup, weighted, with its label."""
    if on not in ("all", "treated", "untreated"):
        raise ValueError(f"on={on!r}; choose 'all', 'treated' or 'untreated'.")
    if by is None and on == "all" and weights is None:
        return [(None, rows)]
    model = fit.require_model("by=, on= and weights=")
    size = len(model.frame.data)
    if weights is not None:
        rows = replace(rows, weights=_checked_weights(model, weights))
    wanted = np.ones(size, dtype=bool)
    if on != "all":
        level = model.contrast.treated if on == "treated" else model.contrast.control
        wanted = (model.frame.data[model.treatment] == level).to_numpy()
        if not wanted.any():
            raise ValueError(
                f"on={on!r}: no row has {model.treatment} = {level!r}, so nobody is to be averaged "
                "over."
            )
    if by is None:
        return [(None, rows.take(np.flatnonzero(wanted)))]
    return list(_by_level(model, rows, by, wanted))


def _by_level(
    model: "MediationModel", rows: Counterfactuals, by: str, wanted: np.ndarray
) -> Iterator[tuple[Any, Counterfactuals]]:
    column = model.frame.column(by, "by")
    if isinstance(column.dtype, pd.CategoricalDtype):
        levels = column.cat.categories.tolist()
    else:
        levels = np.unique(column.to_numpy()).tolist()
    if len(levels) > 25:
        raise ValueError(
            f"by={by!r} has {len(levels)} different values; cut it into groups first, for example with "
            "pandas.cut, or use at=."
        )
    for level in levels:
        index = np.flatnonzero((column == level).to_numpy() & wanted)
        if not index.size:
            raise ValueError(f"by={by!r}: the group {level!r} has no rows to average over.")
        part = rows.take(index)
        if part.weights is not None and not np.all(np.isfinite(part.weights)):
            raise ValueError(f"by={by!r}: the weights of the group {level!r} are all zero.")
        yield level, part


def _checked_weights(model: "MediationModel", name: str) -> np.ndarray:
    column = model.frame.column(name, "weights")
    if isinstance(column.dtype, pd.CategoricalDtype):
        raise ValueError(f"weights={name!r} is categorical; it must be a column of numbers.")
    values = column.to_numpy(dtype=float)
    if not np.all(np.isfinite(values)) or values.min() < 0.0 or values.sum() == 0.0:
        raise ValueError(
            f"weights={name!r} must be finite and not negative, with some above zero; it runs from "
            f"{values.min():g} to {values.max():g}."
        )
    return values / values.sum()


def _limited(fit: "MediationFit", rows: Counterfactuals, target: Target) -> Counterfactuals:
    """Rows with the limits within which a tobit outcome is observed."""
    if target.functional.kind != "observed":
        return rows
    data = fit.tree["constant_data"]
    columns = {
        n: data[f"outcome_{n}"].to_numpy() for n in ("lower", "upper") if f"outcome_{n}" in data
    }
    for name, values in columns.items():
        if len(values) != rows.mediator.shape[1]:
            if np.ptp(values) > 0.0:
                raise ValueError(
                    f"The {name} limit differs between rows: of='observed' takes all rows together, "
                    "without by= and on=."
                )
            columns[name] = np.full(rows.mediator.shape[1], values[0])
    return replace(rows, outcome_columns={**rows.outcome_columns, **columns})


def _is_graded(model: "MediationModel") -> bool:
    """Whether the treatment is a number with more than two values."""
    column = model.frame.data[model.treatment]
    return not isinstance(column.dtype, pd.CategoricalDtype) and column.nunique() > 2


def _unit(
    fit: "MediationFit", sources: list["MediationFit"], dims: Mapping[str, Any], scale: str
) -> Any:
    """sd of the outcome; for a numeric treatment, times the contrast in sds of the treatment."""
    if scale != "standardised":
        return 1.0
    sd = float(fit.tree["observed_data"]["outcome"].std(ddof=1))
    units = []
    for source in sources:
        model = source.require_model("scale='standardised'")
        column, numeric = model.frame.data[model.treatment], _is_graded(model)
        gap = float(model.contrast.treated) - float(model.contrast.control) if numeric else 1.0
        units.append(sd * gap / (float(column.std()) if numeric else 1.0))
    if "contrast" not in dims:
        return units[0]
    return xr.DataArray(units, dims=("contrast",), coords={"contrast": dims["contrast"]})
