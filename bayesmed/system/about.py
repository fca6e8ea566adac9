"""A model in words and numbers, as plain data that tables, reports and files carry."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Self

import numpy as np

from bayesmed.data.design import Design, column_variables
from bayesmed.data.levels import Contrast
from bayesmed.families.catalogue import FAMILIES
from bayesmed.families.family import Family, Traits
from bayesmed.families.prior import Prior
from bayesmed.system.covariates import associated, covariates_of
from bayesmed.system.default_priors import centred_terms
from bayesmed.system.groups import is_graded, levels_of
from bayesmed.system.system import System

_MOST_ARMS = 12
#: A distribution and its parameters.
type Law = tuple[str, dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class About:
    """What a fit is of; as JSON it is the attribute ``bayesmed`` of a tree.

    Mappings are by equation. What has a default may not be there: a prior has no sampler, and files
    of earlier versions have less. ``keys`` are what the JSON has.
    """

    formulas: Mapping[str, str]
    mediator: str
    outcome: str
    treatment: str
    contrast: str
    categories: Mapping[str, list[Any]]
    contrast_in_sd: float | None = None
    levels: list[str]
    variables: Mapping[str, list[list[str]]] = field(default_factory=dict)
    covariates: Mapping[str, list[str]] = field(default_factory=dict)
    associated: list[str] = field(default_factory=list)
    families: list[str]
    own_families: list[str]
    own_traits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    data: Mapping[str, Mapping[str, Any]]
    sigma: Mapping[str, str]
    parameters: Mapping[str, list[str]]
    n: int
    arms: Mapping[str, int] = field(default_factory=dict)
    n_given: int
    missing: Mapping[str, int]
    notes: list[str]
    priors: Mapping[str, Mapping[str, Law]]
    prior_source: Mapping[str, list[str]]
    centred: bool = False
    priors_on: str
    rho_stated: Law | None = None
    rho_prior: str | None
    rho_fixed: float | None
    rho: str
    closed: str | None
    identified_by: str
    independent: bool
    log_mediator: bool
    affine: bool
    hash: str
    sampler: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    interrupted: bool = False
    fit: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    pareto_k: float | None = None
    moments: Mapping[str, Any] | None = None
    keys: frozenset[str] = field(repr=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what :meth:`to_json` wrote; what this version does not know is left out."""
        known = {one.name for one in fields(cls)}
        said = {key: value for key, value in json.loads(text).items() if key in known}
        return cls(**said, keys=frozenset(said))

    def to_json(self) -> str:
        """All that is said, as one JSON object."""
        said = (one.name for one in fields(self) if one.name in self.keys)
        return json.dumps({name: getattr(self, name) for name in said})

    def saying(self, **more: Any) -> Self:
        """The same with something said otherwise, or in addition."""
        return replace(self, **more, keys=self.keys | more.keys())

    @property
    def roles(self) -> dict[str, str]:
        """Names of treatment, mediator and outcome."""
        return {"treatment": self.treatment, "mediator": self.mediator, "outcome": self.outcome}

    def traits(self, equation: str) -> Traits:
        """What words about a family need; the least where a file of an earlier version has nothing."""
        name = self.family[equation]
        if equation in self.own_traits or name in self.own_families:
            return Traits(**self.own_traits.get(equation, {}))
        return FAMILIES[name].traits if name in FAMILIES else Traits()

    @property
    def family(self) -> dict[str, str]:
        """Names of the families, by equation."""
        return dict(zip(self.formulas, self.families, strict=True))

    def used_in(self, equation: str) -> list[str]:
        """Covariates that the columns of an equation come from."""
        names = dict.fromkeys(name for used in self.variables[equation] for name in used)
        return [name for name in names if name not in self.roles.values()]

    @property
    def priors_scale(self) -> str:
        """What the priors speak of."""
        regression = self.priors_on == "regression"
        return "the regression at rho = 0" if regression else "the structural coefficients"

    @property
    def by_laplace(self) -> bool:
        """Whether no chain was run."""
        return self.sampler in ("laplace", "exact")

    @property
    def sampler_words(self) -> str:
        """Who drew the posterior."""
        if self.sampler == "exact":
            return "independent draws from the exact posterior"
        if self.sampler != "laplace":
            return self.sampler
        assert self.pareto_k is not None
        k = self.pareto_k
        quality = f"Pareto k-hat {k:.2f}" if np.isfinite(k) else "weights all equal"
        return f"independence Metropolis-Hastings from a Laplace approximation ({quality})"


def law_words(law: Law) -> str:
    """A prior as a paper prints it."""
    name, parameters = law
    return f"{name}({', '.join(f'{k}={v:.3g}' for k, v in parameters.items())})"


def versions(sampler: str) -> dict[str, str]:
    own, found = [] if sampler in ("pymc", "laplace", "exact") else [sampler], {}
    for name in ("bayesmed", "pymc", "arviz", *own):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def describe(model: System) -> About:
    """What tables, reports and a loaded file need to know about a model."""
    closed, rho = model.identification, model.correlation
    stated = model.statement.priors or {}
    said = {
        **_equations(model),
        "n": model.size,
        "arms": _arms(model),
        "n_given": model.frame.n_given,
        "missing": model.frame.missing,
        "notes": list(model.notes),
        "priors": {
            key: {name: _law(prior) for name, prior in priors.items()}
            for key, priors in model.priors_in_use.items()
        },
        "prior_source": {key: sorted(stated.get(key, {})) for key in model.priors_in_use},
        "centred": any(any(centred_terms(one).values()) for one in model.equations.values()),
        "priors_on": model.prior_scale,
        "rho_stated": None if rho.prior is None else _law(rho.prior),
        "rho_prior": None if rho.prior is None else repr(rho.prior),
        "rho_fixed": rho.fixed,
        "rho": str(rho),
        "closed": closed.map.latent if closed.map is not None else None,
        "identified_by": closed.reason,
        "independent": model.independent,
        "log_mediator": model.counterfactuals.outcome.log_mediator,
        "affine": model.counterfactuals.outcome.rows_at is None,
        "hash": model_hash(model),
    }
    return About(**said, keys=frozenset(said))


def _equations(model: System) -> dict[str, Any]:
    """Formulas, variables and families."""
    equations, contrast = model.equations, model.contrast
    own = {key: family for key, family in model.families.items() if _is_own(family)}
    return {
        "formulas": {key: one.design.parsed.text for key, one in equations.items()},
        "mediator": model.only_mediator.name,
        "outcome": model.last.name,
        "treatment": model.treatment,
        "contrast": str(contrast),
        "categories": {
            key: list(one.response.levels) for key, one in equations.items() if one.response.levels
        },
        "contrast_in_sd": contrast_in_sd(model, contrast) if _has_rows(model) else None,
        "levels": [str(contrast.control), str(contrast.treated)],
        "variables": {key: column_variables(one.design) for key, one in equations.items()},
        "covariates": {key: covariates_of(model, key) for key in equations},
        "associated": associated(model),
        "families": [family.name for family in model.families.values()],
        "own_families": [family.name for family in own.values()],
        **({"own_traits": {key: asdict(one.traits) for key, one in own.items()}} if own else {}),
        "data": {key: dict(one.data) for key, one in equations.items() if one.data},
        "sigma": {key: one.sigma.parsed.rhs for key, one in equations.items() if one.sigma},
        "parameters": {key: list(one.family.parameters) for key, one in equations.items()},
    }


def _is_own(family: Family) -> bool:
    return family is not FAMILIES.get(family.name)


def _law(prior: Prior) -> Law:
    return prior.distribution, prior.parameters


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
        if _is_own(equation.family):
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
