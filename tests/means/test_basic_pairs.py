"""Counterfactual means of the nine basic pairs, in blocks and under the bootstrap, against quadrature."""

import tracemalloc

import numpy as np
import pytest
from scipy import special

from bayesmed.means.means import cell_means
from bayesmed.posterior import blocks
from tests.support.pairs import (
    BASIC,
    CELLS,
    SPLINE,
    build_pair,
    pairs,
    random_draws,
    simulated,
    truth,
)


def assert_cells(model, draws, atol=1e-8):
    found = cell_means(draws, model.counterfactuals)
    np.testing.assert_allclose(found, truth(model, draws), rtol=0, atol=atol)


@pytest.mark.each
@pytest.mark.parametrize("rho", [-0.7, 0.0, 0.5])
@pairs
def test_cells_of_every_pair(pair, rho):
    for outcome in ("y ~ m + t + x", "y ~ m * t + m:x + g"):
        model = build_pair(pair, "m ~ t * x + g", outcome)
        assert_cells(model, random_draws(model, rho))


@pytest.mark.each
@pytest.mark.parametrize("rho", [-0.7, 0.5])
@pytest.mark.parametrize("function", ["I(m**2)", SPLINE])
@pytest.mark.parametrize("outcome", BASIC)
def test_cells_with_functions_of_a_gaussian_mediator(outcome, function, rho):
    plain = "m + " if function != SPLINE else ""
    model = build_pair(("gaussian", outcome), outcome=f"y ~ {plain}{function} + t + g")
    assert_cells(model, random_draws(model, rho))


@pytest.mark.each
@pytest.mark.parametrize("outcome", BASIC)
@pytest.mark.parametrize("mediator", ["probit", "logit"])
def test_a_binary_mediator_as_a_factor_changes_nothing(mediator, outcome):
    pair = (mediator, outcome)
    factor, number = (build_pair(pair, outcome=f"y ~ {m} * t + x") for m in ("C(m)", "m"))
    draws = random_draws(number, 0.5)
    terms = [term.replace("C(m)[T.1.0]", "m") for term in factor.designs[1].terms]
    assert terms == list(number.designs[1].terms)
    by_factor, by_number = (cell_means(draws, m.counterfactuals) for m in (factor, number))
    np.testing.assert_allclose(by_factor, by_number, rtol=1e-13)
    assert_cells(factor, draws)


@pytest.mark.each
@pytest.mark.parametrize("rho", [-0.95, 0.95])
@pairs
def test_cells_where_the_outcome_is_steep_in_the_mediator(pair, rho):
    outcomes = ["y ~ m + t + x", "y ~ m + t + m:x"]
    if pair[0] == "gaussian":
        outcomes.append("y ~ m + I(m**2) + t")
    for outcome in outcomes:
        model = build_pair(pair, outcome=outcome)
        draws = random_draws(model, rho)
        sigma = draws.mediator.parameters.get("sigma", 1.0)
        draws.outcome.coef[:, model.designs[1].terms.index("m")] = 3.0 / sigma
        assert_cells(model, draws)


@pytest.mark.parametrize("pair", [("gaussian", "logit"), ("probit", "probit")], ids="-".join)
def test_cells_where_rho_differs_between_draws(pair):
    model = build_pair(pair)
    draws = random_draws(model, 0.0)
    draws.rho[:] = [-0.8, 0.0, 0.95]
    assert_cells(model, draws)


def test_cells_are_those_of_simulated_people():
    """One brute-force simulation, so that the quadrature above is not alone."""
    model = build_pair(("gaussian", "logit"), outcome="y ~ m * t + x")
    draws, rng = random_draws(model, 0.6, size=1), np.random.default_rng(8)
    e, z = rng.standard_normal((2, 20_000, 40))
    e_y = 0.6 * e + 0.8 * z
    found = cell_means(draws, model.counterfactuals)[..., 0]
    x, (a, b, c) = model.frame.data["x"].to_numpy(), draws.mediator.coef[0]
    order = dict(zip(model.designs[1].terms, draws.outcome.coef[0], strict=True))
    assert model.designs[0].terms == ("Intercept", "t", "x")
    for t, s in CELLS:
        m = a + b * s + c * x + draws.mediator.parameters["sigma"] * e
        eta = (
            order["Intercept"]
            + order["m"] * m
            + order["t"] * t
            + order["m:t"] * m * t
            + order["x"] * x
        )
        y = special.ndtr(e_y) > special.expit(-eta)
        assert found[t, s] == pytest.approx(y.mean(), abs=5.0 * 0.5 / np.sqrt(y.size))


