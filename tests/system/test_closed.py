"""Closed pairs: the likelihood along the exact map does not change; near-misses are not closed."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesmed as bm
from bayesmed.system import copula
from tests.support.models import quiet_model
from tests.support.pairs import (
    CLOSED,
    FORMULAS,
    PAIRS,
    build_pair,
    closed_model,
    closed_pairs,
    regression_of,
    simulated,
)

N = 60
RHO = (-0.95, -0.4, 0.3, 0.9)
OUTCOMES = {
    "gaussian": {},
    "probit": {},
    "ordered_probit": {},
    "tobit": {"outcome_data": {"lower": -0.3, "upper": 1.4}},
    "lognormal": {},
    "lognormal, censored": {"outcome_data": {"event": "seen"}},
}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(8)
    t, x, m = np.arange(N) % 2, rng.normal(size=N), rng.normal(size=N)
    y = 0.5 * m + rng.normal(size=N)
    return pd.DataFrame({
        "t": t, "x": x, "m": m, "pm": np.exp(m), "gaussian": y, "probit": (y > 0).astype(int),
        "ordered_probit": np.digitize(y, [-1.0, 0.0, 1.0]), "tobit": np.clip(y, -0.3, 1.4),
        "lognormal": np.exp(y), "seen": rng.integers(0, 2, N), "o": rng.normal(size=N),
    })  # fmt: skip


def build(data, outcome="gaussian", mediator="t + x", right="m + t + x", **arguments):
    name = outcome.split(",")[0]
    response = arguments.pop("response", "m")
    return quiet_model(
        data, mediator=f"{response} ~ {mediator}", outcome=f"{name} ~ {right}", treatment="t",
        outcome_family=name, **{**OUTCOMES.get(outcome, {}), **arguments},
    )  # fmt: skip


def log_likelihood(model, beta, sigma, coef, parameters, rho):
    sides = []
    for equation, b, own in zip(
        model.equations.values(), (beta, coef), ({"sigma": sigma}, parameters), strict=True
    ):
        response = equation.response
        eta = equation.design.matrix @ b
        eta = eta if response.offset is None else eta + response.offset
        named = {**own, **response.rowwise}
        sides.append(copula.margin(equation.family, response.values, eta, named))
    return copula.log_marginal(sides[0]) + copula.log_conditional(*sides, rho)


def agree(model):
    """Row log-likelihoods at every rho equal those at zero, at parameters drawn at random."""
    closed, rng = model.identification.map, np.random.default_rng(4)
    beta, coef0 = (0.5 * rng.normal(size=len(d.terms)) for d in model.designs)
    parameters0 = {"sigma": 0.8} if closed.latent == "free" else {}
    if model.equations["outcome"].response.levels:
        parameters0 = {"cutpoints": np.array([-0.9, 0.2, 1.1])}
    before = log_likelihood(model, beta, 1.3, coef0, parameters0, 0.0)
    for rho in RHO:
        coef, parameters = closed.structural(coef0, parameters0, beta, 1.3, rho)
        after = log_likelihood(model, beta, 1.3, coef, parameters, rho)
        np.testing.assert_allclose(after, before, atol=1e-10, rtol=1e-10)
        back, again = closed.regression(coef, parameters, beta, 1.3, rho)
        np.testing.assert_allclose(back, coef0, atol=1e-12)
        for name, value in parameters0.items():
            np.testing.assert_allclose(again[name], value, atol=1e-12)


@pytest.mark.each(3)
@pytest.mark.parametrize(
    "right", ["m + t + x", "m * t + x", "m * x + t", "m * t + t * x + I(m**2)"]
)
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_closed_with_a_gaussian_mediator(data, outcome, right):
    agree(build(data, outcome, right=right))


@pytest.mark.each(2)
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_closed_with_a_lognormal_mediator_whose_logarithm_enters(data, outcome):
    for right in ("log(pm) + t + x", "log(pm) * t + x"):
        model = build(data, outcome, right=right, response="pm", mediator_family="lognormal")
        assert model.counterfactuals.outcome.log_mediator
        agree(model)


@pytest.mark.each(2)
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_closed_with_an_offset_of_the_mediator_in_the_span(data, outcome):
    arguments = {"mediator_data": {"offset": "o"}}
    agree(build(data, outcome, right="m + t + x + o", **arguments))
    assert "offset" in build(data, outcome, **arguments).identification.reason


@pytest.mark.parametrize("outcome", ["gaussian", "tobit", "lognormal"])
def test_an_offset_of_a_latent_gaussian_outcome_stays_closed(data, outcome):
    own = OUTCOMES[outcome].get("outcome_data", {})
    agree(build(data, outcome, outcome_data={**own, "offset": "o"}))


def moves(model, beta, coef, parameters):
    """Whether no direction of the parameters restores the likelihood at another rho.

    The map of the closed pair next door is tried: it must change some row by far more than
    rounding.
    """
    closed = build_neighbour(model)
    before = log_likelihood(model, beta, 1.3, coef, parameters, 0.0)
    there = closed.structural(coef, parameters, beta, 1.3, 0.6)
    after = log_likelihood(model, beta, 1.3, *there, 0.6)
    return np.abs(after - before).max() > 1e-3


def build_neighbour(model):
    from bayesmed.system.closed import ClosedMap

    mediator, outcome = model.designs
    names = [model.designs[0].parsed.response]
    direction = np.array([float(term in names) for term in outcome.terms])
    loading = np.zeros((len(outcome.terms), len(mediator.terms)))
    for j, term in enumerate(mediator.terms):
        if term in outcome.terms:
            loading[outcome.terms.index(term), j] = 1.0
    latent = model.families["outcome"].latent or "unit"
    return ClosedMap(direction, loading, latent, 0.0, np.zeros(len(mediator.terms)))


NEAR_MISSES = {
    "T x X of the mediator alone": ({"mediator": "t * x"}, "exclusion"),
    "a heteroskedastic mediator": ({"mediator_sigma": "~ t"}, "sigma of the mediator"),
    "a heteroskedastic outcome": ({"outcome_sigma": "~ t"}, "sigma of the outcome"),
    "a mediator offset outside the span": ({"mediator_data": {"offset": "o"}}, "offset"),
    "a Student-t mediator": ({"mediator_family": "student_t"}, "student_t mediator"),
    "a log-normal mediator on its own scale": (
        {"mediator_family": "lognormal", "response": "pm", "right": "pm + t + x"}, "scale"),
    "a logit outcome": ({"outcome": "probit", "outcome_family": "logit"}, "logit outcome"),
    "an offset of a probit outcome": (
        {"outcome": "probit", "outcome_data": {"offset": "o"}}, "offset of a probit outcome"),
    "an offset of an ordered outcome": (
        {"outcome": "ordered_probit", "outcome_data": {"offset": "o"}}, "offset"),
    "the square of the mediator alone": ({"right": "I(m**2) + t + x"}, "scale"),
}  # fmt: skip


@pytest.mark.each(4)
@pytest.mark.parametrize("case", NEAR_MISSES)
def test_near_misses_are_not_closed(data, case):
    arguments, reason = NEAR_MISSES[case]
    given = dict(arguments)
    outcome = given.pop("outcome", "gaussian")
    if "outcome_family" in given:
        family = given.pop("outcome_family")
        model = quiet_model(data, mediator="m ~ t + x", outcome="probit ~ m + t + x", treatment="t",
                            outcome_family=family)  # fmt: skip
    else:
        model = build(data, outcome, **given)
    assert model.identification.map is None
    assert reason in model.identification.reason
    assert model.prior_scale == "structural"


@pytest.mark.parametrize("case", ["T x X of the mediator alone", "an offset of a probit outcome",
                                  "a mediator offset outside the span"])  # fmt: skip
def test_the_map_of_the_closed_neighbour_moves_the_likelihood_of_a_near_miss(data, case):
    arguments, _ = NEAR_MISSES[case]
    given = dict(arguments)
    model = build(data, given.pop("outcome", "gaussian"), **given)
    rng = np.random.default_rng(4)
    beta, coef = (0.5 * rng.normal(size=len(d.terms)) for d in model.designs)
    assert moves(model, beta, coef, {"sigma": 0.8})


def test_an_exclusion_warns_by_name(data):
    with pytest.warns(bm.IdentificationWarning, match="exclusion"):
        bm.MediationModel(data, mediator="m ~ t * x", outcome="gaussian ~ m + t + x", treatment="t")


def row_log_likelihood(model, draws):
    """log p(m, y) of the observed rows, (obs, S)."""
    m, y = (
        model.equations[equation].response.values[:, None] for equation in ("mediator", "outcome")
    )
    mean, sigma = (
        model.designs[0].matrix @ draws.mediator.coef.T,
        draws.mediator.parameters["sigma"],
    )
    eta, k = model.designs[1].matrix @ draws.outcome.coef.T, np.sqrt(1.0 - draws.rho**2)
    e, first = (m - mean) / sigma, stats.norm.logpdf(m, mean, sigma)
    if model.families["outcome"].name == "gaussian":
        s = draws.outcome.parameters["sigma"]
        return first + stats.norm.logpdf(y, eta + draws.rho * s * e, s * k)
    return first + stats.norm.logcdf((2.0 * y - 1.0) * (eta + draws.rho * e) / k)


@pytest.mark.each(3)
@pytest.mark.parametrize("formulas", FORMULAS)
@closed_pairs
def test_likelihood_is_constant_along_the_map(pair, formulas):
    model = closed_model(pair, formulas)
    regression = regression_of(model)
    at_zero = row_log_likelihood(model, regression.draws)
    for rho in (-0.97, -0.4, 0.0, 0.2, 0.9):
        mapped = row_log_likelihood(model, regression.at(rho))
        np.testing.assert_allclose(mapped, at_zero, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("formulas", FORMULAS)
@closed_pairs
def test_structural_and_regression_invert_each_other(pair, formulas):
    regression = regression_of(closed_model(pair, formulas))
    beta, sigma = regression.draws.mediator.coef, regression.draws.mediator.parameters["sigma"]
    zero = regression.draws.outcome
    for rho in (np.float64(-0.9), np.array([-0.5, 0.1, 0.8])):
        there = regression.map.structural(zero.coef, zero.parameters, beta, sigma, rho)
        coef, parameters = regression.map.regression(*there, beta, sigma, rho)
        np.testing.assert_allclose(coef, zero.coef, rtol=1e-11, atol=1e-11)
        assert parameters.keys() == zero.parameters.keys()
        for name, value in parameters.items():
            np.testing.assert_allclose(value, zero.parameters[name], rtol=1e-13)


@pytest.mark.parametrize("formulas", [
    ("m ~ t * x", "y ~ m + t + x"),
    ("m ~ t + x + g", "y ~ m + t + x"),
    ("m ~ t + I(x**2)", "y ~ m + t + x"),
])  # fmt: skip
@closed_pairs
def test_a_term_of_the_mediator_alone_identifies_rho(pair, formulas):
    with pytest.warns(bm.IdentificationWarning, match="not closed"):
        model = bm.MediationModel(
            simulated(pair), mediator=formulas[0], outcome=formulas[1], treatment="t",
            mediator_family=pair[0], outcome_family=pair[1],
        )  # fmt: skip
    found = model.identification
    assert found.map is None and found.exclusion and "exclusion" in found.reason
    assert model.prior_scale == "structural"


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair not in CLOSED], ids="-".join)
def test_pairs_with_other_families_are_not_closed(pair):
    found = build_pair(pair).identification
    assert found.map is None and not found.exclusion and pair[0] in found.reason


@closed_pairs
def test_a_mediator_through_functions_alone_is_not_closed(pair):
    found = build_pair(pair, outcome="y ~ I(m**2) + t + x").identification
    assert found.map is None and not found.exclusion and "functional form" in found.reason


@closed_pairs
def test_a_covariate_of_the_outcome_alone_is_closed_with_a_warning(pair):
    with pytest.warns(
        bm.IdentificationWarning, match=r"\['g'\] stand in the outcome equation only"
    ):
        model = bm.MediationModel(
            simulated(pair), mediator="m ~ t + x", outcome="y ~ m + t + x + g", treatment="t",
            mediator_family=pair[0], outcome_family=pair[1],
        )  # fmt: skip
    assert model.identification.map is not None
    assert model.identification.outcome_only == ("g",)


@closed_pairs
def test_equal_covariates_are_closed_without_a_warning(pair):
    for mediator, outcome in FORMULAS.values():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            bm.MediationModel(
                simulated(pair), mediator=mediator, outcome=outcome, treatment="t",
                mediator_family=pair[0], outcome_family=pair[1],
            )  # fmt: skip
