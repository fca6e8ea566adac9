"""A model in words and numbers, as plain data that tables, reports and files carry."""

import hashlib
from collections.abc import Mapping
from dataclasses import fields
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from bayesmed.data.design import column_variables
from bayesmed.families.catalogue import FAMILIES
from bayesmed.families.family import EQUATIONS, Family
from bayesmed.families.prior import Prior
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
    closed = model.identification
    return {
        "formulas": {e: d.parsed.text for e, d in zip(EQUATIONS, model.designs, strict=True)},
        "mediator": model.designs[0].parsed.response,
        "outcome": model.designs[1].parsed.response,
        "treatment": model.treatment,
        "contrast": str(model.contrast),
        "categories": {
            e: list(response.levels)
            for e, response in zip(EQUATIONS, model.responses, strict=True)
            if response.levels
        },
        "contrast_in_sd": contrast_in_sd(model) if _has_rows(model) else None,
        "levels": [str(model.contrast.control), str(model.contrast.treated)],
        "variables": {
            e: column_variables(d) for e, d in zip(EQUATIONS, model.designs, strict=True)
        },
        "covariates": {e: covariates_of(model, place) for place, e in enumerate(EQUATIONS)},
        "associated": associated(model),
        "families": [family.name for family in model.families],
        "own_families": [f.name for f in model.families if f is not FAMILIES.get(f.name)],
        "data": {
            e: dict(data)
            for e, data in zip(EQUATIONS, (model.mediator_data, model.outcome_data), strict=True)
            if data
        },
        "sigma": {
            e: design.parsed.rhs
            for e, design in zip(EQUATIONS, model.scale_designs, strict=True)
            if design is not None
        },
        "parameters": {
            e: list(f.parameters) for e, f in zip(EQUATIONS, model.families, strict=True)
        },
        "n": model.size,
        "arms": _arms(model),
        "n_given": model.frame.n_given,
        "missing": model.frame.missing,
        "notes": list(model.notes),
        "priors": {
            equation: {
                name: [prior.distribution, prior.parameters] for name, prior in priors.items()
            }
            for equation, priors in model.priors_in_use.items()
        },
        "prior_source": {
            equation: sorted((model.priors or {}).get(equation, {}))
            for equation in model.priors_in_use
        },
        "centred": any(centred_terms(model).values()),
        "priors_on": model.prior_scale,
        "rho_stated": [model.rho.distribution, model.rho.parameters]
        if isinstance(model.rho, Prior)
        else None,
        "rho_prior": repr(model.rho) if isinstance(model.rho, Prior) else None,
        "rho_fixed": None if isinstance(model.rho, Prior) else float(model.rho),
        "rho": f"~ {model.rho!r}" if isinstance(model.rho, Prior) else f"fixed at {model.rho:g}",
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


def contrast_in_sd(model: System) -> float | None:
    """The contrast in standard deviations of a numeric treatment of more than two values."""
    if not is_graded(model):
        return None
    column = model.frame.data[model.treatment]
    gap = float(model.contrast.treated) - float(model.contrast.control)
    return gap / float(column.std())


def model_hash(model: System) -> str:
    """Fingerprint of data, formulas, families, contrast, priors and rho: a saved fit is matched by it."""
    digest = hashlib.sha256()
    for design in model.designs:
        digest.update(repr((design.parsed.text, design.terms)).encode())
        digest.update(np.ascontiguousarray(design.matrix).tobytes())
    for equation in EQUATIONS:
        digest.update(np.ascontiguousarray(model.values(equation)).tobytes())
    for scale, response in zip(model.scale_designs, model.responses, strict=True):
        if scale is not None:
            digest.update(repr((scale.parsed.text, scale.terms)).encode())
            digest.update(np.ascontiguousarray(scale.matrix).tobytes())
        for name, column in response.columns.items():
            digest.update(name.encode() + np.ascontiguousarray(column).tobytes())
        if response.offset is not None:
            digest.update(np.ascontiguousarray(response.offset).tobytes())
    digest.update(repr((model.contrast, [family.name for family in model.families])).encode())
    for family in model.families:
        if family is not FAMILIES.get(family.name):
            digest.update(_fingerprint(family))
    digest.update(repr((model.priors_in_use, model.prior_scale, model.rho)).encode())
    return digest.hexdigest()


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
