"""Saving and loading a fit: arrays and one JSON string, nothing that runs."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

from bayesmed.posterior.arrays import constant_data
from bayesmed.posterior.state import Posterior
from bayesmed.posterior.streamed import LostRows
from bayesmed.system.about import About, Law, describe, model_hash
from bayesmed.system.system import System

_FORMAT = 2


def digest(tree: xr.DataTree) -> str:
    """Fingerprint of the numbers and words of a tree, by which a damaged file is told."""
    found = hashlib.sha256(str(tree.attrs["bayesmed"]).encode())
    for group in sorted(node.path for node in tree.subtree):
        data = tree[group].to_dataset()
        for name in sorted(map(str, data.variables)):
            values = data[name].to_numpy()
            found.update(f"{group} {name} {data[name].dims} {values.shape}".encode())
            numbers = values.dtype.kind in "biuf"  # files keep no bool
            found.update(
                np.ascontiguousarray(values, dtype=float).tobytes()
                if numbers
                else "\0".join(map(str, values.ravel())).encode()
            )
    return found.hexdigest()


def save(fit: Posterior, path: "str | os.PathLike[str]") -> None:
    """Write a fit to a NetCDF file, all or nothing.

    The file is written beside its target and moved there when it is complete, so an older
    file stays intact if the disk is full or the process dies. It is made in memory, which takes
    as much again as the fit. A fingerprint in it tells :func:`load` of damage.

    Parameters
    ----------
    fit : Posterior
    path : path-like
        By custom it ends in ``.nc``.

    Raises
    ------
    OSError
        If the file cannot be written; the message says where.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"Cannot write a file in {target.parent.resolve()}: there is no such folder. Make it and "
            "save again; the fit is still in memory."
        )
    tree = fit.tree.copy()
    tree.attrs["bayesmed_format"] = _FORMAT
    tree.attrs["bayesmed_digest"] = digest(tree)
    # Made in memory first: HDF5 does not survive a disk that fills while it writes.
    whole = tree.to_netcdf(None, engine="h5netcdf")
    try:
        handle, name = tempfile.mkstemp(dir=target.parent or ".", prefix=".bayesmed-", suffix=".nc")
    except OSError as error:
        raise OSError(f"Cannot write a file in {target.parent.resolve()}: {error}") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(whole)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(name)
        if isinstance(error, OSError):
            raise OSError(
                f"The fit was not saved to {target} ({error}); it is still in memory, and a file "
                "that was there before is unchanged. Free some space or choose another folder."
            ) from error
        raise


def read(path: "str | os.PathLike[str]", model: System | None = None) -> Posterior:
    """Read a fit; see :func:`bayesmed.load`."""
    source = Path(path)
    if not source.is_file():
        raise FileNotFoundError(f"There is no file {source}.")
    try:
        with xr.open_datatree(source, engine="h5netcdf") as opened:
            tree = opened.load()
        about = About.from_json(tree.attrs["bayesmed"])
        found = int(tree.attrs["bayesmed_format"])
        for group in ("posterior", "sample_stats", "observed_data", "constant_data"):
            tree[group]
        if not (about.fit and about.sampler and about.settings):
            raise ValueError("it does not say who drew it")
    except Exception as error:
        raise ValueError(
            f"{source} is not a complete fit saved by bayesmed ({type(error).__name__}: {error})."
        ) from error
    if found != _FORMAT:
        raise ValueError(
            f"{source} has format {found}, but this version of bayesmed reads format {_FORMAT}; use "
            f"the version that wrote it ({about.versions.get('bayesmed', 'unknown')})."
        )
    if tree.attrs.get("bayesmed_digest") != digest(tree):
        raise ValueError(
            f"{source} is damaged: its numbers are not those that were saved. Copy it again from "
            "where it was written, or fit again."
        )
    if model is not None and model_hash(model) != about.hash:
        raise ValueError(
            f"The model is not the one that {source} was fitted with; different: "
            f"{_differences(model, tree, about)}. Build it with the same data and arguments, or "
            "load the fit without a model."
        )
    passed = (about.moments or {}).get("passes", False)
    fit = Posterior(tree, model)
    return replace(fit, passes=LostRows(about.n, fit.kept_counterfactuals)) if passed else fit


