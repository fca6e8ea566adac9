"""Benchmarks in words."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmed.effects.numbers import chance_in_words, number, percent
from bayesmed.effects.setting import Kind
from bayesmed.effects.summary import summarise

#: A strength that fewer draws than this allow is called out of reach.
_ENOUGH = 0.5
#: Beyond these a strength is no longer told by its number.
_SMALL, _LARGE = 0.01, 100


def sentences(
    tables: Mapping[str, pd.DataFrame],
    roots: xr.DataArray,
    kind: Kind,
    arm: str,
    ci_prob: float,
) -> list[str]:
    """One sentence a covariate, after one that says what they mean.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        :meth:`bayesmed.Benchmarks.strength_summary` with sign "same" and "opposite".
    roots : xarray.DataArray
        Draws of rho*, dims (chain, draw).
    """
    found = roots.to_numpy()[np.isfinite(roots.to_numpy())]
    if found.size < _ENOUGH * roots.size:
        return [
            f"rho*, at which the ACME ({arm}) would be zero, was not found in most draws, so no "
            "strength of confounding can be compared with it; widen rho= of the sensitivity "
            "analysis, if the curve was cut off by its grid."
        ]
    pooled = xr.DataArray(found[None, :], dims=("chain", "draw"))
    row = summarise({"rho*": pooled}, ci_prob).iloc[0]
    low, high = (row[c] for c in row.index if c.endswith(("_low", "_high")))
    middle, low, high = (number(end, 2, minus="-") for end in (row["median"], low, high))
    star = f"rho* = {middle}"
    lines = [
        f"The ACME ({arm}) would be zero at {star} [{low}, {high}]. A confounder is called k times "
        "as strong as a covariate if its coefficients in both equations are the covariate's times "
        "the square root of k, so that it explains k times the variance that the covariate explains."
    ]
    for name in tables["same"].index:
        own = {sign: table.loc[name] for sign, table in tables.items()}
        lines.append(_sentence(str(name), own, star, kind, ci_prob))
    return lines


def _sentence(
    name: str, own: Mapping[str, "pd.Series[Any]"], star: str, kind: Kind, ci_prob: float
) -> str:
    what = "An omitted confounder" if kind == "besides" else "A covariate that is left out"
    sign = min(own, key=lambda key: own[key]["none"])
    row = own[sign]
    if row["none"] > 1.0 - _ENOUGH:
        least = _number(next(row[c] for c in row.index if c.endswith("_low")))
        return (
            f"{what} would have to be more than {least.removeprefix('more than ')} times as strong as "
            f"{name} to produce {star}, with probability {0.5 + 0.5 * ci_prob:g}; in {percent(row['none'])} of "
            "the draws no strength is enough, whatever the sign of its effect on the outcome."
        )
    low, high = (_number(row[c]) for c in row.index if c.endswith(("_low", "_high")))
    middle = _number(row["median"], row["mcse"])
    turned = "" if sign == "same" else (
        f" and have the opposite effect on the outcome ({name} itself moves rho away from rho*)"
    )  # fmt: skip
    beyond = (
        f"; in {percent(row['none'])} of the draws no strength is enough" if row["none"] else ""
    )
    return (
        f"{what} would have to be {middle} times as strong as {name}{turned} to produce {star} "
        f"({100 * ci_prob:g}% interval {low} to {high}"
        f"{beyond}); one as strong as it would be enough with probability {chance_in_words(row['P(<1)'])}."
    )


def _number(value: float, mcse: float = 0.0) -> str:
    """Two digits, or fewer where the Monte Carlo error is larger; large ones in words."""
    if value > _LARGE:
        return f"more than {_LARGE}" if np.isfinite(value) else "infinity"
    if value < _SMALL:
        return f"less than {_SMALL}"
    digits = 1 - int(np.floor(np.log10(value)))
    if np.isfinite(mcse) and mcse > 0.0:
        digits = min(digits, -int(np.floor(np.log10(mcse))))
    return f"{round(value, max(digits, 0)):g}"
