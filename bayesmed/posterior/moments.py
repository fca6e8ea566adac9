r"""A Gaussian pair from the first and second moments of its columns, read part by part.

The likelihood of two Gaussian equations, the default priors, the sampler's coordinates and the
means that effects are made of depend on the rows through their number and the moments of the
designs' columns alone. So a few rows with the same moments, each counted n / q times, give the
same posterior as the n rows; they are made from R of the columns' QR decomposition:

.. math:: Z = \bar z + \sqrt{q/n}\, H R_c, \qquad H'H = I,\; H'1 = 0.
"""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import linalg

from bayesmed.data.centring import centred_basis
from bayesmed.data.chunks import Parts, columns_of_part, parts_of, rows_of_part, with_levels
from bayesmed.data.design import sizes
from bayesmed.data.formula import INTERCEPT, as_factors, parse
from bayesmed.data.frame import counts
from bayesmed.data.response import Response
from bayesmed.data.texts import number_as_text, text_notes
from bayesmed.data.warn import warn
from bayesmed.families.catalogue import FAMILIES, resolve_family
from bayesmed.families.family import EQUATIONS, Family
from bayesmed.families.listing import few, short
from bayesmed.posterior.draw import draw_posterior
from bayesmed.posterior.state import Posterior
from bayesmed.posterior.streamed import Passes, response_of
from bayesmed.system.capabilities import refuse
from bayesmed.system.condensed import triangle
from bayesmed.system.default_priors import count_scale, with_priors
from bayesmed.system.equation import Equation
from bayesmed.system.rows import Counterfactuals
from bayesmed.system.separation import UnboundedWarning, notes_of_parts
from bayesmed.system.settle import settle, tell
from bayesmed.system.statement import Statement
from bayesmed.system.system import System

#: Rows from which formulas are checked and the structure of the designs is learnt.
_HEAD = 4000
_MOST_LEVELS = 1000
_EXACT = 1e-8


@dataclass
class Scan:
    """What one pass over the data found.

    Attributes
    ----------
    given, complete : int
        Numbers of rows, and of those without missing values.
    missing : dict of str to int
    levels : dict of str to list
        Of each column that is no number: those that rows have, in the order of a categorical
        column, or sorted.
    text : set of str
        Columns that are text, not declared categories.
    head : list of pandas.DataFrame
        Some complete rows; all levels and the ends of every number are among them.
    """

    given: int = 0
    complete: int = 0
    missing: dict[str, int] = field(default_factory=dict)
    levels: dict[str, list[Any]] = field(default_factory=dict)
    text: set[str] = field(default_factory=set)
    head: list[pd.DataFrame] = field(default_factory=list)


def posterior_of_parts(
    data: Any, arguments: Mapping[str, Any], settings: Mapping[str, Any]
) -> Posterior:
    """Fit a Gaussian pair to data that are read part by part.

    Parameters
    ----------
    arguments : mapping
        Of :class:`bayesmed.MediationModel`.
    settings : mapping
        Of its ``fit``.
    """
    _refuse(arguments, settings)
    parts = parts_of(data)
    variables = _variables(arguments, parts.columns)
    found = scan(parts, variables, str(arguments.get("treatment")), arguments.get("control"))
    model = _head_model(found, arguments)
    for note in notes_of_parts(model, parts, variables, found.levels):
        warn(note, UnboundedWarning)
    model = _with_moments(model, found, _accumulate(parts, variables, found, model))
    if not all(one.family.is_normal for one in model.equations.values()):
        passes = Passes(parts, tuple(variables), found.levels, found.complete, model)
        model = replace(model, passes=passes)
        settings = {"method": "laplace", **settings}
    fit = draw_posterior(model, **settings)
    mediator = model.frame.data[model.only_mediator.name]  # its ends are in the head
    ends = [float(mediator.min()), float(mediator.max())]
    kept = {"mediator": ends, "passes": model.passes is not None}
    fit.tree.attrs["bayesmed"] = fit.description.saying(moments=kept).to_json()
    return Posterior(fit.tree, passes=model.passes)


def _is_in_parts(family: Family) -> bool:
    """Whether rows read part by part serve a family: by moments, or in passes over the rows."""
    if family.parameters or family.needs:
        return family.is_normal
    return family.kind == "binary" or (family.kind == "count" and family.link == "log")