def _differences(model: System, tree: xr.DataTree, saved: About) -> str:
    """Which parts of two models are not the same, each with what was saved and given."""
    own = About.from_json(describe(model).to_json())
    parts = ("formulas", "families", "contrast", "rho", "priors_on", "data", "sigma", "n")
    told = [
        f"{part} (saved {there}, given {here})"
        for part in parts
        if (here := getattr(own, part)) != (there := getattr(saved, part))
    ]
    rows = "" if told else _other_rows(_by_row(_groups(model)), _by_row(tree), saved)
    priors = _other_priors(own, saved, stated_only=bool(told or rows))
    told += [rows] * bool(rows) + [f"priors of {', '.join(priors)}"] * bool(priors)
    return "; ".join(told) or "numbers in their last digits, or the code of a family"


def _groups(model: System) -> xr.DataTree:
    """What a fit of the model would keep of its data."""
    observed = {key: ("obs", one.response.values) for key, one in model.equations.items()}
    return xr.DataTree.from_dict(
        {"observed_data": xr.Dataset(observed), "constant_data": constant_data(model)}
    )


def _by_row(tree: xr.DataTree) -> dict[str, np.ndarray]:
    """Each column of the responses, designs and data columns."""
    observed = tree["observed_data"].data_vars
    found = {str(name): values.to_numpy() for name, values in observed.items()}
    for name, values in tree["constant_data"].to_dataset().data_vars.items():
        if values.dims == ("obs",):
            found[str(name)] = values.to_numpy()
        elif values.ndim == 2 and values.dims[0] == "obs":
            found |= {str(term): values.sel({values.dims[1]: term}).to_numpy()
                      for term in values[values.dims[1]].to_numpy()}  # fmt: skip
    return found


def _other_rows(
    mine: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray], about: About
) -> str:
    """How the rows differ: in their order only, or in which columns."""
    if mine.keys() != theirs.keys() or any(len(mine[k]) != len(theirs[k]) for k in mine):
        return "the values of the data"
    scale = {name: np.abs(values).max() or 1.0 for name, values in theirs.items()}
    here, there = (
        np.column_stack([np.round(own[k] / scale[k], 9) for k in scale]) for own in (mine, theirs)
    )
    if np.array_equal(here, there):
        return ""
    named = [about.roles.get(name, name) for name in scale]
    other = [
        name
        for name, a, b in zip(named, here.T, there.T, strict=True)
        if not np.array_equal(np.sort(a), np.sort(b))
    ]
    if other:
        other = list(dict.fromkeys(map(str, other)))
        shown = ", ".join(other[:5])
        return f"the values of {shown}" + (f", ... ({len(other)} in all)" if other[5:] else "")
    here, there = (table[np.lexsort(table.T)] for table in (here, there))
    if np.array_equal(here, there):
        return "the order of the rows, which are the same otherwise: sort them as at the fit"
    return "which values stand in one row"


def _other_priors(own: About, saved: About, stated_only: bool) -> list[str]:
    """Names of priors that are not the same; defaults follow the data, and differ with them."""
    found = []
    for equation in {**saved.priors, **own.priors}:
        mine, theirs = own.priors.get(equation, {}), saved.priors.get(equation, {})
        stated = {*own.prior_source.get(equation, []), *saved.prior_source.get(equation, [])}
        for name in {**theirs, **mine}:
            counts = name in stated or not stated_only
            if counts and not _same_prior(mine.get(name), theirs.get(name)):
                found.append(f"{name} ({equation})")
    return found


def _same_prior(one: Law | None, other: Law | None) -> bool:
    """Whether two are of one distribution and, up to rounding, have the same numbers."""
    if one is None or other is None or one[0] != other[0] or one[1].keys() != other[1].keys():
        return False
    return all(np.isclose(one[1][k], other[1][k], rtol=1e-9, atol=0.0) for k in one[1])
