"""Bayesian causal mediation analysis with posterior sensitivity to unmeasured confounding."""

from bayesmed.benchmarks import Benchmarks
from bayesmed.datasets import load_data
from bayesmed.effects import Effects
from bayesmed.error_curve import ReliabilityCurve
from bayesmed.families import FAMILIES
from bayesmed.family import Family
from bayesmed.fitting import MediationFit, fit
from bayesmed.functionals import Functional, probability, quantile, restricted_mean, survival
from bayesmed.many import fit_many
from bayesmed.model import IdentificationWarning, MediationModel
from bayesmed.priors import Prior
from bayesmed.rho_benchmark import RhoBenchmark
from bayesmed.rsquared import RSquared
from bayesmed.sensitivity import Sensitivity
from bayesmed.simulation import simulate
from bayesmed.storage import load

__version__ = "0.1.0"

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
    "fit",
    "fit_many",
    "load",
    "load_data",
    "probability",
    "quantile",
    "restricted_mean",
    "simulate",
    "survival",
]
