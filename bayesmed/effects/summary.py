"""Summaries of draws by ArviZ, in one table of one shape."""

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayesmed.effects.numbers import Printed
from bayesmed.effects.setting import setting_of
from bayesmed.families.listing import few, is_number
from bayesmed.families.names import nearest

CiKind = Literal["eti", "hdi"]


def summarise(
    rows: Mapping[Any, xr.DataArray],
    ci_prob: float = 0.95,
    ci_kind: CiKind = "eti",
    null: float = 0.0,
    rope: tuple[float, float] | None = None,
    direction: bool = False,
) -> pd.DataFrame:
    """Median, interval, P(> 0) and the Monte Carlo diagnostics of named quantities.

    Parameters
    ----------
    rows : mapping of str to xarray.DataArray
        Dims (chain, draw).
    ci_prob : float
        Mass of the interval, in (0, 1).
    ci_kind : {"eti", "hdi"}
        Equal-tailed or highest-density.
    null : float
        The probability of being above it is given.
    rope : tuple of float, optional
        Adds ``P(ROPE)``, the probability of lying between its ends.
    direction : bool
        Adds ``P(direction)``, the probability of the likelier sign.

    Returns
    -------
    pandas.DataFrame
        One row a quantity.
    """
    import arviz_stats as az

    check_interval(ci_prob, ci_kind)
    names = list(rows)
    stacked = np.stack([rows[n].transpose("chain", "draw").to_numpy() for n in names], axis=-1)
    data = xr.DataArray(stacked, dims=("chain", "draw", "row"), name="x")
    interval = az.eti if ci_kind == "eti" else az.hdi
    bounds = interval(data, prob=ci_prob).to_numpy()
    label = f"{ci_kind}{round(100 * ci_prob, 6):g}"
    with np.errstate(all="ignore"):
        none = (stacked == null).all(axis=(0, 1))  # by construction: neither sign is probable
        above = np.where(none, np.nan, (stacked > null).mean(axis=(0, 1)))
        columns: dict[str, Any] = {
            "median": np.median(stacked, axis=(0, 1)),
            f"{label}_low": bounds[..., 0],
            f"{label}_high": bounds[..., 1],
            f"P(>{null:g})": above,
            **({"P(direction)": _likelier(above, stacked, null)} if direction else {}),
            **({"P(ROPE)": _within(stacked, rope)} if rope is not None else {}),
            "mcse": az.mcse(data, method="median").to_numpy(),
            "ess_bulk": az.ess(data, method="bulk").to_numpy(),
            "ess_tail": az.ess(data, method="tail").to_numpy(),
            "r_hat": az.rhat(data).to_numpy(),
        }
    return pd.DataFrame(columns, index=_index(names))


def check_interval(ci_prob: Any, ci_kind: Any = "eti") -> None:
    """Check the mass and the kind of an interval."""
    if not is_number(ci_prob):
        raise TypeError(f"ci_prob must be a number such as 0.95; {ci_prob!r} was given.")
    if not 0.0 < ci_prob < 1.0:
        hint = f" For {ci_prob:g}% write {ci_prob / 100:g}." if 1.0 < ci_prob < 100.0 else ""
        raise ValueError(f"ci_prob must lie between 0 and 1; {ci_prob!r} was given.{hint}")
    if ci_kind not in ("eti", "hdi"):
        raise ValueError(f"ci_kind={ci_kind!r}; choose 'eti' or 'hdi'.")


def _likelier(above: np.ndarray, values: np.ndarray, null: float) -> np.ndarray:
    return np.maximum(above, (values < null).mean(axis=(0, 1)))


def _within(values: np.ndarray, rope: tuple[float, float]) -> np.ndarray:
    low, high = check_rope(rope)
    return ((values >= low) & (values <= high)).mean(axis=(0, 1))


def check_rope(rope: Any) -> tuple[float, float]:
    """The two ends of a region of practical equivalence, which one of them bounds."""
    try:
        low, high = (float(end) for end in rope)
    except (TypeError, ValueError):
        low = high = math.nan
    if isinstance(rope, (str, Mapping)) or math.isnan(low) or math.isnan(high):
        raise TypeError(f"rope must be two numbers (low, high); {rope!r} was given.")
    if low >= high:
        raise ValueError(f"rope={rope!r} is the wrong way round or empty; give (low, high).")
    if math.isinf(low) and math.isinf(high):
        raise ValueError(f"rope={rope!r} holds every effect; give at least one finite end.")
    return low, high


def _index(names: list[Any]) -> pd.Index:
    """Names, or tuples of names, which become levels."""
    if names and isinstance(names[0], tuple):
        return pd.MultiIndex.from_tuples(names)
    return pd.Index(names)


