"""The table of coefficients, with the mediation paths named."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayesmed.effects.summary import shown_as, summarise
from bayesmed.posterior.state import Posterior
from bayesmed.system.about import About
from bayesmed.system.rows import equal_rows


def coefficient_table(
    posterior: xr.Dataset,
    about: About,
    ci_prob: float,
    ci_kind: Literal["eti", "hdi"],
    round_to: int | Literal["auto"] | None,
) -> pd.DataFrame:
    """Summarise the coefficients; see :meth:`bayesmed.MediationFit.coefficients`."""
    rows: dict[str, xr.DataArray] = {}
    keys: list[tuple[str, str, str]] = []
    for equation in about.formulas:
        terms = [str(t) for t in posterior[f"{equation}_term"].to_numpy()]
        for key, label, values in _equation_rows(posterior, equation, about):
            path = path_label(equation, label, terms, about) if key == "coef" else ""
            keys.append((equation, label, path))
            rows[f"{equation} {key} {label}"] = values
    if "rho" in posterior:
        keys.append(("both", "rho", ""))
        rows["rho"] = posterior["rho"]
    table = summarise(rows, ci_prob, ci_kind)
    table = shown_as(table, round_to)
    table.insert(0, "path", [path for *_, path in keys])
    table.index = pd.MultiIndex.from_tuples(
        [(equation, term) for equation, term, _ in keys], names=["equation", "term"]
    )
    return table


def _equation_rows(
    posterior: xr.Dataset, equation: str, about: About
) -> Iterator[tuple[str, str, xr.DataArray]]:
    """Coefficients, then parameters of an equation: kind, label and draws."""
    vectors = (("coef", "term"), ("sigma_coef", "sigma_term"), ("cutpoints", "cutpoint"))
    for key, dim in vectors:
        if f"{equation}_{key}" in posterior:
            values = posterior[f"{equation}_{key}"]
            for label in values[f"{equation}_{dim}"].to_numpy():
                shown = f"log sigma: {label}" if key == "sigma_coef" else str(label)
                yield key, shown, values.sel({f"{equation}_{dim}": label}, drop=True)
    for name in about.parameters[equation]:
        if f"{equation}_{name}" in posterior and posterior[f"{equation}_{name}"].ndim == 2:
            yield "parameter", name, posterior[f"{equation}_{name}"]


def path_draws(fit: Posterior) -> dict[str, xr.DataArray]:
    """Draws of the paths of the contrast, on the scale of each linear predictor.

    However the treatment is coded: a is what it adds to the mediator's linear predictor, c' what
    it adds to the outcome's at a mediator of zero, b the slope of the mediator, by arm where it
    interacts with the treatment; each averaged over the rows. b and c' are left out where the
    mediator stands inside a function or is a factor.
    """
    # What the fit keeps, which a file holds without the model and its families too.
    data, draws = fit.tree["constant_data"].to_dataset(), fit.draws

    def mean(columns: np.ndarray, coef: np.ndarray) -> xr.DataArray:
        weights = np.full(len(columns), 1.0 / len(columns))
        values = (coef @ (weights @ columns)).reshape(fit.shape)
        average = not equal_rows(columns)
        return xr.DataArray(values, dims=("chain", "draw"), attrs={"average": average})

    control, treated = data["mediator_rows"].to_numpy()
    found = {"a": mean(treated - control, draws.mediator.coef)}
    if "outcome_slope" in data:
        slopes = data["outcome_slope"].to_numpy()
        paths = [mean(slope, draws.outcome.coef) for slope in slopes]
        if np.array_equal(*slopes):
            found["b"] = paths[0]
        else:
            found |= {"b (control)": paths[0], "b (treated)": paths[1]}
        control, treated = data["outcome_base"].to_numpy()
        found["c'"] = mean(treated - control, draws.outcome.coef)
    return found


def path_label(equation: str, term: str, terms: list[str], about: About) -> str:
    """Which path a coefficient is, and where: at which values of what it interacts with.

    Blank where no coefficient is the path, since the variable also stands inside a function.
    """
    path, own = path_of(equation, term, about), set(_roles(term, about)) - {""}
    if not path or _is_of_other_levels(term, terms, about):
        return ""
    where: list[str] = []
    for other, used in zip(terms, about.variables[equation], strict=True):
        beside = _names(other) != _names(term)
        if not (beside and own <= {role for role in _ROLES if about.roles[role] in used}):
            continue
        if not own <= set(_roles(other, about)):
            return ""
        where += [_origin(f) for f in other.split(":") if _names(f)[0] not in _names(term)]
    per = "" if _is_unit(about, term) else " per unit"
    return path + per + (f" where {', '.join(dict.fromkeys(where))}" if where else "")


def _is_of_other_levels(term: str, terms: list[str], about: About) -> bool:
    """Whether a factor's column is not the contrast of treated with control."""
    control, treated = about.levels
    own = [f for f in term.split(":") if "[T." in f and about.treatment in f.split("[")[0]]
    reference = not any(f"[T.{control}]" in other for other in terms)
    return not all(reference and factor.endswith(f"[T.{treated}]") for factor in own)


def _names(term: str) -> list[str]:
    """The factors of a term without their levels."""
    return [factor.split("[")[0] for factor in term.split(":")]


def _origin(factor: str) -> str:
    """Where a factor of an interaction adds nothing."""
    name, _, level = factor.partition("[")
    return f"{name} is the reference" if level.startswith("T.") else f"{name} = 0"


def _is_unit(about: About, term: str) -> bool:
    """Whether the contrast is one unit of a numeric treatment, if the term holds one."""
    of_treatment = zip(_roles(term, about), term.split(":"), strict=True)
    graded = any(role == "treatment" and "[" not in factor for role, factor in of_treatment)
    return not graded or _one_unit(about)


def _one_unit(about: About) -> bool:
    """Whether the contrast is from a number to the next."""
    levels = _numbers(about)
    return len(levels) == 2 and bool(np.isclose(levels[1] - levels[0], 1.0))


def contrast_words(about: About) -> str:
    """The contrast, where it is neither one unit nor that of a factor's only two levels."""
    only = len(about.arms) == 2 and not _numbers(about)
    return "" if _one_unit(about) or only else " → ".join(about.levels)


def _numbers(about: About) -> list[float]:
    try:
        return [float(level) for level in about.levels]
    except ValueError:
        return []


_ROLES = ("treatment", "mediator")
_FORMS = ("{}", "C({})", "log({})", "np.log({})")


def _roles(term: str, about: About) -> list[str]:
    """Of each factor whether it is the treatment or the mediator itself."""

    forms = {form.format(about.roles[role]): role for role in _ROLES for form in _FORMS}
    return [forms.get(name, "") for name in _names(term)]


def path_of(equation: str, term: str, about: About) -> str:
    """Which mediation path a coefficient is: a, b, c' or b x c', or none."""
    roles = _roles(term, about)
    if equation == "mediator":
        return "a" if roles == ["treatment"] else ""
    if sorted(roles) == ["mediator", "treatment"]:
        return "b x c'"
    return {"mediator": "b", "treatment": "c'"}.get(roles[0], "") if len(roles) == 1 else ""
