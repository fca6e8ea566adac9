"""Bayesian causal mediation analysis with posterior sensitivity to unmeasured confounding."""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayesmed.benchmarks import Benchmarks
    from bayesmed.datasets import load_data
    from bayesmed.effects import Effects
    from bayesmed.error_curve import ReliabilityCurve
    from bayesmed.families import FAMILIES
    from bayesmed.family import Family
    from bayesmed.fitting import MediationFit, fit
    from bayesmed.functionals import Functional, probability, quantile, restricted_mean, survival
    from bayesmed.loo import compare
    from bayesmed.many import fit_many
    from bayesmed.model import IdentificationWarning, MediationModel
    from bayesmed.priors import Prior
    from bayesmed.publish import table
    from bayesmed.rho_benchmark import RhoBenchmark
    from bayesmed.rsquared import RSquared
    from bayesmed.sensitivity import Sensitivity
    from bayesmed.simulation import simulate
    from bayesmed.storage import load

__version__ = "0.1.0"

#: Where each public name lives; a module is imported when a name of it is first used.
_HOMES = {
    "Benchmarks": "benchmarks",
    "Effects": "effects",
    "FAMILIES": "families",
    "Family": "family",
    "Functional": "functionals",
    "IdentificationWarning": "model",
    "MediationFit": "fitting",
    "MediationModel": "model",
    "Prior": "priors",
    "RSquared": "rsquared",
    "ReliabilityCurve": "error_curve",
    "RhoBenchmark": "rho_benchmark",
    "Sensitivity": "sensitivity",
    "compare": "loo",
    "fit": "fitting",
    "fit_many": "many",
    "load": "storage",
    "load_data": "datasets",
    "probability": "functionals",
    "quantile": "functionals",
    "restricted_mean": "functionals",
    "simulate": "simulation",
    "survival": "functionals",
    "table": "publish",
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
