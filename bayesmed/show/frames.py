"""Draws as plain data frames."""

import pandas as pd
import xarray as xr


def long_frame(draws: xr.Dataset) -> pd.DataFrame:
    """One row for each effect, arm, label and draw.

    Parameters
    ----------
    draws : xarray.Dataset
        Of effects or a curve; variables without draws are left out.

    Returns
    -------
    pandas.DataFrame
        Columns ``effect``, ``arm`` (blank for the total), one for each further dimension,
        ``chain``, ``draw`` and ``value``, the effect on its own scale.
    """
    parts = []
    for name, values in draws.data_vars.items():
        if not set(draws["total"].dims) <= set(values.dims):  # no effect, such as k-hat
            continue
        part = values.drop_vars([c for c in values.coords if c not in values.dims])
        frame = part.to_series().rename("value").reset_index()
        frame.insert(0, "effect", str(name))
        if "arm" not in frame:
            frame.insert(1, "arm", "")
        parts.append(frame)
    found = pd.concat(parts, ignore_index=True)
    last = ["chain", "draw", "value"]
    first = ["effect", "arm"]
    between = [c for c in found.columns if c not in (*first, *last)]
    return found[[*first, *between, *last]]


def wide_frame(posterior: xr.Dataset) -> pd.DataFrame:
    """One row a draw, one column a parameter; ``mediator_coef[age]`` is one of several.

    Parameters
    ----------
    posterior : xarray.Dataset
        Variables of dims (chain, draw, ...).

    Returns
    -------
    pandas.DataFrame
        Columns ``chain``, ``draw`` and the parameters.
    """
    columns = {}
    for name, values in posterior.data_vars.items():
        stacked = values.transpose("chain", "draw", ...)
        own = [d for d in stacked.dims if d not in ("chain", "draw")]
        if not own:
            columns[str(name)] = stacked.to_numpy().ravel()
            continue
        for label in stacked[own[0]].to_numpy().tolist():
            columns[f"{name}[{label}]"] = stacked.sel({own[0]: label}).to_numpy().ravel()
    sizes = posterior.sizes
    index = pd.MultiIndex.from_product(
        [range(sizes["chain"]), range(sizes["draw"])], names=["chain", "draw"]
    )
    return pd.DataFrame(columns, index=index).reset_index()
