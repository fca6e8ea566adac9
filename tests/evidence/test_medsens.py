"""What docs/r_mediation.md says of two medsens curves, by the functions of its example."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats

from tests.support.reference import reference

_PATH = Path(__file__).parents[2] / "examples" / "medsens.py"
_SPEC = importlib.util.spec_from_file_location("medsens_example", _PATH)
medsens = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(medsens)


@pytest.mark.parametrize("slope", [-1.2, -0.3, 0.0, 0.5, 2.0])
def test_the_correlation_of_the_mediator_and_the_latent_outcome(slope):
    """Of M and slope M + e by their covariance matrix, M of sd 1.4."""
    sigma = 1.4
    load = np.array([[sigma, 0.0], [slope * sigma, 1.0]])
    covariance = load @ load.T
    wanted = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    assert medsens.implied(slope * sigma) == pytest.approx(wanted)
    # As coded, the slope at rho = 0 becomes x / sqrt(1 + 2 |x|) over sigma.
    x = slope * sigma
    coded = medsens.as_coded(x)
    assert coded / np.sqrt(1 - coded**2) == pytest.approx(x / np.sqrt(1 + 2 * abs(x)))


def test_the_framing_curve_at_zero_is_what_mediate_reports():
    """R's own estimate has a Monte Carlo error of 0.0003, the mean of 800 draws one of 0.001."""
    model = medsens.framing_model()
    curves, x = medsens.framing_curves(model, np.array([0.0]), sims=800)
    rows = reference("r_mediation")["framing_probit"]["rows"]
    acme = next(row["estimate"] for row in rows if row["row"] == "ACME (average)")
    assert curves["model"].item() == pytest.approx(acme, abs=0.004)
    assert curves["as coded"].item() < 0.7 * acme
    assert medsens.implied(x) == pytest.approx(0.4627, abs=1e-4)
    assert medsens.as_coded(x) == pytest.approx(0.343, abs=1e-3)


def test_a_simulated_probit_outcome():
    """200 000 rows: the standard error of the ACME is near 0.0015, and of the truth 0.0007."""
    found = medsens.simulated_probit(0.3, n=200_000)
    assert found["model"] == pytest.approx(found["truth"], abs=0.006)
    assert found["as coded"] < 0.5 * found["truth"]


def test_the_variance_given_a_binary_mediator():
    """1 - rho^2 lambda (lambda + mu) against quadrature over a truncated normal score."""
    mu, rho = 0.4, 0.6
    for low, high, mills in (
        (-mu, np.inf, stats.norm.pdf(mu) / stats.norm.cdf(mu)),
        (-np.inf, -mu, -stats.norm.pdf(mu) / stats.norm.cdf(-mu)),
    ):
        mass = stats.norm.cdf(high) - stats.norm.cdf(low)
        first, second = (
            integrate.quad(lambda e, p=p: e**p * stats.norm.pdf(e), low, high)[0] / mass
            for p in (1, 2)
        )
        assert first == pytest.approx(mills)
        wanted = rho**2 * (second - first**2) + 1 - rho**2
        assert 1 - rho**2 * mills * (mills + mu) == pytest.approx(wanted)


@pytest.mark.slow
def test_a_simulated_probit_mediator():
    """The standard error of each ACME is near 0.0025."""
    found = medsens.simulated_binary(0.6, n=100_000)
    for name in ("joint likelihood", "weights 1/w"):
        assert found[name] == pytest.approx(found["truth"], abs=0.01)
    assert found["weights w"] > found["truth"] + 0.02
