"""A model in words and numbers, as plain data that tables, reports and files carry."""

import hashlib
from collections.abc import Mapping
from dataclasses import fields
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from bayesmed.data.design import Design, column_variables
from bayesmed.data.levels import Contrast
from bayesmed.families.catalogue import FAMILIES
from bayesmed.families.family import Family
from bayesmed.system.covariates import associated, covariates_of
from bayesmed.system.default_priors import centred_terms
from bayesmed.system.groups import is_graded, levels_of
from bayesmed.system.system import System

_MOST_ARMS = 12


def sampler_words(about: Mapping[str, Any]) -> str:
    """Who drew the posterior."""
    if about["sampler"] == "exact":
        return "independent draws from the exact posterior"
    if about["sampler"] != "laplace":
        return str(about["sampler"])
    k = about["pareto_k"]
    quality = f"Pareto k-hat {k:.2f}" if np.isfinite(k) else "weights all equal"
    return f"independence Metropolis-Hastings from a Laplace approximation ({quality})"


def versions(sampler: str) -> dict[str, str]:
    names = [
        "bayesmed",
        "pymc",
        "arviz",
        *([sampler] if sampler not in ("pymc", "laplace", "exact") else []),
    ]
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def describe(model: System) -> dict[str, Any]:
    """What tables, reports and a loaded file need to know about a model, as plain data."""
    closed, rho, equations = model.identification, model.correlation, model.equations
    stated = model.statement.priors or {}
    return {
        "formulas": {key: one.design.parsed.text for key, one in equations.items()},
        "mediator": model.only_mediator.name,
        "outcome": model.last.name,
        "treatment": model.treatment,
        "contrast": str(model.contrast),
        "categories": {
            key: list(one.response.levels) for key, one in equations.items() if one.response.levels
        },
        "contrast_in_sd": contrast_in_sd(model, model.contrast) if _has_rows(model) else None,
        "levels": [str(model.contrast.control), str(model.contrast.treated)],
        "variables": {key: column_variables(one.design) for key, one in equations.items()},
        "covariates": {key: covariates_of(model, key) for key in equations},
        "associated": associated(model),
        "families": [family.name for family in model.families],
        "own_families": [f.name for f in model.families if f is not FAMILIES.get(f.name)],
        "data": {key: dict(one.data) for key, one in equations.items() if one.data},
        "sigma": {key: one.sigma.parsed.rhs for key, one in equations.items() if one.sigma},
        "parameters": {key: list(one.family.parameters) for key, one in equations.items()},
        "n": model.size,
        "arms": _arms(model),
        "n_given": model.frame.n_given,
        "missing": model.frame.missing,
        "notes": list(model.notes),
        "priors": {
            name: {own: [prior.distribution, prior.parameters] for own, prior in priors.items()}
            for name, priors in model.priors_in_use.items()
        },
        "prior_source": {name: sorted(stated.get(name, {})) for name in model.priors_in_use},
        "centred": any(any(centred_terms(one).values()) for one in equations.values()),
        "priors_on": model.prior_scale,
        "rho_stated": None if rho.prior is None else [rho.prior.distribution, rho.prior.parameters],
        "rho_prior": None if rho.prior is None else repr(rho.prior),
        "rho_fixed": rho.fixed,
        "rho": str(rho),
        "closed": closed.map.latent if closed.map is not None else None,
        "identified_by": closed.reason,
        "independent": model.independent,
        "log_mediator": model.counterfactuals.log_mediator,
        "affine": model.counterfactuals.rows_at is None,
        "hash": model_hash(model),
    }


def _has_rows(model: System) -> bool:
    """Whether all rows are at hand."""
    return len(model.frame.data) == model.size


def _arms(model: System) -> dict[str, int]:
    """Rows of each treatment level, the control first; none where they are many or not at hand."""
    column = model.frame.data[model.treatment]
    counts = column.value_counts(sort=False)
    if not _has_rows(model) or len(counts) > _MOST_ARMS:
        return {}
    first = [model.contrast.control, model.contrast.treated]
    order = [*first, *(level for level in levels_of(column) if level not in first)]
    return {_plain(level): int(counts.get(level, 0)) for level in order}


def _plain(level: Any) -> str:
    """As the contrast names it: 2 and not 2.0."""
    return str(int(level) if isinstance(level, float) and level.is_integer() else level)


def contrast_in_sd(model: System, contrast: Contrast) -> float | None:
    """A contrast in standard deviations of a numeric treatment of more than two values."""
    if not is_graded(model):
        return None
    column = model.frame.data[model.treatment]
    gap = float(contrast.treated) - float(contrast.control)
    return gap / float(column.std())


def model_hash(model: System) -> str:
    """Fingerprint of data, formulas, families, contrast, priors and rho: a saved fit is matched by it."""
    digest, equations = hashlib.sha256(), model.equations.values()
    for equation in equations:
        _add_design(digest, equation.design)
    for equation in equations:
        digest.update(np.ascontiguousarray(equation.response.values).tobytes())
    for equation in equations:
        response = equation.response
        if equation.sigma is not None:
            _add_design(digest, equation.sigma)
        for name, column in response.columns.items():
            digest.update(name.encode() + np.ascontiguousarray(column).tobytes())
        if response.offset is not None:
            digest.update(np.ascontiguousarray(response.offset).tobytes())
    digest.update(repr((model.contrast, [one.family.name for one in equations])).encode())
    for equation in equations:
        if equation.family is not FAMILIES.get(equation.family.name):
            digest.update(_fingerprint(equation.family))
    stated = (model.priors_in_use, model.prior_scale, model.correlation.stated)
    digest.update(repr(stated).encode())
    return digest.hexdigest()


def _add_design(digest: Any, design: Design) -> None:
    digest.update(repr((design.parsed.text, design.terms)).encode())
    digest.update(np.ascontiguousarray(design.matrix).tobytes())


def _fingerprint(family: Family) -> bytes:
    """What tells two families of a user's own apart: their code and constants."""
    parts: list[Any] = []
    for piece in fields(family):
        value = getattr(family, piece.name)
        code = getattr(value, "__code__", None)
        if code is not None:
            parts.append(
                (piece.name, code.co_code, repr(code.co_consts).split(" at 0x")[0], code.co_names)
            )
        elif isinstance(value, Mapping):
            parts.append((piece.name, sorted(value)))
        elif not callable(value):
            parts.append((piece.name, value))
    return repr(parts).encode()
