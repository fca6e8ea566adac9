"""Functionals of the outcome against simulated people, closed forms and identities."""

import itertools
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import stats

import bayesmed as bm
from bayesmed.effects.view import View
from bayesmed.families.catalogue import FAMILIES
from bayesmed.means.along_rho import Regression
from bayesmed.means.target import resolve_functional, target_of
from bayesmed.means.tipping import tipping_points
from tests.support.handmade import LIMITS, ROWS, hand_draws, hand_made, pair_of
from tests.support.models import quiet_model
from tests.support.oracles import PARAMETERS, law

ARMS = (0, 1)


SIZE = 60_000
SIMULATED = [
    ("gaussian", "probit", bm.probability(equals=0)),
    ("gaussian", "gaussian", bm.probability(above=0.4)),
    ("gaussian", "student_t", bm.probability(above=0.4)),
    ("gaussian", "ordered_probit", bm.probability(equals=2)),
    ("student_t", "ordered_logit", bm.probability(above=1)),
    ("gamma", "poisson", bm.probability(equals=1)),
    ("probit", "poisson", bm.probability(above=1)),
    ("poisson", "binomial", bm.probability(equals=3)),
    ("gaussian", "lognormal", bm.survival(1.5)),
    ("probit", "weibull", bm.survival(1.2)),
    ("gaussian", "lognormal", bm.restricted_mean(2.0)),
    ("gamma", "weibull", bm.restricted_mean(2.0)),
    ("ordered_logit", "loglogistic", bm.restricted_mean(2.0)),
    ("poisson", "gamma", bm.restricted_mean(2.0)),
    ("gaussian", "weibull", "log_time"),
    ("logit", "gamma", "log_time"),
    ("gaussian", "tobit", "observed"),
    ("logit", "tobit", "observed"),
    ("poisson", "tobit", "observed"),
    ("gaussian", "gaussian", bm.quantile(0.3)),
    ("gaussian", "student_t", bm.quantile(0.7)),
    ("probit", "weibull", bm.quantile(0.5)),
]


def functional(of, g):
    """The functional of simulated outcomes, with its Monte Carlo error, by NumPy alone."""
    one = resolve_functional(of)
    values = {
        "probability": lambda: (g > one.value) if one.above else (g == one.value),
        "restricted_mean": lambda: np.minimum(g, one.value),
        "log_time": lambda: np.log(g),
        "observed": lambda: np.clip(g, *LIMITS.values()),
    }
    if one.kind == "quantile":
        value = np.quantile(g, one.value)
        near = np.mean(np.abs(g - value) < 0.02) / 0.04
        return value, np.sqrt(one.value * (1 - one.value) / g.size) / near
    found = values[one.kind]().astype(float)
    return found.mean(), found.std() / np.sqrt(g.size)


@pytest.mark.parametrize("rho", [pytest.param(0.0, marks=pytest.mark.slow), -0.5])
@pytest.mark.parametrize(
    ("mediator", "outcome", "of"),
    # Every third at once, the others with the slow ones.
    [
        pytest.param(*one, marks=[pytest.mark.slow] if i % 3 else [])
        for i, one in enumerate(SIMULATED)
    ],
    ids=lambda v: v if isinstance(v, str) else v.kind,
)
def test_functionals_are_those_of_simulated_people(mediator, outcome, of, rho):
    rows, draws = hand_made(mediator, outcome, rho)
    families = pair_of(mediator, outcome)
    levels = (0, 1, 2, 3) if families["outcome"].kind == "ordered" else ()
    target = target_of(resolve_functional(of), families["outcome"], levels)
    mine = View(rows, target).cells(draws)[..., 0]
    rng = np.random.default_rng(8)
    e_m = rng.standard_normal((SIZE, ROWS))
    e_y = rho * e_m + np.sqrt(1 - rho**2) * rng.standard_normal((SIZE, ROWS))
    u_m, u_y = stats.norm.cdf(e_m), stats.norm.cdf(e_y)
    b, c = draws.mediator.coef[0], draws.outcome.coef[0]
    for t, s in itertools.product(ARMS, ARMS):
        m = quantile_of(mediator, rows.mediator.design[s] @ b, u_m)
        x = rows.mediator.design[t][:, 2]
        eta = c[0] + c[1] * t + c[2] * x + (c[3] + c[4] * t) * m
        y = quantile_of(outcome, eta, u_y)
        truth, error = functional(of, y)
        assert abs(mine[t, s] - truth) < 5 * error, (t, s, mine[t, s], truth, error)


