"""Mediators and outcomes simulated from draws of the parameters."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmed.data.frame import assign
from bayesmed.posterior.draws import Draws
from bayesmed.posterior.nuts import check_count, settle_seed
from bayesmed.posterior.state import Posterior
from bayesmed.system.equation import Equation
from bayesmed.system.groups import levels_of
from bayesmed.system.system import System

#: As many levels of a treatment are arms.
_FEW = 6


def simulate_rows(model: System, draws: Draws, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Mediator and outcome of every row for each draw, shape (S, obs), by the structural model.

    Ordered responses are the codes 0, 1, ...; a tobit outcome is cut at its limits, and times
    are uncensored.
    """
    size = (len(draws), len(model.frame.data))
    rho = draws.rho[:, None]
    e_m, z = rng.standard_normal((2, *size))
    e_y = rho * e_m + np.sqrt(1.0 - rho**2) * z
    mediator, outcome = model.only_mediator, model.last
    eta = draws.mediator.coef @ mediator.design.matrix.T + _offset(mediator)
    m = mediator.family.value(e_m, eta, _row_parameters(mediator, draws))
    eta = _outcome_eta(model, draws, m) + _offset(outcome)
    y = outcome.family.value(e_y, eta, _row_parameters(outcome, draws))
    limits = outcome.response.columns
    y = np.clip(y, limits.get("lower", -np.inf), limits.get("upper", np.inf))
    return {"mediator": m, "outcome": y}


def _row_parameters(equation: Equation, draws: Draws) -> dict[str, np.ndarray]:
    own = draws.equations[equation.key]
    found = {name: value[..., None] for name, value in own.parameters.items()}
    if equation.sigma is not None:
        assert own.sigma_coef is not None
        found["sigma"] = np.exp(own.sigma_coef @ equation.sigma.matrix.T)
    return {**found, **equation.response.columns}


def _offset(equation: Equation) -> Any:
    return 0.0 if equation.response.offset is None else equation.response.offset


def _outcome_eta(model: System, draws: Draws, m: np.ndarray) -> np.ndarray:
    """Linear predictor of the outcome at the observed treatment and simulated mediators."""
    mediator, outcome, frame = model.only_mediator, model.last.design, model.frame.data
    name, kind = mediator.name, mediator.family.kind

    def at(values: Any) -> np.ndarray:
        return outcome.rows(assign(frame, {name: values}))

    if kind == "ordered":
        eta = [draws.outcome.coef @ at(level).T for level in mediator.response.levels]
        return np.choose(m.astype(int), eta)
    if kind == "binary" or outcome.is_affine(name):
        base, one = at(0), at(1)
        return draws.outcome.coef @ base.T + m * (draws.outcome.coef @ (one - base).T)
    rows = (outcome.rows(frame.assign(**{name: values})) for values in m)
    return np.stack([row @ coef for row, coef in zip(rows, draws.outcome.coef, strict=True)])


def posterior_predictive(fit: Posterior, draws: int, random_seed: int | None) -> xr.DataTree:
    """Simulate both responses; see :meth:`bayesmed.MediationFit.posterior_predictive`."""
    model = fit.require_model("posterior_predictive")
    check_count("draws", draws)
    total = len(fit.draws)
    if not 1 <= draws <= total:
        raise ValueError(f"draws must lie between 1 and the fit's {total}; {draws!r} was given.")
    seed = settle_seed(
        fit.description.settings["random_seed"] if random_seed is None else random_seed
    )
    chosen = np.linspace(0, total - 1, draws).round().astype(int)
    drawn: Draws = fit.draws.block(chosen)
    data = simulate_rows(model, drawn, np.random.default_rng(seed))
    coords = {"chain": [0], "draw": np.arange(draws), "obs": np.arange(model.size)}
    dims = ("chain", "draw", "obs")
    simulated = xr.Dataset(
        {name: (dims, np.asarray(values, float)[None]) for name, values in data.items()}, coords
    )
    observed = {key: ("obs", one.response.values) for key, one in model.equations.items()}
    arm, order = _arms(model)
    tree = {
        "posterior_predictive": simulated.assign_coords(arm=("obs", arm)),
        "observed_data": xr.Dataset(observed, {"obs": coords["obs"], "arm": ("obs", arm)}),
    }
    tree["observed_data"].attrs["arms"] = order
    if "event" in model.last.response.columns:
        tree["observed_data"].attrs["event"] = model.last.response.columns["event"].tolist()
    fit.tree["posterior_predictive"] = xr.DataTree(simulated)
    return xr.DataTree.from_dict(tree)


def _arms(model: System) -> tuple[np.ndarray, list[str]]:
    """The arm of each row by its observed treatment, and the arms in their order.

    An arm is control, treated, another level, or other where levels are many.
    """
    column = model.frame.data[model.treatment]
    few = isinstance(column.dtype, pd.CategoricalDtype) or column.nunique() <= _FEW
    known = {model.contrast.control: "control", model.contrast.treated: "treated"}

    def arm(level: Any) -> str:
        if level in known:
            return known[level]
        taken = str(level) in (*known.values(), "other")
        return "other" if not few else f"level {level}" if taken else str(level)

    others = [arm(level) for level in levels_of(column) if level not in known]
    order = [*known.values(), *(name for name in others if name != "other")]
    return np.array([arm(level) for level in column.tolist()]), order
