"""Posterior predictive checks: data that the fit would make, against the data that it was made from."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmed.posterior.draws import Draws
from bayesmed.families.family import EQUATIONS
from bayesmed.data.groups import levels_of
from bayesmed.posterior.simulate import simulate_rows
from bayesmed.posterior.nuts import check_count, settle_seed
from bayesmed.effects.summary import CiKind, rounded, summarise
from bayesmed.data.warn import warn

if TYPE_CHECKING:
    from bayesmed.api.fit import MediationFit

#: As many levels of a treatment are arms.
_FEW = 6
#: By name, functions of an array over its last axis.
_STATISTICS = {"mean": np.mean, "sd": np.std, "min": np.min, "max": np.max}


def posterior_predictive(fit: "MediationFit", draws: int, random_seed: int | None) -> xr.DataTree:
    """Simulate both responses; see :meth:`bayesmed.MediationFit.posterior_predictive`."""
    model = fit.require_model("Simulating data")
    check_count("draws", draws)
    total = len(fit.draws)
    if not 1 <= draws <= total:
        raise ValueError(f"draws must lie between 1 and the fit's {total}; {draws!r} was given.")
    seed = settle_seed(fit.about["settings"]["random_seed"] if random_seed is None else random_seed)
    chosen = np.linspace(0, total - 1, draws).round().astype(int)
    drawn: Draws = fit.draws.block(chosen)
    data = simulate_rows(model, drawn, np.random.default_rng(seed))
    coords = {"chain": [0], "draw": np.arange(draws), "obs": np.arange(model.size)}
    dims = ("chain", "draw", "obs")
    simulated = xr.Dataset(
        {name: (dims, np.asarray(data[name], float)[None]) for name in EQUATIONS}, coords
    )
    observed = {name: ("obs", model.values(name)) for name in EQUATIONS}
    arm, order = _arms(fit)
    tree = {
        "posterior_predictive": simulated.assign_coords(arm=("obs", arm)),
        "observed_data": xr.Dataset(observed, {"obs": coords["obs"], "arm": ("obs", arm)}),
    }
    tree["observed_data"].attrs["arms"] = order
    if "event" in model.responses[1].columns:
        tree["observed_data"].attrs["event"] = model.responses[1].columns["event"].tolist()
    fit.tree["posterior_predictive"] = xr.DataTree(simulated)
    return xr.DataTree.from_dict(tree)


def _arms(fit: "MediationFit") -> tuple[np.ndarray, list[str]]:
    """The arm of each row by its observed treatment, and the arms in their order.

    An arm is control, treated, another level, or other where levels are many.
    """
    model = fit.require_model("Telling the arms apart")
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


def by_arm(tree: xr.DataTree) -> xr.DataTree:
    """Variables such as ``mediator, control``, which ArviZ draws apart.

    A censored time is left out: nobody knows when those that were simulated would be censored.
    """
    names = list(EQUATIONS)
    if "event" in tree["observed_data"].attrs:
        names.remove("outcome")
        warn(
            "The outcome is censored, so its values are not compared with simulated times. "
            "arviz.plot_ppc_censored takes fit.posterior_predictive() and the event indicator."
        )
    groups: dict[str, dict[str, xr.DataArray]] = {"posterior_predictive": {}, "observed_data": {}}
    arms = tree["observed_data"]["arm"].to_numpy()
    known = tree["observed_data"].attrs["arms"]
    present = [arm for arm in known if np.any(arms == arm)] or ["other"]
    for name in names:
        for arm in present:
            rows = np.flatnonzero(arms == arm)
            for group, found in groups.items():
                values = tree[group][name].drop_vars("arm").isel(obs=rows)
                found[f"{name}, {arm}"] = values.rename(obs=f"obs_{arm}")
    return xr.DataTree.from_dict({group: xr.Dataset(found) for group, found in groups.items()})


def check_table(tree: xr.DataTree, ci_prob: float, ci_kind: CiKind) -> pd.DataFrame:
    """Statistics of the data against those of simulated data; see :meth:`bayesmed.MediationFit.check`."""
    apart = by_arm(tree)
    rows, seen = {}, []
    for name, values in apart["posterior_predictive"].to_dataset().data_vars.items():
        response, arm = str(name).split(", ", 1)
        real = apart["observed_data"][str(name)].to_numpy()
        for label, statistic in _shares(_STATISTICS, real).items():
            rows[response, arm, label] = xr.DataArray(
                statistic(values.to_numpy(), axis=-1), dims=("chain", "draw")
            )
            seen.append(float(statistic(real, axis=-1)))
    table = summarise(rows, ci_prob, ci_kind)
    shown = rounded(table)[[str(c) for c in table.columns[:3]]]
    above = [float(np.mean(v.to_numpy() > s) + 0.5 * np.mean(v.to_numpy() == s))
             for v, s in zip(rows.values(), seen, strict=True)]  # fmt: skip
    shown.insert(0, "observed", [float(f"{value:.4g}") for value in seen])
    shown["p"] = np.round(above, 3)
    shown.index.names = ["response", "arm", "statistic"]
    return shown


def _shares(statistics: dict[str, Any], values: np.ndarray) -> dict[str, Any]:
    """For few whole numbers the share of each in place of ends that say nothing."""
    levels = np.unique(values)
    if len(levels) > 2 or not np.array_equal(levels, np.round(levels)):
        return statistics
    return {"mean": statistics["mean"]}


def plot_checks(fit: "MediationFit", tree: xr.DataTree, options: dict[str, Any]) -> dict[str, Any]:
    """Figures by ArviZ of each response by arm; see :meth:`bayesmed.MediationFit.plot_check`."""
    from arviz_plots import plot_ppc_dist, plot_ppc_pava

    apart, found = by_arm(tree), {}
    draws = tree["posterior_predictive"].sizes["draw"]
    for equation, family in zip(EQUATIONS, fit.families, strict=True):
        response = fit.about[equation]
        names = [n for n in apart["observed_data"].data_vars if str(n).startswith(f"{equation}, ")]
        if not names:
            continue
        shown = {n: f"{response}, {str(n).split(', ', 1)[1]}" for n in names}
        groups = ("posterior_predictive", "observed_data")
        own = xr.DataTree.from_dict(
            {group: apart[group].to_dataset()[names].rename(shown) for group in groups}
        )
        if family.kind == "binary":
            labels = {
                "xlabel": {"text": "predicted probability"}, "ylabel": {"text": "observed share"},
            }  # fmt: skip
            found[response] = plot_ppc_pava(own, **{"visuals": labels, **options})
        else:
            own_options = {"num_samples": draws, "kind": "ecdf", **options}
            found[response] = plot_ppc_dist(own, **own_options)
    return found