def quantile_of(name, eta, u):
    distribution = law(name, eta)
    if name.startswith("ordered"):
        edges = [distribution.latent.cdf(c - eta) for c in PARAMETERS["cutpoints"]]
        return np.sum([u > edge for edge in edges], axis=0).astype(float)
    if FAMILIES[name].discrete and len(values := np.unique(eta)) < 20:
        table = {value: law(name, value).cdf(np.arange(200)) for value in values}
        eta, out = np.broadcast_to(eta, u.shape), np.empty(u.shape)
        for value, cdf in table.items():
            out[eta == value] = np.searchsorted(cdf, u[eta == value])
        return out
    return distribution.ppf(u)


def test_restricted_mean_becomes_the_mean():
    """Far out nothing is cut off."""
    rows, draws = hand_made("gaussian", "weibull", 0.3)
    families = pair_of("gaussian", "weibull")
    cells = [
        View(rows, target_of(resolve_functional(of), families["outcome"])).cells(draws)
        for of in (bm.restricted_mean(200.0), "mean")
    ]
    np.testing.assert_allclose(*cells, rtol=1e-6)


def test_probabilities_of_all_categories_sum_to_one():
    rows, draws = hand_made("ordered_logit", "ordered_probit", 0.4)
    families = pair_of("ordered_logit", "ordered_probit")
    parts = [
        View(rows, target_of(bm.probability(equals=k), families["outcome"], (0, 1, 2, 3)))
        for k in range(4)
    ]
    np.testing.assert_allclose(sum(part.cells(draws) for part in parts), 1.0, rtol=1e-9)


CLOSED = {
    "lognormal": ("mean", "log_time", bm.survival(1.5), bm.restricted_mean(2.0), bm.quantile(0.4)),
    "gaussian": ("mean", bm.probability(above=0.3), bm.quantile(0.4)),
    "tobit": ("mean", "observed"),
    "probit": ("mean", bm.probability(equals=0)),
    "ordered_probit": ("mean", bm.probability(equals=1)),
}
CASES = [(outcome, of) for outcome, many in CLOSED.items() for of in many]


@cache
def closed_model(outcome):
    data = bm.simulate(
        60, outcome_family=outcome, random_seed=2, truth_size=1000, censored=0.2
    ).data
    columns = {"event": "event", "limit": "lower"}
    extra = {name: column for column, name in columns.items() if column in data}
    return quiet_model(
        data, mediator="m ~ treat + x", outcome="y ~ m * treat + x", treatment="treat",
        outcome_family=outcome, outcome_data=extra or None,
    )  # fmt: skip


def closed_regression(outcome, size=5):
    model, rng = closed_model(outcome), np.random.default_rng(4)
    coef = lambda n: rng.normal(0.0, 0.5, (size, n))
    family = model.families["outcome"]
    parameters = {"sigma": rng.uniform(0.6, 1.2, size)} if family.latent == "free" else {}
    if family.kind == "ordered":
        count = len(model.equations["outcome"].response.levels)
        parameters = {"cutpoints": np.sort(rng.normal(0.0, 1.0, (count - 1, size)), axis=0)}
    mediator = coef(len(model.designs[0].terms))
    mediator[:, 1] = 0.5 + 0.3 * np.abs(mediator[:, 1])
    outcome_coef = coef(len(model.designs[1].terms))
    first = mediator, {"sigma": rng.uniform(0.6, 1.2, size)}
    draws = hand_draws(first, (outcome_coef, parameters), np.zeros(size))
    return model, Regression(draws, model.identification.map)


def closed_view(model, of, m=None):
    levels = model.equations["outcome"].response.levels
    rows = model.counterfactuals
    if of == "observed":
        limits = {"lower": model.equations["outcome"].response.columns["lower"]}
        rows = rows.changed("outcome", columns=limits)
    one = resolve_functional(of)
    if one.kind == "probability" and levels:
        one = replace(one, value=levels[1])
    return View(rows, target_of(one, model.families["outcome"], levels), m)


