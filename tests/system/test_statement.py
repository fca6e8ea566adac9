"""What is stated of a model: rho, priors and their scale."""

import numpy as np
import pytest

import bayesmed as bm
from tests.support.inputs import (
    NORMAL,
    bad,
    build,
)


@pytest.mark.parametrize("rho", [1, -1.0, 1.5, np.nan, np.inf])
def test_rho_outside_its_range(small, rho):
    bad(small, "rho", "strictly between -1 and 1", repr(rho), rho=rho)


@pytest.mark.parametrize("rho", ["0.2", None, True, [0.1], np.array(0.3), 0.1j])
def test_rho_of_another_type(small, rho):
    bad(small, "rho must be a number in (-1, 1) or a bm.Prior", repr(rho), rho=rho, error=TypeError)


@pytest.mark.parametrize(
    "prior",
    [
        NORMAL,
        bm.Prior("Uniform", lower=-2, upper=0.5),
        bm.Prior("HalfNormal", sigma=1),
        bm.Prior("TruncatedNormal", mu=0, sigma=0.3, lower=-1),
    ],
)
def test_rho_prior_with_mass_outside(small, prior):
    bad(small, repr(prior), "mass outside (-1, 1)", "use for example", rho=prior)


@pytest.mark.parametrize(
    "prior",
    [
        bm.Prior("Uniform", lower=-0.9, upper=0.9),
        bm.Prior("TruncatedNormal", mu=0, sigma=0.3, lower=-1, upper=1),
        bm.Prior("Beta", alpha=1, beta=1),
        np.float32(0.5),
    ],
)
def test_rho_that_is_allowed(small, prior):
    assert build(small, rho=prior).rho == prior


@pytest.mark.parametrize(
    ("priors", "error", "fragments"),
    [
        ({"outcome": {"zz": NORMAL}}, ValueError, ["'zz'", "'outcome'", "'m', 't', 'x', 'sigma'"]),
        ({"mediator": {"m": NORMAL}}, ValueError, ["'m'", "'mediator'", "'t', 'x', 'sigma'"]),
        ({"outcom": {"m": NORMAL}}, ValueError, ["'outcom'", "'mediator'", "'outcome'"]),
        ({"rho": NORMAL}, ValueError, ["'rho'", "argument rho"]),
        ({"outcome": {"m": (0, 1)}}, TypeError, ["'m'", "bm.Prior", "(0, 1)"]),
        ({"outcome": {"sigma": NORMAL}}, ValueError, ["sigma", "below zero", "HalfNormal"]),
        ({"outcome": NORMAL}, TypeError, ["priors['outcome']", "Normal"]),
        ({"outcome": None}, TypeError, ["priors['outcome']", "None"]),
        ([1], TypeError, ["priors", "[1]"]),
    ],
)
def test_priors_by_name(small, priors, error, fragments):
    bad(small, *fragments, priors=priors, error=error)


def test_prior_scale(small):
    bad(small, "priors_on='both'", "'regression' or 'structural'", priors_on="both")
    bad(small, "priors_on='regression'", "closed pair", "probit mediator", "'structural'",
        mediator="d ~ t + x", outcome="y ~ d + t + x", mediator_family="probit",
        priors_on="regression")  # fmt: skip
    bad(small, "priors_on='regression'", "['x']", "'structural'", outcome="y ~ m + t",
        priors_on="regression")  # fmt: skip
