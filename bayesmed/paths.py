"""The table of coefficients, with the mediation paths named."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayesmed.design import Counterfactuals
from bayesmed.draws import Draws
from bayesmed.family import EQUATIONS
from bayesmed.summary import shown_as, summarise


def coefficient_table(
    posterior: xr.Dataset,
    about: Mapping[str, Any],
    ci_prob: float,
    ci_kind: Literal["eti", "hdi"],
    round_to: int | Literal["auto"] | None,
) -> pd.DataFrame:
    """Summarise the coefficients; see :meth:`bayesmed.MediationFit.coefficients`."""
    rows: dict[str, xr.DataArray] = {}
    keys: list[tuple[str, str, str]] = []
    for equation in EQUATIONS:
        for key, label, values in _equation_rows(posterior, equation, about):
            path = path_of(equation, label, about) if key == "coef" else ""
            if "treatment" in _levels_beside(posterior, equation, label, about):
                path = ""
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


def _levels_beside(
    posterior: xr.Dataset, equation: str, term: str, about: Mapping[str, Any]
) -> str:
    """Names the treatment where a factor's column is not the contrast of treated with control."""
    control, treated = about["levels"]
    for factor in term.split(":"):
        if "[T." not in factor or about["treatment"] not in factor.split("[")[0]:
            continue
        terms = [str(t) for t in posterior[f"{equation}_term"].to_numpy()]
        reference = not any(f"[T.{control}]" in t for t in terms)
        if not (reference and factor.endswith(f"[T.{treated}]")):
            return "treatment"
    return ""


def _equation_rows(
    posterior: xr.Dataset, equation: str, about: Mapping[str, Any]
) -> Iterator[tuple[str, str, xr.DataArray]]:
    """Coefficients, then parameters of an equation: kind, label and draws."""
    vectors = (("coef", "term"), ("sigma_coef", "sigma_term"), ("cutpoints", "cutpoint"))
    for key, dim in vectors:
        if f"{equation}_{key}" in posterior:
            values = posterior[f"{equation}_{key}"]
            for label in values[f"{equation}_{dim}"].to_numpy():
                shown = f"log sigma: {label}" if key == "sigma_coef" else str(label)
                yield key, shown, values.sel({f"{equation}_{dim}": label}, drop=True)
    for name in about["parameters"][equation]:
        if f"{equation}_{name}" in posterior and posterior[f"{equation}_{name}"].ndim == 2:
            yield "parameter", name, posterior[f"{equation}_{name}"]


def path_draws(
    rows: Counterfactuals, draws: Draws, shape: tuple[int, int]
) -> dict[str, xr.DataArray]:
    """Draws of the paths of the contrast, on the scale of each linear predictor.

    However the treatment is coded: a is what it adds to the mediator's linear predictor, c' what
    it adds to the outcome's at a mediator of zero, b the slope of the mediator, by arm where it
    interacts with the treatment; each averaged over the rows. b and c' are left out where the
    mediator stands inside a function or is a factor.
    """

    def labelled(values: np.ndarray) -> xr.DataArray:
        return xr.DataArray(values.reshape(shape), dims=("chain", "draw"))

    def mean(columns: np.ndarray, coef: np.ndarray) -> np.ndarray:
        weights = (
            np.full(len(columns), 1.0 / len(columns)) if rows.weights is None else rows.weights
        )
        return coef @ (weights @ columns)

    found = {"a": mean(rows.mediator[1] - rows.mediator[0], draws.mediator_coef)}
    if rows.base is not None and rows.slope is not None:
        slopes = [mean(rows.slope[t], draws.outcome_coef) for t in (0, 1)]
        if np.array_equal(rows.slope[0], rows.slope[1]):
            found["b"] = slopes[0]
        else:
            found |= {"b (control)": slopes[0], "b (treated)": slopes[1]}
        found["c'"] = mean(rows.base[1] - rows.base[0], draws.outcome_coef)
    return {name: labelled(values) for name, values in found.items()}


def path_of(equation: str, term: str, about: Mapping[str, Any]) -> str:
    """Which mediation path a coefficient is: a, b, c' or b x c', or none."""

    def holds(factor: str, variable: str) -> bool:
        forms = (variable, f"C({variable})", f"log({variable})", f"np.log({variable})")
        return factor.split("[")[0] in forms

    roles = []
    for factor in term.split(":"):
        found = [role for role in ("treatment", "mediator") if holds(factor, about[role])]
        roles.append(found[0] if found else "")
    if equation == "mediator":
        return "a" if roles == ["treatment"] else ""
    if sorted(roles) == ["mediator", "treatment"]:
        return "b x c'"
    return {"mediator": "b", "treatment": "c'"}.get(roles[0], "") if len(roles) == 1 else ""
