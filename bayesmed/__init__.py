"""Bayesian causal mediation analysis with posterior sensitivity to unmeasured confounding."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayesmed.api.benchmarks import Benchmarks
    from bayesmed.api.compare import compare
    from bayesmed.api.effects import Effects
    from bayesmed.api.fit import MediationFit
    from bayesmed.api.load import load
    from bayesmed.api.many import fit_many
    from bayesmed.api.model import MediationModel, fit
    from bayesmed.api.reliability import ReliabilityCurve
    from bayesmed.api.rho_benchmark import RhoBenchmark
    from bayesmed.api.rsquared import RSquared
    from bayesmed.api.sensitivity import Sensitivity
    from bayesmed.api.simulation import simulate
    from bayesmed.data.examples import load_data
    from bayesmed.families.catalogue import FAMILIES
    from bayesmed.families.family import Family
    from bayesmed.families.prior import Prior
    from bayesmed.means.target import Functional, probability, quantile, restricted_mean, survival
    from bayesmed.show.tables import table
    from bayesmed.system.system import IdentificationWarning

__version__ = "0.1.0"

#: Where each public name lives; a module is imported when a name of it is first used.
_HOMES = {
    "Benchmarks": "api.benchmarks",
    "Effects": "api.effects",
    "FAMILIES": "families.catalogue",
    "Family": "families.family",
    "Functional": "means.target",
    "IdentificationWarning": "system.system",
    "MediationFit": "api.fit",
    "MediationModel": "api.model",
    "Prior": "families.prior",
    "RSquared": "api.rsquared",
    "ReliabilityCurve": "api.reliability",
    "RhoBenchmark": "api.rho_benchmark",
    "Sensitivity": "api.sensitivity",
    "compare": "api.compare",
    "fit": "api.model",
    "fit_many": "api.many",
    "load": "api.load",
    "load_data": "data.examples",
    "probability": "means.target",
    "quantile": "means.target",
    "restricted_mean": "means.target",
    "simulate": "api.simulation",
    "survival": "means.target",
    "table": "show.tables",
}

#: Modules that are called by their own names, such as ``bm.plots.plot_effects``.
_DOORS = {"estimands": "estimands", "plots": "show.plots", "special": "special"}

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
        if name in _DOORS:
            return import_module(f"{__name__}.{_DOORS[name]}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"bayesmed.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
