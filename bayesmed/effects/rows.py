"""Effects as rows of a table, and their summary."""

import itertools
from collections.abc import Hashable, Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayesmed.effects.estimands import ARMS
from bayesmed.effects.setting import setting_of
from bayesmed.effects.summary import require_one, shown_as, summarise

#: Between these values of P(total > 0) the 95% interval of the total includes zero.
UNCERTAIN = (0.025, 0.975)
#: Effects as tables and figures name them.
NAMES = {
    "acme": "ACME", "ade": "ADE", "total": "Total effect", "prop_mediated": "Prop. mediated",
    "cde": "CDE", "excess_cde": "Excess CDE", "int_ref": "INTref", "int_med": "INTmed",
    "pnie": "PNIE",
}  # fmt: skip
_EPI_NAMES = {
    ("acme", "control"): "PNIE",
    ("acme", "treated"): "TNIE",
    ("ade", "control"): "PNDE",
    ("ade", "treated"): "TNDE",
    ("acme", "average"): "NIE (average)",
    ("ade", "average"): "NDE (average)",
}


def effect_rows(draws: xr.Dataset, names: Literal["r", "epi"] = "r") -> dict[Any, xr.DataArray]:
    """Each effect by its row name, in the order R users know.

    With leading dimensions the keys are tuples of their labels and the row name.
    """
    if names not in ("r", "epi"):
        raise ValueError(f"names={names!r}; choose 'r' or 'epi'.")
    rows: dict[str, xr.DataArray] = {}

    def add(variable: str, arm: str) -> None:
        if variable in draws:
            label = label_of(variable, arm)
            if names == "epi":
                label = _EPI_NAMES.get((variable, arm), label)
            rows[label] = draws[variable].sel(arm=arm, drop=True)

    for variable in ("acme", "ade"):
        for arm in ARMS:
            add(variable, arm)
    rows[NAMES["total"]] = draws["total"]
    for arm in ARMS:
        add("prop_mediated", arm)
    for variable in ("acme", "ade", "prop_mediated"):
        add(variable, "average")
    if "cde" in draws:
        own = setting_of(draws).m if "bayesmed" in draws.attrs else ""
        alone = own and "m" not in draws["cde"].dims
        rows[f"CDE (m = {own})" if alone else "CDE (m)"] = draws["cde"]
    return by_label(rows)


def label_of(effect: str, arm: str) -> str:
    """An effect as tables and figures name it, such as ``ACME (average)``."""
    return NAMES[effect] if effect == "total" else f"{NAMES[effect]} ({arm})"


def by_label(rows: Mapping[str, xr.DataArray]) -> dict[Any, xr.DataArray]:
    """Rows with leading dimensions taken apart, label by label."""
    first = next(iter(rows.values()))
    leading = [str(d) for d in first.dims if d not in ("chain", "draw")]
    if not leading:
        return dict(rows)
    labels = [first[d].to_numpy().tolist() for d in leading]
    return {
        (*at, name): values.sel(dict(zip(leading, at, strict=True)), drop=True)
        for at in itertools.product(*labels)
        for name, values in rows.items()
    }


def summary_table(
    draws: xr.Dataset,
    ci_prob: float,
    ci_kind: Literal["eti", "hdi"],
    names: Literal["r", "epi"],
    round_to: int | Literal["auto"] | None,
    rope: tuple[float, float] | None = None,
    direction: bool = False,
) -> pd.DataFrame:
    """Summarise the effects of one Dataset; see :meth:`Effects.summary`."""
    about = setting_of(draws)
    null = about.null
    table = summarise(effect_rows(draws, names), ci_prob, ci_kind, null, rope, direction)
    last = [key[-1] if isinstance(key, tuple) else key for key in table.index]
    proportions = [str(key).startswith("Prop.") for key in last]
    if null != 0.0:  # a proportion is no ratio
        own = [c for c in (f"P(>{null:g})", "P(direction)") if c in table]
        table.loc[proportions, own] = np.nan
    if rope is not None:  # which is on the scale of the effects
        table.loc[proportions, "P(ROPE)"] = np.nan
    leading = [str(d) for d in draws["total"].dims if d not in ("chain", "draw")]
    name = "effect" if "contrast" in leading else about.contrast_words
    table.index.names = [*leading, name]
    return shown_as(table, round_to)


def curve_summary(
    draws: xr.Dataset, effect: str, arm: str, ci_prob: float, ci_kind: Literal["eti", "hdi"],
    rope: tuple[float, float] | None = None, direction: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """Summarise one effect at each rho."""
    values, null = select_effect(draws, effect, arm), setting_of(draws).null
    grid = draws["rho"].to_numpy()
    rows = {f"{rho:.10g}": values.sel(rho=rho, drop=True) for rho in grid}
    table = summarise(rows, ci_prob, ci_kind, null, rope, direction)
    if effect == "prop_mediated" and null != 0.0:  # a proportion is no ratio
        table[[c for c in table.columns if c.startswith("P(")]] = np.nan
    return table.set_index(pd.Index(grid, name="rho"))


def select_effect(draws: xr.Dataset, effect: str, arm: str) -> xr.DataArray:
    """One effect of a Dataset."""
    if effect not in ("acme", "ade", "total", "prop_mediated"):
        raise ValueError(f"effect={effect!r}; choose 'acme', 'ade', 'total' or 'prop_mediated'.")
    require_one(draws[effect])
    return draws["total"] if effect == "total" else pick(draws[effect], "arm", arm, f"arm={arm!r}")


def pick(values: xr.DataArray, name: Hashable, value: Any, given: str) -> xr.DataArray:
    """The draws at one coordinate."""
    known = values[name].to_numpy().tolist()
    if value not in known:
        raise ValueError(f"{given}; choose one of {known}.")
    return values.isel({name: known.index(value)}, drop=True)
