"""Steps of the outcome in the mediator that differ between rows are told apart."""

import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesmed as bm

FIT = {"method": "laplace", "draws": 500, "chains": 2, "random_seed": 1, "progress": False}


def data(n: int, levels: int) -> pd.DataFrame:
    r = np.random.default_rng(0)
    x, t = np.arange(n) % levels / 10, r.integers(0, 2, n)
    m = 0.4 * t + 0.3 * x + r.normal(size=n)
    y = 0.3 * t + (m > 0.5 + 0.005 * x) + r.normal(size=n)
    return pd.DataFrame({"t": t, "x": x, "m": m, "y": y, "z": r.normal(size=n)})


def model(frame: pd.DataFrame, term: str) -> bm.MediationModel:
    return bm.MediationModel(
        frame, mediator="m ~ t + x + z", outcome=f"y ~ t + {term} + x + z", treatment="t"
    )


@pytest.mark.fit
def test_the_effect_is_that_of_the_normal_cdf() -> None:
    frame = data(40, 3)
    fit = bm.fit(
        frame, mediator="m ~ t + x", outcome="y ~ t + I(m > 0.5 + 0.005 * x) + x", treatment="t",
        **FIT,
    )  # fmt: skip
    np.testing.assert_allclose(
        fit.model.counterfactuals.outcome.knots, [0.5, 0.5005, 0.501], rtol=0, atol=1e-9
    )
    posterior = fit.tree["posterior"]
    coef = posterior["mediator_coef"].sel(mediator_term=["Intercept", "t", "x"]).to_numpy()
    sigma = posterior["mediator_sigma"].to_numpy()[..., None]
    (term,) = (v for v in posterior["outcome_term"].to_numpy() if "0.005" in v)
    step = posterior["outcome_coef"].sel(outcome_term=term).to_numpy()
    x = frame["x"].to_numpy()
    above = [
        stats.norm.sf(
            0.5 + 0.005 * x, coef[..., :1] + arm * coef[..., 1:2] + coef[..., 2:] * x, sigma
        )
        for arm in (0, 1)
    ]
    right = step * (above[1] - above[0]).mean(axis=-1)
    found = fit.effects().draws["acme"].sel(arm="treated").to_numpy()
    np.testing.assert_allclose(found, right, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("term", "at"),
    [
        ("I(m > 0.5 + 0.005 * x)", lambda x: 0.5 + 0.005 * x),
        ("I(m > 0.5 + 0.02 * x)", lambda x: 0.5 + 0.02 * x),
        ("np.maximum(m, 0.2 * x)", lambda x: 0.2 * x),
        ("I((m > 0.3 + 0.001 * x) * z)", lambda x: 0.3 + 0.001 * x),
        ("I((m > 0.3) * z)", lambda x: np.array([0.3])),
        ("I((m > 0.5) + 1.0 * (m > 0.50001))", lambda x: np.array([0.5, 0.50001])),
    ],
)
@pytest.mark.filterwarnings("ignore::bayesmed.IdentificationWarning")
def test_all_positions_are_found(term: str, at: Callable[[np.ndarray], np.ndarray]) -> None:
    frame = data(400, 25)
    found = model(frame, term).counterfactuals.outcome.knots
    right = np.unique(at(np.arange(25) / 10))
    np.testing.assert_allclose(found, right, rtol=0, atol=1e-9)


@pytest.mark.parametrize("term", ["I(m > 0.5 + 0.005 * z)", "I(m > 0.5 + 0.01 * z)"])
def test_many_positions_are_refused_quickly(term: str) -> None:
    start = time.perf_counter()
    with pytest.raises(ValueError, match=r"steps or kinks.*differ between rows"):
        model(data(400, 25), term)
    assert time.perf_counter() - start < 20.0  # and not after it has failed to settle
