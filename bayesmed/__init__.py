"""Bayesian causal mediation analysis with posterior sensitivity to unmeasured confounding."""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayesmed.sensitivity.benchmark import Benchmarks
    from bayesmed.data.examples import load_data
    from bayesmed.effects.effects import Effects
    from bayesmed.effects.error_curve import ReliabilityCurve
    from bayesmed.families.catalogue import FAMILIES
    from bayesmed.families.family import Family
    from bayesmed.api.fit import MediationFit, fit
    from bayesmed.means.target import Functional, probability, quantile, restricted_mean, survival
    from bayesmed.api.compare import compare
    from bayesmed.api.many import fit_many
    from bayesmed.system.system import IdentificationWarning, MediationModel
    from bayesmed.families.prior import Prior
    from bayesmed.show.tables import table
    from bayesmed.api.rho_benchmark import RhoBenchmark
    from bayesmed.sensitivity.shares import RSquared
    from bayesmed.sensitivity.grid import Sensitivity
    from bayesmed.api.simulation import simulate
    from bayesmed.posterior.file import load

__version__ = "0.1.0"

#: Where each public name lives; a module is imported when a name of it is first used.
_HOMES = {
    "Benchmarks": "sensitivity.benchmark",
    "Effects": "effects.effects",
    "FAMILIES": "families.catalogue",
    "Family": "families.family",
    "Functional": "means.target",
    "IdentificationWarning": "system.system",
    "MediationFit": "api.fit",
    "MediationModel": "system.system",
    "Prior": "families.prior",
    "RSquared": "sensitivity.shares",
    "ReliabilityCurve": "effects.error_curve",
    "RhoBenchmark": "api.rho_benchmark",
    "Sensitivity": "sensitivity.grid",
    "compare": "api.compare",
    "fit": "api.fit",
    "fit_many": "api.many",
    "load": "posterior.file",
    "load_data": "data.examples",
    "probability": "means.target",
    "quantile": "means.target",
    "restricted_mean": "means.target",
    "simulate": "api.simulation",
    "survival": "means.target",
    "table": "show.tables",
}

__all__ = [
    "FAMILIES",
    "Benchmarks",
    "Effects",
    "Family",
    "Functional",
    "IdentificationWarning",
    "MediationFit",
    "MediationModel",
    "Prior",
    "RSquared",
    "ReliabilityCurve",
    "RhoBenchmark",
    "Sensitivity",
    "compare",
    "fit",
    "fit_many",
    "load",
    "load_data",
    "probability",
    "quantile",
    "restricted_mean",
    "simulate",
    "survival",
    "table",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        if find_spec(f"{__name__}.{name}") is not None:  # a module, such as bm.plots
            return import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"bayesmed.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