@pytest.mark.each(3)
@pytest.mark.parametrize(("outcome", "of"), CASES, ids=str)
def test_curve_of_a_functional_is_that_of_the_mapped_draws(outcome, of):
    model, regression = closed_regression(outcome)
    view = closed_view(model, of, m=0.4)
    grid = np.linspace(-0.9, 0.9, 41)
    curve = view.curve(regression, grid)
    for i in (0, 13, 20, 40):
        apart = view.cells(regression.at(grid[i]))
        np.testing.assert_allclose(curve[i], apart, rtol=2e-7, atol=1e-8)
    # The total does not depend on rho, whatever is averaged.
    total = curve[:, 1, 1] - curve[:, 0, 0]
    np.testing.assert_allclose(total, np.broadcast_to(total[20], total.shape), atol=1e-7)


@pytest.mark.each(4)
@pytest.mark.parametrize(
    ("outcome", "of"), [c for c in CASES if getattr(c[1], "kind", "") != "quantile"], ids=str
)
def test_tipping_point_of_a_functional_is_a_root_of_its_curve(outcome, of):
    model, regression = closed_regression(outcome)
    view = closed_view(model, of)
    found, _ = tipping_points(regression, view.rows, view.target)
    scale = np.abs(view.cells(regression.at(0.0))).max()
    for draw in range(found.shape[1]):
        for arm in range(3):
            if np.isnan(found[arm, draw]):  # a middle category's may have none
                assert not view.target.monotone
                continue
            cells = view.cells(regression.at(float(found[arm, draw])))[..., draw]
            acme = cells[:, 1] - cells[:, 0]
            value = acme.mean() if arm == 2 else acme[arm]
            assert abs(value) < 1e-7 * scale


def test_controlled_direct_effect_of_gaussian_equations():
    """CDE(m) = (c' + tau m) exactly, at the structural coefficients of each rho."""
    model, regression = closed_regression("gaussian")
    view = closed_view(model, "mean", m=0.7)
    terms = list(model.designs[1].terms)
    for rho in (-0.6, 0.0, 0.5):
        coef = regression.at(rho).outcome.coef
        cells = view.curve(regression, np.array([rho]))[0]
        mine = cells[1, 2] - cells[0, 2]
        by_hand = coef[:, terms.index("treat")] + 0.7 * coef[:, terms.index("m:treat")]
        np.testing.assert_allclose(mine, by_hand, rtol=1e-10)


def test_controlled_direct_effect_of_a_probit_outcome():
    model, regression = closed_regression("probit")
    view, draws = closed_view(model, "mean", m=-0.3), regression.at(0.4)
    frame = model.frame.data
    terms = list(model.designs[1].terms)
    x = {
        t: np.column_stack([
            {"Intercept": 1.0, "m": -0.3, "treat": t, "m:treat": -0.3 * t, "x": frame["x"]}[name]
            + np.zeros(len(frame)) for name in terms
        ]) for t in ARMS
    }  # fmt: skip
    for t in ARMS:
        by_hand = stats.norm.cdf(x[t] @ draws.outcome.coef.T).mean(axis=0)
        np.testing.assert_allclose(view.cells(draws)[t, 2], by_hand, rtol=1e-10)


def test_quantile_of_one_gaussian_row_is_the_normal_quantile():
    model, regression = closed_regression("gaussian")
    view = closed_view(model, bm.quantile(0.8))
    view = replace(view, rows=view.rows.take(np.array([3])))
    draws = regression.at(0.3)
    mean = View(view.rows, closed_view(model, "mean").target).cells(draws)
    slope = np.stack([draws.outcome.coef @ view.rows.outcome.slope[t][0] for t in ARMS])
    sm, sy = draws.mediator.parameters["sigma"], draws.outcome.parameters["sigma"]
    sd = np.sqrt(sy**2 + (slope * sm) ** 2 + 2 * 0.3 * slope * sm * sy)
    by_hand = mean + stats.norm.ppf(0.8) * sd[:, None]
    np.testing.assert_allclose(view.cells(draws), by_hand, rtol=1e-6, atol=1e-7)
