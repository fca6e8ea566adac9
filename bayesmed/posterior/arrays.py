"""What a fit keeps of its model as arrays, and the way back from them."""

from typing import Any

import numpy as np
import xarray as xr

from bayesmed.data.formula import INTERCEPT
from bayesmed.system.closed import ClosedMap
from bayesmed.system.rows import Counterfactuals
from bayesmed.system.system import System


def constant_data(model: System) -> xr.Dataset:
    """Designs, counterfactual rows, data columns and the exact map of a model."""
    rows, closed = model.counterfactuals, model.identification.map
    coords: dict[str, Any] = {"arm": ["control", "treated"]}
    data: dict[str, Any] = {"mediator_rows": (("arm", "obs", "mediator_term"), rows.mediator)}
    for key, equation in model.equations.items():
        for name, design in equation.designs.items():
            coords[f"{name}_term"] = list(design.terms)
            data[f"{name}_design"] = (("obs", f"{name}_term"), design.matrix)
            data[f"{name}_prior_basis"] = ((f"{name}_prior", f"{name}_term"), equation.basis[name])
        if equation.sigma is not None:
            arms = getattr(rows, f"{key}_sigma")
            data[f"{key}_sigma_rows"] = (("arm", "obs", f"{key}_sigma_term"), arms)
        if equation.response.offset is not None:
            data[f"{key}_offset"] = ("obs", equation.response.offset)
        for column, values in equation.response.columns.items():
            data[f"{key}_{column}"] = (f"{key}_category" if column == "scores" else "obs", values)
    outcome = ("arm", "obs", "outcome_term")
    if rows.base is not None:
        data["outcome_base"], data["outcome_slope"] = (outcome, rows.base), (outcome, rows.slope)
    if rows.by_level is not None:
        dims = ("arm", "mediator_category", "obs", "outcome_term")
        data["outcome_by_level"] = (dims, rows.by_level)
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


def kept_counterfactuals(data: xr.Dataset, log_mediator: bool) -> Counterfactuals:
    """Rows under either arm, for designs that were kept in full."""

    def array(name: str) -> np.ndarray | None:
        return data[name].to_numpy() if name in data else None

    return Counterfactuals(
        data["mediator_rows"].to_numpy(),
        array("outcome_base"),
        array("outcome_slope"),
        by_level=array("outcome_by_level"),
        log_mediator=log_mediator,
        mediator_offset=array("mediator_offset"),
        outcome_offset=array("outcome_offset"),
        mediator_sigma=array("mediator_sigma_rows"),
        outcome_sigma=array("outcome_sigma_rows"),
        mediator_columns=kept_columns(data, "mediator", ("trials", "scores")),
        outcome_columns=kept_columns(data, "outcome", ("trials", "scores")),
    )