def test_cells_at_a_covariate_value():
    model = build_pair(("gaussian", "probit"), outcome="y ~ m * x + t")
    draws = random_draws(model, 0.4)
    found = cell_means(draws, model.counterfactuals_at({"x": 1.5}))
    same = build_pair(("gaussian", "probit"), outcome="y ~ m * x + t")
    same.frame.data["x"] = 1.5
    np.testing.assert_allclose(found, truth(same, draws), rtol=0, atol=1e-8)


KINDS = {
    "gaussian-gaussian": (("gaussian", "gaussian"), "y ~ m + t + x"),
    "gaussian-probit": (("gaussian", "probit"), "y ~ m + t + x"),
    "gaussian-logit": (("gaussian", "logit"), "y ~ m + t + x"),
    "gaussian-logit with X x M": (("gaussian", "logit"), "y ~ m * x + t"),
    "probit-gaussian": (("probit", "gaussian"), "y ~ m + t + x"),
    "probit-logit": (("probit", "logit"), "y ~ m + t + x"),
    "square, gaussian": (("gaussian", "gaussian"), "y ~ m + I(m**2) + t"),
    "square, probit": (("gaussian", "probit"), "y ~ m + I(m**2) + t"),
}
SLOW = {"gaussian-logit with X x M", "square, probit"}
kinds = pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] if kind in SLOW else []) for kind in KINDS]
)


@pytest.mark.each
@kinds
@pytest.mark.parametrize("bootstrap", [None, 3])
def test_blocks_do_not_change_the_result(kind, bootstrap, monkeypatch):
    pair, outcome = KINDS[kind]
    model = build_pair(pair, outcome=outcome)
    draws = random_draws(model, 0.5, size=7)
    draws.rho[2] = -0.2
    whole = cell_means(draws, model.counterfactuals, bootstrap)
    again = cell_means(draws, model.counterfactuals, bootstrap)
    np.testing.assert_array_equal(whole, again)
    monkeypatch.setattr(blocks, "_BLOCK", 200)
    parts = cell_means(draws, model.counterfactuals, bootstrap)
    np.testing.assert_allclose(parts, whole, rtol=0, atol=2e-9)


@pytest.mark.each(3)
@kinds
def test_bootstrap_weights_are_dirichlet_draws_by_seed(kind):
    """Weights Dirichlet(1, ..., 1), new in each draw: their mean and spread in the cells."""
    pair, outcome = KINDS[kind]
    model, size = build_pair(pair, outcome=outcome), 200
    one = random_draws(model, 0.5, size=1)
    many = one.block(np.zeros(size, int))
    found = cell_means(many, model.counterfactuals, 11)
    other = cell_means(many, model.counterfactuals, 12)
    assert not np.array_equal(found, other)
    sample = truth(model, one)
    error = found.std(axis=-1) / np.sqrt(size)
    assert np.all(np.abs(found.mean(axis=-1) - sample[..., 0]) < 4.5 * error)
    # The variance of a Dirichlet mean is that of the rows over n + 1.
    rows = truth(model, one, by_row=True)[..., 0]
    expected = rows.std(axis=-1) / np.sqrt(rows.shape[-1] + 1.0)
    np.testing.assert_allclose(found.std(axis=-1), expected, rtol=0.25)


@pytest.mark.parametrize("kind", [
    "gaussian-gaussian", "gaussian-probit", "probit-gaussian",
    pytest.param("gaussian-logit", marks=pytest.mark.slow),
])  # fmt: skip
def test_many_rows_are_held_in_blocks(kind, monkeypatch):
    pair, outcome = KINDS[kind]
    n, size = 20_000, 20 if "logit" in kind else 200
    model = build_pair(pair, outcome=outcome, data=simulated(pair, n))
    rows, draws = model.counterfactuals, random_draws(model, 0.5, size=size)
    monkeypatch.setattr(blocks, "_BLOCK", 2 * size * n // 100)
    tracemalloc.start()
    found = cell_means(draws, rows, bootstrap=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.isfinite(found).all() and found.shape == (2, 2, size)
    assert peak < 0.8 * 8 * n * size


@pytest.mark.slow
def test_functions_of_the_mediator_are_held_in_blocks_of_rows(monkeypatch):
    pair, outcome = KINDS["square, probit"]
    model = build_pair(pair, outcome=outcome, data=simulated(pair, 2000))
    rows, draws = model.counterfactuals, random_draws(model, 0.5, size=2)
    monkeypatch.setattr(blocks, "_BLOCK", 200_000)
    tracemalloc.start()
    cell_means(draws, rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6, f"{peak / 2000 / 1e3:.0f} kB per row"
