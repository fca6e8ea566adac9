"""Priors as a user states them."""

import numpy as np
import pytest

import bayesmed as bm
from tests.support.inputs import (
    refused,
)


@pytest.mark.parametrize(
    ("name", "parameters", "fragments"),
    [
        ("Gauss", {"mu": 0}, ["Gauss", "no univariate continuous distribution", "'Normal'"]),
        ("Poisson", {"mu": 1}, ["Poisson", "continuous"]),
        ("sample", {}, ["sample", "continuous"]),
        (3, {}, ["3"]),
        ("Normal", {"mu": "0"}, ["mu", "number", "'0'"]),
        ("Normal", {"mu": [0, 1]}, ["mu", "number", "[0, 1]"]),
        # PyMC itself takes these without a word.
        ("Normal", {"mean": 0, "sigma": 1}, ["mean", "mu"]),
        ("Normal", {"mu": 0, "sd": 2}, ["sd", "sigma"]),
        ("Normal", {"mu": 0, "sigma": -1}, ["sigma=-1"]),
        ("Normal", {"mu": np.nan, "sigma": 1}, ["mu", "nan"]),
        ("Uniform", {"lower": 1, "upper": 0}, ["lower=1", "upper=0"]),
    ],
)
def test_prior_that_is_no_distribution(name, parameters, fragments):
    refused(lambda: bm.Prior(name, **parameters), *fragments)


def test_priors_travel_between_processes():
    import pickle

    prior = bm.Prior("StudentT", nu=4, mu=0, sigma=2)
    assert pickle.loads(pickle.dumps(prior)) == prior
