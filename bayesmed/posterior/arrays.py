"""What a fit keeps of its model as arrays, and the way back from them."""

from typing import Any

import numpy as np
import xarray as xr

from bayesmed.data.formula import INTERCEPT
from bayesmed.families.family import Families
from bayesmed.system.closed import ClosedMap
from bayesmed.system.rows import Counterfactuals, EquationRows
from bayesmed.system.system import System


def constant_data(model: System) -> xr.Dataset:
    """Designs, counterfactual rows, data columns and the exact map of a model."""
    rows, closed = model.counterfactuals, model.identification.map
    coords: dict[str, Any] = {"arm": ["control", "treated"]}
    data: dict[str, Any] = {
        "mediator_rows": (("arm", "obs", "mediator_term"), rows.mediator.design)
    }
    for key, equation in model.equations.items():
        for name, design in equation.designs.items():
            coords[f"{name}_term"] = list(design.terms)
            data[f"{name}_design"] = (("obs", f"{name}_term"), design.matrix)
            data[f"{name}_prior_basis"] = ((f"{name}_prior", f"{name}_term"), equation.basis[name])
        if equation.sigma is not None:
            arms = rows.equations[key].sigma
            data[f"{key}_sigma_rows"] = (("arm", "obs", f"{key}_sigma_term"), arms)
        if equation.response.offset is not None:
            data[f"{key}_offset"] = ("obs", equation.response.offset)
        for column, values in equation.response.columns.items():
            data[f"{key}_{column}"] = (f"{key}_category" if column == "scores" else "obs", values)
    own, dims = rows.outcome, ("arm", "obs", "outcome_term")
    if own.base is not None:
        data["outcome_base"], data["outcome_slope"] = (dims, own.base), (dims, own.slope)
    if own.by_level is not None:
        data["outcome_by_level"] = (("arm", "mediator_category", *dims[1:]), own.by_level)
    if closed is not None:
        data["map_direction"] = (("outcome_term",), closed.direction)
        data["map_loading"] = (("outcome_term", "mediator_term"), closed.loading)
        data["map_constant"] = ((), np.float64(closed.constant))
        data["map_constant_loading"] = (("mediator_term",), closed.constant_loading)
    return xr.Dataset(data, coords=coords)


def prior_basis(data: xr.Dataset, equation: str) -> np.ndarray:
    """The matrix whose product with the coefficients is what the priors speak of, (term, term)."""
    if f"{equation}_prior_basis" in data:
        return np.asarray(data[f"{equation}_prior_basis"])
    # A file from before the priors spoke of centred columns.
    terms = data[f"{equation}_term"].to_numpy().tolist()
    basis = np.eye(len(terms))
    if INTERCEPT in terms:
        basis[terms.index(INTERCEPT)] = data[f"{equation}_design"].mean("obs")
    return basis


def kept_map(data: xr.Dataset, latent: str) -> ClosedMap:
    """The exact map of a closed pair."""
    return ClosedMap(
        data["map_direction"].to_numpy(),
        data["map_loading"].to_numpy(),
        latent,
        float(data["map_constant"]),
        data["map_constant_loading"].to_numpy(),
    )


def kept_columns(data: xr.Dataset, equation: str, names: tuple[str, ...]) -> dict[str, Any]:
    """Data columns of an equation, those of the names that it has."""
    return {
        name: data[f"{equation}_{name}"].to_numpy()
        for name in names
        if f"{equation}_{name}" in data
    }


def kept_counterfactuals(
    data: xr.Dataset, families: Families, log_mediator: bool
) -> Counterfactuals:
    """Rows under either arm, for designs that were kept in full."""

    def array(name: str) -> np.ndarray | None:
        return data[name].to_numpy() if name in data else None

    along = {name: array(f"outcome_{name}") for name in ("base", "slope", "by_level")}
    designs: dict[str, dict[str, Any]] = {
        "mediator": {"base": array("mediator_rows")},
        "outcome": {**along, "log_mediator": log_mediator},
    }
    return Counterfactuals({
        key: EquationRows(
            family, **designs[key],
            offset=array(f"{key}_offset"),
            sigma=array(f"{key}_sigma_rows"),
            columns=kept_columns(data, key, ("trials", "scores")),
        )
        for key, family in families.items()
    })  # fmt: skip