def _refuse(arguments: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    known = [one for one in FAMILIES.values() if _is_in_parts(one)]  # such a fit keeps no functions
    given = {
        key: resolve_family(arguments.get(f"{key}_family", "gaussian"), key) for key in EQUATIONS
    }
    for equation, family in given.items():
        if family not in known:
            asked, names = f"{equation}_family={family.name!r}", [one.name for one in known]
            refuse("family of parts", arguments, asked=asked, known=names)
    families = given.values()
    moments = all(family.is_normal for family in families)
    if not moments and settings.get("method", "laplace") != "laplace":
        words = " and a ".join(family.name for family in families)
        refuse("method of parts", arguments, asked=settings["method"], families=words)
    for name in ("mediator_data", "outcome_data", "mediator_sigma", "outcome_sigma", "weights"):
        if arguments.get(name):
            refuse("columns of parts", arguments, asked=name)


def _variables(arguments: Mapping[str, Any], columns: list[str]) -> list[str]:
    parsed = [parse(str(arguments.get(key)), columns, key) for key in EQUATIONS]
    wanted = [str(arguments.get("treatment"))]
    for part in parsed:
        wanted += [part.response, *part.variables]
    return [name for name in dict.fromkeys(wanted) if name in columns]


def scan(parts: Parts, variables: list[str], treatment: str, control: Any = None) -> Scan:
    """Count rows, collect levels, and keep some rows that show all of the structure."""
    found, used = Scan(), dict[str, set[Any]]()
    text = found.text
    for one in parts.each(_Look(tuple(variables), treatment), variables):
        given, complete, missing, levels, present, own_text, head = one
        found.given += given
        found.complete += complete
        for name, count in missing.items():
            found.missing[name] = found.missing.get(name, 0) + count
        for name, own in levels.items():
            known = found.levels.setdefault(name, [])
            known += [level for level in own if level not in known]
            used.setdefault(name, set()).update(present[name])
            if len(known) > _MOST_LEVELS:
                why = number_as_text(name, known) or (
                    f"is text with more than {_MOST_LEVELS} levels; give numbers, or fewer levels."
                )
                raise ValueError(f"{name!r} {why}")
        text |= own_text
        found.head.append(head)
    if found.complete == 0:
        raise ValueError(
            f"No rows are left: all {found.given} have a missing value "
            f"(missing values by variable: {counts(found.missing)})."
        )
    found.levels = {
        name: [level for level in (sorted(known) if name in text else known) if level in used[name]]
        for name, known in found.levels.items()
    }
    if treatment in text:  # as of rows in memory
        found.levels[treatment].sort(key=lambda level: level != control)
    return found


@dataclass(frozen=True)
class _Look:
    """One part of the first pass; a class, so that it travels to workers."""

    variables: tuple[str, ...]
    treatment: str

    def __call__(self, part: pd.DataFrame) -> tuple[Any, ...]:
        frame = columns_of_part(part, self.variables)
        missing = {str(n): int(count) for n, count in frame.isna().sum().items() if count}
        complete = frame.dropna() if missing else frame
        levels, present, text = {}, {}, set()
        rows = [np.arange(min(len(complete), _HEAD // 8))]
        for name in self.variables:
            column = complete[name]
            if isinstance(column.dtype, pd.CategoricalDtype):
                levels[name] = list(column.cat.categories)
                present[name] = list(column.cat.remove_unused_categories().cat.categories)
                if not isinstance(part[name].dtype, pd.CategoricalDtype):
                    text.add(name)
                rows.append(np.flatnonzero(~column.duplicated().to_numpy()))
            elif len(column):
                values = column.to_numpy(dtype=float)
                if not np.isfinite(values).all():
                    raise ValueError(
                        f"{name!r} has infinite values; set them to missing or mend them."
                    )
                rows.append(np.array([values.argmin(), values.argmax()]))
                if name == self.treatment:  # a third value, where there is one
                    rest = (values != values.min()) & (values != values.max())
                    rows.append(np.flatnonzero(rest)[:1])
        head = complete.iloc[np.unique(np.concatenate(rows).astype(int))]
        return len(frame), len(complete), missing, levels, present, text, head


def _head_model(found: Scan, arguments: Mapping[str, Any]) -> System:
    head = pd.concat([with_levels(part, found.levels) for part in found.head], ignore_index=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnboundedWarning)  # of the head; all rows are asked later
        model = settle(head, Statement(**arguments))
        model.check()
        tell(model)
    for equation in model.equations.values():
        spec, formula = equation.design.spec, equation.design.parsed.text
        stateful = [str(name) for name, state in spec.transform_state.items() if state]
        if stateful:
            raise ValueError(
                f"{few(stateful)} in {short(formula)} looks at all rows at once, which are read part "
                "by part here; make a column of it first, or use numbers and factors."
            )
    return model


@dataclass(frozen=True)
class _Columns:
    """One part of the second pass: R of a constant and its columns, and the sums of the numbers."""

    equations: tuple[Equation, ...]
    variables: tuple[str, ...]
    levels: dict[str, list[Any]]
    shift: np.ndarray

    def __call__(self, part: pd.DataFrame) -> tuple[np.ndarray, pd.Series]:
        frame = rows_of_part(part, self.variables, self.levels)
        columns = columns_of(self.equations, frame) - self.shift
        sums = frame.select_dtypes("number").sum()
        return triangle(np.column_stack([np.ones(len(columns)), columns])), sums


def columns_of(equations: Iterable[Equation], frame: pd.DataFrame) -> np.ndarray:
    """All designs, each followed by its response on the scale of the linear predictor."""
    parts = []
    for equation in equations:
        y, working = response_of(frame, equation), equation.family.working
        own = y if working is None else np.asarray(working(y), dtype=float)
        parts += [equation.design.rows(frame), own[:, None]]
    return np.column_stack(parts)


@dataclass(frozen=True)
class Moments:
    """Number of rows, means and R of the centred columns, and means of the numeric variables."""

    n: int
    mean: np.ndarray
    triangle: np.ndarray
    means: dict[str, float]

    def twin(self) -> np.ndarray:
        """A few rows with the same means and covariances, shape (column + 1, column)."""
        p = len(self.mean)
        basis = linalg.helmert(p + 1).T
        spread = np.zeros((p, p))
        spread[: len(self.triangle)] = self.triangle
        return np.asarray(self.mean + np.sqrt((p + 1) / self.n) * (basis @ spread))


def _accumulate(parts: Parts, variables: list[str], found: Scan, model: System) -> Moments:
    equations = tuple(model.equations.values())
    head = columns_of(equations, model.frame.data)
    shift = head.mean(axis=0)
    read = _Columns(equations, tuple(variables), found.levels, shift)
    kept, total = np.empty((0, head.shape[1] + 1)), pd.Series(dtype=float)
    for one, sums in parts.each(read, variables):
        kept, total = triangle(np.concatenate([kept, one])), total.add(sums, fill_value=0.0)
    mean = shift + kept[0, 1:] / kept[0, 0]
    means = {str(name): float(value) / found.complete for name, value in total.items()}
    return Moments(found.complete, mean, kept[1:, 1:], means)


def _with_moments(model: System, found: Scan, moments: Moments) -> System:
    """The twin's rows in place of those of the head."""
    twin = moments.twin()
    rows = _counterfactuals(model, twin)
    equations, start = {}, 0
    for key, equation in model.equations.items():
        end = start + equation.design.matrix.shape[1]
        own, working, start = twin[:, start:end], twin[:, end], end + 1
        basis = centred_basis(equation.design, model.frame.data, moments.means, own.mean(axis=0))
        equations[key] = replace(
            equation,
            design=replace(equation.design, matrix=own, basis=basis),
            response=_response(equation, working, moments),
        )
    dropped = found.given - found.complete
    note = f"{dropped} of {found.given} rows dropped for missing values " + (
        f"({counts(found.missing)})."
    )
    said = ([note] if dropped else []) + _text_notes(model, found)
    for one in said:
        warn(one)
    notes = (*said, *model.frame.told)
    return replace(
        model,
        frame=replace(model.frame, n_given=found.given, missing=found.missing, notes=notes),
        equations=with_priors(equations, model.statement.priors),
        counted=moments.n,
        stand_in=rows,
    )


def _text_notes(model: System, found: Scan) -> list[str]:
    """What the head, whose columns of text are categories, did not tell of them."""
    factors = {name for one in model.equations.values() for name in as_factors(one.design.parsed)}
    return [
        note
        for name, levels in found.levels.items()
        for note in text_notes(
            name, levels, found.complete, name in factors or name not in found.text
        )
        if note not in model.frame.told
    ]


def _response(equation: Equation, working: np.ndarray, moments: Moments) -> Response:
    """The twin's response; of another family some of the head's values, and the scale of all."""
    family, response = equation.family, equation.response
    if family.is_normal:
        return replace(response, values=working)
    values = np.resize(response.values, len(working))
    if family.working is None:
        return replace(response, values=values)
    if INTERCEPT not in equation.design.terms:
        raise ValueError(
            f"The {equation.key} equation has no intercept; with a {family.name} family, rows that "
            "are read part by part need one."
        )
    scale = count_scale(moments.means[equation.name], float(working.std()), moments.n)
    return replace(response, values=values, scale=scale)


def _counterfactuals(model: System, twin: np.ndarray) -> Counterfactuals:
    """The twin's rows under either arm, by the linear relation that the head's rows show."""
    seen = columns_of(model.equations.values(), model.frame.data)
    rows = model.counterfactuals
    if rows.outcome.base is None or rows.outcome.slope is None:
        raise ValueError(
            "A function of the mediator in the outcome formula needs all rows in memory; use the "
            "mediator as a plain column."
        )
    scale = sizes(seen)

    def made(designs: np.ndarray) -> np.ndarray:
        arms = []
        for target in designs:
            weights = linalg.lstsq(seen / scale, target)[0]
            gap = np.abs(seen / scale @ weights - target).max()
            if gap > _EXACT * max(1.0, float(np.abs(target).max())):
                raise ValueError(
                    "The rows under treatment and control are no linear function of the columns of "
                    "both designs, so their means do not follow from moments. Write interactions with "
                    "their main effects (t * x, not t:x), or fit a sample in memory."
                )
            arms.append((twin / scale) @ weights)
        return np.stack(arms)

    own = rows.changed("mediator", base=made(rows.mediator.design))
    return own.changed("outcome", base=made(rows.outcome.base), slope=made(rows.outcome.slope))
