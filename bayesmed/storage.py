"""Saving and loading a fit: arrays and one JSON string, nothing that runs."""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bayesmed.describe import describe, model_hash
from bayesmed.fitting import MediationFit
from bayesmed.names import names_nearest
from bayesmed.passes import LostRows

if TYPE_CHECKING:
    from bayesmed.model import MediationModel

_FORMAT = 2
#: What the description of every fit holds.
_NEEDED = {
    "families", "own_families", "formulas", "parameters", "rho_fixed", "closed", "priors", "priors_on",
    "settings", "contrast", "hash", "fit", "interrupted", "sampler", "affine", "log_mediator", "n",
}  # fmt: skip


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


def save(fit: MediationFit, path: "str | os.PathLike[str]") -> None:
    """Write a fit to a NetCDF file, all or nothing.

    The file is written beside its target and moved there when it is complete, so an older
    file stays intact if the disk is full or the process dies. It is made in memory, which takes
    as much again as the fit. A fingerprint in it tells :func:`load` of damage.

    Parameters
    ----------
    fit : MediationFit
    path : path-like
        By custom it ends in ``.nc``.

    Raises
    ------
    OSError
        If the file cannot be written; the message says where.
    """
    target = Path(path)
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


@names_nearest
def load(path: "str | os.PathLike[str]", model: "MediationModel | None" = None) -> MediationFit:
    """Read a fit that :meth:`bayesmed.MediationFit.save` wrote.

    Parameters
    ----------
    path : path-like
    model : MediationModel, optional
        The model, built by the user from the same data and formulas: needed for ``at=`` and
        for refits. Formulas in the file are text for the report and never evaluated.

    Returns
    -------
    MediationFit

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a fit of bayesmed, is damaged, or the model is not the one it was fitted
        with.
    """
    source = Path(path)
    if not source.is_file():
        raise FileNotFoundError(f"There is no file {source}.")
    try:
        with xr.open_datatree(source, engine="h5netcdf") as opened:
            tree = opened.load()
        about = json.loads(tree.attrs["bayesmed"])
        found = int(tree.attrs["bayesmed_format"])
        for group in ("posterior", "sample_stats", "observed_data", "constant_data"):
            tree[group]
        lacking = _NEEDED - set(about)
        if lacking:
            raise KeyError(f"no {sorted(lacking)}")
    except Exception as error:
        raise ValueError(
            f"{source} is not a complete fit saved by bayesmed ({type(error).__name__}: {error})."
        ) from error
    if found != _FORMAT:
        raise ValueError(
            f"{source} has format {found}, but this version of bayesmed reads format {_FORMAT}; use "
            f"the version that wrote it ({about.get('versions', {}).get('bayesmed', 'unknown')})."
        )
    if tree.attrs.get("bayesmed_digest") != digest(tree):
        raise ValueError(
            f"{source} is damaged: its numbers are not those that were saved. Copy it again from "
            "where it was written, or fit again."
        )
    if model is not None and model_hash(model) != about["hash"]:
        raise ValueError(
            f"The model is not the one that {source} was fitted with; different: "
            f"{_differences(describe(model), about)}. Build it with the same data and arguments, or "
            "load the fit without a model."
        )
    passed = (about.get("moments") or {}).get("passes", False)
    return MediationFit(tree, model, LostRows(about["n"]) if passed else None)


def _differences(mine: Mapping[str, Any], saved: Mapping[str, Any]) -> str:
    """Which parts of two models are not the same, each with what was saved and given."""
    own = json.loads(json.dumps(mine))
    told = []
    for part in ("formulas", "families", "contrast", "rho", "priors_on", "data", "sigma", "n"):
        if own.get(part) != saved.get(part):
            told.append(f"{part} (saved {saved.get(part)}, given {own.get(part)})")
    if own["priors"] != saved["priors"]:
        told.append("priors")
    return "; ".join(told) or "the values of the data"
