"""Posterior predictive checks: data that the fit would make, against the data that it was made from."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmed.data.warn import warn
from bayesmed.effects.summary import CiKind, rounded, summarise
from bayesmed.families.family import Families
from bayesmed.show.frames import wide_frame
from bayesmed.system.about import About

#: By name, functions of an array over its last axis.
_STATISTICS = {"mean": np.mean, "sd": np.std, "min": np.min, "max": np.max}


def by_arm(tree: xr.DataTree) -> xr.DataTree:
    """Variables such as ``mediator, control``, which ArviZ draws apart.

    A censored time is left out: nobody knows when those that were simulated would be censored.
    """
    names = list(tree["observed_data"].data_vars)
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


def diagnostics(posterior: xr.Dataset) -> pd.DataFrame:
    """R-hat and effective sample sizes; see :meth:`bayesmed.MediationFit.diagnose`."""
    import arviz_stats as az

    parts = {
        "r_hat": az.rhat(posterior), "ess_bulk": az.ess(posterior, method="bulk"),
        "ess_tail": az.ess(posterior, method="tail"),
    }  # fmt: skip
    rows = {
        name: wide_frame(found.expand_dims(("chain", "draw")))
        .drop(columns=["chain", "draw"])
        .iloc[0]
        for name, found in parts.items()
    }
    return pd.DataFrame(rows).sort_values("ess_bulk")


def _shares(statistics: dict[str, Any], values: np.ndarray) -> dict[str, Any]:
    """For few whole numbers the share of each in place of ends that say nothing."""
    levels = np.unique(values)
    if len(levels) > 2 or not np.array_equal(levels, np.round(levels)):
        return statistics
    return {"mean": statistics["mean"]}


def plot_checks(
    tree: xr.DataTree, families: Families, about: About, options: dict[str, Any]
) -> dict[str, Any]:
    """Figures by ArviZ of each response by arm; see :meth:`bayesmed.MediationFit.plot_check`."""
    from arviz_plots import plot_ppc_dist, plot_ppc_pava

    apart, found = by_arm(tree), {}
    draws = tree["posterior_predictive"].sizes["draw"]
    for equation, family in families.items():
        response = about.roles[equation]
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
