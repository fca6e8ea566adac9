"""Simulation-based calibration of two pairs, and of one with errors put into the package."""

import numpy as np
import pandas as pd
import pytest

from bayesmed.means import tipping
from bayesmed.posterior import density as compiled
from bayesmed.posterior.coefficients import SamplerCoordinates
from bayesmed.system.closed import ClosedMap
from tests.evidence.sbc import CLOSED, evidence, ranks_of

PROBIT = ("gaussian", "probit")
#: Of the deviation of the ranks from uniform ones, by chance.
RARE = 1e-3


def ranks(families, kind, sets, priors_on=None):
    return pd.DataFrame([ranks_of(families, kind, k, priors_on) for k in range(sets)])


def compiled_anew(monkeypatch):
    """Densities with an error are neither taken from memory or disk nor kept there."""
    monkeypatch.setattr(compiled, "_CACHE", {})
    monkeypatch.setattr(compiled, "_on_disk", lambda *_: None)


def chance(table):
    return {name: evidence(table[name])[1] for name in table}


@pytest.mark.fit
@pytest.mark.slow
@pytest.mark.parametrize("families", [PROBIT, ("probit", "probit")])
def test_ranks_are_uniform(families):
    found = chance(ranks(families, "fixed", 100))
    assert set(found) == {"acme", "ade", "total", *(["rho_zero"] if families in CLOSED else [])}
    assert min(found.values()) > RARE


@pytest.mark.fit
@pytest.mark.slow
def test_ranks_of_a_sampled_rho_under_structural_priors_are_uniform():
    found = chance(ranks(PROBIT, "prior", 100, "structural"))
    assert set(found) == {"acme", "ade", "total", "rho", "size"}
    assert min(found.values()) > RARE


@pytest.mark.fit
@pytest.mark.slow
def test_the_wrong_sign_of_rho_is_seen(monkeypatch):
    right = ClosedMap.structural

    def wrong(self, coef0, parameters0, beta, sigma, rho):
        return right(self, coef0, parameters0, beta, sigma, -rho)

    compiled_anew(monkeypatch)
    monkeypatch.setattr(ClosedMap, "structural", wrong)
    assert chance(ranks(PROBIT, "fixed", 100))["acme"] < RARE


@pytest.mark.fit
@pytest.mark.slow
def test_the_error_of_medsens_is_seen(monkeypatch):
    """x / (1 + |x|) in the place of x / sqrt(1 + x^2): a monotone error of rho* alone."""

    monkeypatch.setattr(tipping, "from_odds", lambda x: x / (1.0 + np.abs(x)))
    found = chance(ranks(PROBIT, "fixed", 100))
    assert found["rho_zero"] < RARE
    assert min(found[name] for name in ("acme", "ade", "total")) > RARE


@pytest.mark.fit
@pytest.mark.slow
def test_a_dropped_jacobian_is_seen(monkeypatch):
    """k^p of the map, without which a sampled rho under structural priors is drawn outward."""
    right = SamplerCoordinates.log_jac_det

    def wrong(self, value, *inputs):
        latent, self.latent = self.latent, None
        try:
            return right(self, value, *inputs)
        finally:
            self.latent = latent

    compiled_anew(monkeypatch)
    monkeypatch.setattr(SamplerCoordinates, "log_jac_det", wrong)
    assert chance(ranks(PROBIT, "prior", 100, "structural"))["size"] < RARE
