"""Steps of the outcome in the mediator that differ between rows are told apart."""

import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesmed as bm
from bayesmed.data.formula import parse
from tests.support.made import BY_LAPLACE, columns_of_all_kinds

QUICK = {"method": "laplace", "draws": 500, "chains": 2, "random_seed": 1, "progress": False}


def frame_of(n: int, levels: int) -> pd.DataFrame:
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
    frame = frame_of(40, 3)
    fit = bm.fit(
        frame, mediator="m ~ t + x", outcome="y ~ t + I(m > 0.5 + 0.005 * x) + x", treatment="t",
        **QUICK,
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


@pytest.mark.each(2)
@pytest.mark.parametrize(
    ("term", "at"),
    [
        ("I(m > 0.5 + 0.005 * x)", lambda x: 0.5 + 0.005 * x),
        ("I(m > 0.5 + 0.02 * x)", lambda x: 0.5 + 0.02 * x),
        ("np.maximum(m, 0.2 * x)", lambda x: 0.2 * x),
        pytest.param(
            "I((m > 0.3 + 0.001 * x) * z)", lambda x: 0.3 + 0.001 * x, marks=pytest.mark.slow
        ),
        ("I((m > 0.3) * z)", lambda x: np.array([0.3])),
        ("I((m > 0.5) + 1.0 * (m > 0.50001))", lambda x: np.array([0.5, 0.50001])),
    ],
)
@pytest.mark.filterwarnings("ignore::bayesmed.IdentificationWarning")
def test_all_positions_are_found(term: str, at: Callable[[np.ndarray], np.ndarray]) -> None:
    frame = frame_of(400, 25)
    found = model(frame, term).counterfactuals.outcome.knots
    right = np.unique(at(np.arange(25) / 10))
    np.testing.assert_allclose(found, right, rtol=0, atol=1e-9)


@pytest.mark.each(1)
@pytest.mark.parametrize("term", ["I(m > 0.5 + 0.005 * z)", "I(m > 0.5 + 0.01 * z)"])
def test_many_positions_are_refused_quickly(term: str) -> None:
    start = time.perf_counter()
    with pytest.raises(ValueError, match=r"steps or kinks.*differ between rows"):
        model(frame_of(400, 25), term)
    assert time.perf_counter() - start < 20.0  # and not after it has failed to settle


N = 300


@pytest.fixture(scope="module")
def data():
    return columns_of_all_kinds(N)


STEPS = {
    "I(m > 0)": (lambda m: m > 0.0, [0.0]),
    "I((m > 0.5).astype(float))": (lambda m: m > 0.5, [0.5]),
    "np.abs(m - 1)": (lambda m: np.abs(m - 1.0), [1.0]),
    "m + I(m.clip(0))": (lambda m: np.maximum(m, 0.0), [0.0]),
    "np.where(m > 1, m, 2 * m)": (lambda m: np.where(m > 1.0, m, 2.0 * m), [1.0]),
    "I((m > 1) & (m < 1.2))": (lambda m: (m > 1.0) & (m < 1.2), [1.0, 1.2]),
    "np.interp(m, [0, 1, 3], [0, 2, 3])": (lambda m: np.interp(m, [0, 1, 3], [0, 2, 3]), [0, 1, 3]),
}


@pytest.mark.fit
@pytest.mark.parametrize("term", STEPS)
def test_steps_and_kinks_are_exact(data, term):
    """The mean over M of the term, draw by draw, from its distribution function on a fine grid."""
    function, points = STEPS[term]
    r = np.random.default_rng(5)
    data = data.assign(y=function(data["m"]) * 1.0 + 0.2 * data["treat"] + r.normal(size=N))
    formulas = {"mediator": "m ~ treat", "outcome": f"y ~ {term} + treat", "treatment": "treat"}
    fit = bm.fit(data, **formulas, **BY_LAPLACE)
    own = fit.model
    assert own.counterfactuals.outcome.knots == pytest.approx(points, abs=1e-9)
    edges = np.unique(np.r_[np.linspace(-12.0, 15.0, 100_001), points])
    middle = 0.5 * (edges[1:] + edges[:-1])
    columns = own.designs[1].rows(pd.DataFrame({"m": middle, "treat": 1}))
    posterior = fit.tree["posterior"].isel(chain=0, draw=0)
    mediator = posterior["mediator_coef"].sel(mediator_term=["Intercept", "treat"]).to_numpy()
    values = columns @ posterior["outcome_coef"].to_numpy()
    chances = [
        np.diff(
            stats.norm.cdf(
                edges, mediator[0] + arm * mediator[1], float(posterior["mediator_sigma"])
            )
        )
        for arm in (0, 1)
    ]
    right = (chances[1] - chances[0]) @ values
    found = float(fit.effects().draws["acme"].sel(arm="treated").isel(chain=0, draw=0))
    assert found == pytest.approx(right, abs=1e-7)


@pytest.mark.each(2)
@pytest.mark.parametrize(
    ("term", "said"),
    [
        ("I(m > x)", "differ between rows"),
        ("np.maximum(m, x)", "differ between rows"),
        ("np.round(m, 2)", "more than"),
        ("I(zeros == 0) + zeros", "probability zero"),
    ],
)
def test_steps_that_cannot_be_followed_are_refused_at_once(data, term, said):
    mediator = "zeros" if "zeros" in term else "m"
    data = data.assign(zeros=np.where(data["k"] == 0, 0.0, data["m"]))
    with pytest.raises(ValueError, match=said):
        bm.MediationModel(
            data,
            mediator=f"{mediator} ~ treat + x",
            outcome=f"y ~ {term} + treat + x",
            treatment="treat",
        )


@pytest.mark.each(2)
@pytest.mark.parametrize(
    ("term", "points"),
    [("I(m > k)", [0, 1, 2, 3]), ("I(m * treat > 0.5)", [0.5]), ("I(m > 0) * x", [0]),
     ("I(m**2)", []), ("I(m * x)", []), ("np.tanh(3 * m)", [])],
)  # fmt: skip
def test_points_of_steps(data, term, points):
    own = bm.MediationModel(
        data, mediator="m ~ treat + x + k", outcome=f"y ~ {term} + treat + x + k", treatment="treat"
    )
    assert own.counterfactuals.outcome.knots == pytest.approx(points, abs=1e-9)


def test_a_method_of_the_mediator_is_a_function_of_it(data):
    """m.clip(0) beside m: taken as linear in m it gave the ACME of a line through 0 and 1."""
    own = bm.MediationModel(
        data, mediator="m ~ treat", outcome="y ~ m + m.clip(0) + treat", treatment="treat"
    )
    assert own.counterfactuals.outcome.base is None
    assert parse("y ~ m.clip(0) + I(x.abs())", ["y", "m", "x"], "outcome").variables == ("m", "x")


@pytest.mark.fit
@pytest.mark.parametrize("value", [3, 8, 12])
def test_a_step_at_one_count_is_summed(value):
    """I(k == v): ACME = b (P(K = v | 1) - P(K = v | 0)), draw by draw."""
    r = np.random.default_rng(3)
    treat = np.arange(N) % 2
    k = r.poisson(np.exp(1.9 + 0.3 * treat))
    data = pd.DataFrame({"treat": treat, "k": k, "y": 2.0 * (k == value) + r.normal(size=N)})
    fit = bm.fit(
        data, mediator="k ~ treat", outcome=f"y ~ I(k == {value}) + k + treat", treatment="treat",
        mediator_family="poisson", **{**BY_LAPLACE, "draws": 2000},
    )  # fmt: skip
    posterior = fit.tree["posterior"].isel(chain=0, draw=0)
    a = posterior["mediator_coef"].sel(mediator_term=["Intercept", "treat"]).to_numpy()
    b = posterior["outcome_coef"]
    step = float(b[[f"I(k == {value})" in name for name in b["outcome_term"].to_numpy()]].item())
    means = np.exp([a[0], a[0] + a[1]])
    right = step * np.diff(stats.poisson.pmf(value, means))[0]
    right += float(b.sel(outcome_term="k")) * np.diff(means)[0]
    found = float(fit.effects().draws["acme"].sel(arm="treated").isel(chain=0, draw=0))
    assert found == pytest.approx(right, abs=1e-8)