def rounded(table: pd.DataFrame) -> pd.DataFrame:
    """Show no digit of an estimate or its interval below the Monte Carlo error.

    Those columns hold Python floats, so that pandas prints each with its own digits;
    probabilities stay whole and are cut in print only.
    """
    shown = Printed(table)
    errors = table["mcse"].to_numpy()
    digits = [
        -int(np.floor(np.log10(error))) if np.isfinite(error) and error > 0 else 15
        for error in errors
    ]
    for name in [n for n in table.columns if n == "median" or n.endswith(("_low", "_high"))]:
        values = [round(float(v), d) + 0.0 for v, d in zip(table[name], digits, strict=True)]
        shown[name] = pd.Series(values, index=table.index, dtype=object)
    shown["mcse"] = pd.Series([float(f"{e:.1g}") for e in errors], index=table.index, dtype=object)
    shown["r_hat"] = table["r_hat"].round(3)
    for name in ("ess_bulk", "ess_tail"):
        shown[name] = table[name].round(0)
        if np.isfinite(table[name]).all():
            shown[name] = shown[name].astype(int)
    return shown


def shown_as(table: pd.DataFrame, round_to: int | str | None) -> pd.DataFrame:
    """A table rounded by its Monte Carlo error ("auto"), to some digits, or not (None)."""
    if round_to == "auto":
        return rounded(table)
    if round_to is None:
        return table
    number = isinstance(round_to, (int, np.integer)) and not isinstance(round_to, bool)
    if not number or int(round_to) < 0:
        raise ValueError(f"round_to={round_to!r}; choose 'auto', a number of digits, or None.")
    return table.round(int(round_to))


def require_one(values: xr.DataArray) -> None:
    """Refuse several groups or contrasts where one is wanted."""
    known = ("rho", "reliability", "arm", "chain", "draw")
    extra = {str(d): values[d].to_numpy().tolist() for d in values.dims if d not in known}
    if extra:
        choice = ", ".join(f"{dim}={labels[0]!r}" for dim, labels in extra.items())
        raise ValueError(
            f"These are several, {extra}; choose one, for example with .where({choice})."
        )


def choose[T: (xr.Dataset, xr.DataArray)](data: T, labels: Mapping[str, Any]) -> T:
    """One label along each of some dimensions."""
    for dim, label in labels.items():
        if dim not in data.dims or dim in ("rho", "arm", "chain", "draw"):
            own = [str(d) for d in data.dims if d not in ("rho", "arm", "chain", "draw")]
            has = f"there are {own}" if own else "these effects have no further dimension"
            raise ValueError(
                f"There is no dimension {dim!r} to choose from; {has}.{nearest(dim, own)}"
            )
        if label not in data[dim].to_numpy().tolist():
            raise ValueError(
                f"{dim}={label!r}; choose one of {few(data[dim].to_numpy().tolist())}."
            )
    found = data.sel(dict(labels), drop=True)
    if "bayesmed" not in data.attrs:
        return found
    return found.assign_attrs(bayesmed=setting_of(data).chosen(labels).to_json())


def readable_roots(rho_zero: xr.Dataset, arm: str) -> xr.DataArray:
    """Tipping points of an arm; all NaN where the grid cut off more than 2.5% of the draws."""
    require_one(rho_zero["rho_zero"])
    values = rho_zero["rho_zero"].sel(arm=arm, drop=True)
    cut = list(rho_zero.attrs["searched"]) != [-1.0, 1.0]
    if cut and float(np.isnan(values).mean()) > 0.025:
        return xr.full_like(values, np.nan)
    return values


def summarise_with_gaps(
    rows: Mapping[str, xr.DataArray], ci_prob: float, ci_kind: Literal["eti", "hdi"]
) -> pd.DataFrame:
    """Summaries of the draws that exist."""
    tables = []
    for name, values in rows.items():
        by_chain = values.transpose("chain", "draw").to_numpy()
        kept = [own[np.isfinite(own)] for own in by_chain]
        pooled = np.concatenate(kept)
        if len(pooled) < 8:
            blank = summarise({name: xr.zeros_like(values)}, ci_prob, ci_kind)
            blank.loc[:, :] = np.nan
            tables.append(blank)
            continue
        table = summarise({name: _chains(pooled[None, :])}, ci_prob, ci_kind)
        common = min(map(len, kept))
        if common < 0.5 * by_chain.shape[1]:  # too unequal to be compared
            table["r_hat"] = np.nan
        else:  # diagnostics are of chains of one length
            alike = summarise({name: _chains(np.stack([own[:common] for own in kept]))})
            diagnostics = ["mcse", "ess_bulk", "ess_tail", "r_hat"]
            table[diagnostics] = alike[diagnostics]
        tables.append(table)
    return pd.concat(tables)


def _chains(values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(values, dims=("chain", "draw"))
