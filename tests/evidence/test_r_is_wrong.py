"""Where R mediation 4.5.1 goes wrong: each right answer is derived here, from the model."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import bayesmed as bm
from bayesmed.effects.estimands import contrasts
from bayesmed.effects.means_of import potential_outcomes
from tests.support.handmade import hand_draws
from tests.support.models import quiet_model

N, S = 40, 5


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(5)
    t, x = np.arange(N) % 2, rng.normal(size=N)
    m = 2.0 + 0.5 * t + rng.normal(size=N)
    return pd.DataFrame({
        "t": t, "x": x, "z": rng.normal(size=N), "m": m, "y": m + rng.normal(size=N),
        "p": np.exp(0.3 * m), "d": rng.integers(0, 2, N), "e": rng.integers(0, 2, N),
        "arm": pd.Categorical(np.array(list("abc"))[np.arange(N) % 3]),
        "o": pd.Categorical(np.array(["low", "mid", "high"])[rng.integers(0, 3, N)],
                            categories=["low", "mid", "high"], ordered=True),
    })  # fmt: skip


def draws_for(model, rho=0.0, seed=1, **parameters):
    """Draws of a model's parameters, made by hand."""
    rng = np.random.default_rng(seed)
    coef = [0.4 * rng.normal(size=(S, len(design.terms))) for design in model.designs]
    own = [
        {name: parameters.get(name, np.linspace(0.7, 1.2, S)) for name in family.parameters}
        for family in model.families.values()
    ]
    return hand_draws(*zip(coef, own, strict=True), np.full(S, rho))


def effects(model, draws, rows=None):
    rows = model.counterfactuals if rows is None else rows
    return contrasts(potential_outcomes(draws, rows, (1, len(draws))))


def acme(model, draws, arm="control", rows=None):
    return effects(model, draws, rows)["acme"].sel(arm=arm).to_numpy()[0]


def coef(model, draws, term, equation=1):
    terms = model.designs[equation].terms
    return (draws.outcome.coef if equation else draws.mediator.coef)[:, terms.index(term)]


def mediator_means(model, draws):
    rows = model.counterfactuals.mediator.design
    return [rows[s] @ draws.mediator.coef.T for s in (0, 1)]


def test_a_quadratic_term_is_recomputed_at_the_counterfactual_mediator(data):
    """E[M^2] = mu^2 + sigma^2; R keeps I(M^2) at its observed value."""
    model = quiet_model(
        data, mediator="m ~ t + x", outcome="y ~ m + I(m**2) + t + x", treatment="t"
    )
    draws = draws_for(model)
    low, high = mediator_means(model, draws)
    b1, b2 = coef(model, draws, "m"), coef(model, draws, "I(m ** 2)")
    truth = b1 * (high - low).mean(axis=0) + b2 * (high**2 - low**2).mean(axis=0)
    np.testing.assert_allclose(acme(model, draws), truth, rtol=1e-7)


def test_the_logarithm_of_the_mediator_is_recomputed(data):
    """log M is Gaussian for a log-normal mediator, so the ACME is b a, whatever rho."""
    model = quiet_model(data, mediator="p ~ t + x", outcome="y ~ log(p) + t + x", treatment="t",
                        mediator_family="lognormal")  # fmt: skip
    for rho in (0.0, 0.6):
        draws = draws_for(model, rho)
        truth = coef(model, draws, "log(p)") * coef(model, draws, "t", 0)
        np.testing.assert_allclose(acme(model, draws), truth, rtol=1e-8)


@pytest.mark.slow
def test_a_spline_of_the_mediator_is_recomputed(data):
    """Against adaptive quadrature of the fitted spline, row by row."""
    right = "bs(m, df=4, extrapolation='extend') + t + x"
    model = quiet_model(data, mediator="m ~ t + x", outcome=f"y ~ {right}", treatment="t")
    draws = draws_for(model)
    means, sigma = mediator_means(model, draws), draws.mediator.parameters["sigma"]
    row, draw = data.iloc[[0]].assign(t=0), 2
    knots = model.designs[1].knots("m")

    def outcome(m):
        return float((model.designs[1].rows(row.assign(m=m)) @ draws.outcome.coef[draw]).item())

    def expected(mean):
        law = stats.norm(mean, sigma[draw])
        ends = [mean - 9 * sigma[draw], *(k for k in knots if abs(k - mean) < 9 * sigma[draw]),
                mean + 9 * sigma[draw]]  # fmt: skip
        pieces = itertools.pairwise(ends)
        return sum(
            integrate.quad(lambda m: outcome(m) * law.pdf(m), *p, epsabs=1e-9)[0] for p in pieces
        )

    truth = expected(means[1][0, draw]) - expected(means[0][0, draw])
    one = model.counterfactuals_at({"x": float(data["x"].iloc[0])})
    assert acme(model, draws, rows=one)[draw] == pytest.approx(truth, abs=1e-6)


@pytest.mark.each(2)
@pytest.mark.parametrize("term", ["C(t)", "factor(t)", "C(t, contr.sum)"])
def test_a_treatment_coded_as_a_factor_gives_the_numbers_of_the_plain_one(data, term):
    plain = quiet_model(data, mediator="m ~ t + x", outcome="y ~ m + t + x", treatment="t")
    coded = quiet_model(
        data, mediator=f"m ~ {term} + x", outcome=f"y ~ m + {term} + x", treatment="t"
    )
    draws = draws_for(plain)

    def solve(equation, coefficients):
        # The same linear predictor on the observed rows, in the other coding.
        design = coded.designs[equation].matrix
        return np.linalg.lstsq(design, plain.designs[equation].matrix @ coefficients.T)[0].T

    same = draws
    for i, (key, own) in enumerate(draws.equations.items()):
        same = same.changed(key, coef=solve(i, own.coef))
    for name, values in effects(coded, same).items():
        np.testing.assert_allclose(values, effects(plain, draws)[name], rtol=1e-9, atol=1e-12)
    assert coded.identification.map is not None


def test_a_control_that_is_not_the_reference_level(data):
    """b to c: the ACME is b_m (a_c - a_b), with a the reference level of the coding."""
    model = quiet_model(data, mediator="m ~ arm + x", outcome="y ~ m + arm + x", treatment="arm",
                        control="b", treated="c")  # fmt: skip
    draws = draws_for(model)
    a = [coef(model, draws, f"arm[T.{level}]", 0) for level in "bc"]
    np.testing.assert_allclose(
        acme(model, draws), coef(model, draws, "m") * (a[1] - a[0]), rtol=1e-10
    )
    direct = [coef(model, draws, f"arm[T.{level}]") for level in "bc"]
    found = effects(model, draws)["ade"].sel(arm="control").to_numpy()[0]
    np.testing.assert_allclose(found, direct[1] - direct[0], rtol=1e-10)


def test_covariates_in_another_order_or_set_change_nothing(data):
    """Columns are matched by name, not by position."""
    one = quiet_model(data, mediator="m ~ t + x + z", outcome="y ~ m + t + x + z", treatment="t")
    two = quiet_model(data, mediator="m ~ z + x + t", outcome="y ~ z + t + m + x", treatment="t")
    draws = draws_for(one, rho=0.4)

    def permuted(equation, coefficients):
        order = [one.designs[equation].terms.index(term) for term in two.designs[equation].terms]
        return coefficients[:, order]

    again = draws
    for i, (key, own) in enumerate(draws.equations.items()):
        again = again.changed(key, coef=permuted(i, own.coef))
    for name, values in effects(two, again).items():
        np.testing.assert_allclose(values, effects(one, draws)[name], rtol=1e-12)
    # The exact map names columns too: its coefficients agree term by term.
    maps = [model.identification.map for model in (one, two)]
    there = [
        maps[i].structural(d.outcome.coef, d.outcome.parameters, d.mediator.coef,
                           d.mediator.parameters["sigma"], 0.5)[0]
        for i, d in enumerate((draws, again))
    ]  # fmt: skip
    np.testing.assert_allclose(permuted(1, there[0]), there[1], rtol=1e-10, atol=1e-12)
    fewer = quiet_model(data, mediator="m ~ t + x", outcome="y ~ z + t + m + x", treatment="t")
    assert fewer.identification.map is not None
    draws = draws_for(fewer)
    truth = coef(fewer, draws, "m") * coef(fewer, draws, "t", 0)
    np.testing.assert_allclose(acme(fewer, draws), truth, rtol=1e-10)


def test_different_missing_rows_in_the_two_equations_are_dropped_jointly(data):
    """R matches the two fits' rows by position when their numbers happen to agree."""
    holes = data.assign(x=data["x"].mask(data.index == 3), z=data["z"].mask(data.index == 7))
    with pytest.warns(UserWarning, match="rows dropped|outcome equation only") as told:
        model = bm.MediationModel(holes, mediator="m ~ t + x", outcome="y ~ m + t + x + z",
                                  treatment="t")  # fmt: skip
    assert any("2 of 40 rows dropped" in str(warning.message) for warning in told)
    kept = [i for i in range(N) if i not in (3, 7)]
    assert model.frame.kept.tolist() == kept
    for equation in model.equations.values():
        seen = data[equation.name].iloc[kept]
        np.testing.assert_array_equal(equation.response.values, seen)


@pytest.mark.parametrize("outcome", ["y", "e"])
def test_a_binary_mediator_is_summed_not_simulated(data, outcome):
    """At rho = 0 the ACME is (p1 - p0)(E[Y | 1] - E[Y | 0]) in each draw, with no noise of its own."""
    family = {"y": "gaussian", "e": "logit"}[outcome]
    model = quiet_model(data, mediator="d ~ t + x", outcome=f"{outcome} ~ d + t + x", treatment="t",
                        mediator_family="probit", outcome_family=family)  # fmt: skip
    draws = draws_for(model)
    low, high = (stats.norm.cdf(eta) for eta in mediator_means(model, draws))
    without = model.designs[1].rows(data.assign(t=0, d=0)) @ draws.outcome.coef.T
    with_m = without + coef(model, draws, "d")
    mean = (lambda eta: eta) if family == "gaussian" else stats.logistic.cdf
    truth = ((high - low) * (mean(with_m) - mean(without))).mean(axis=0)
    np.testing.assert_allclose(acme(model, draws), truth, rtol=1e-9)


def test_an_ordered_mediator_is_summed_over_its_categories(data):
    """A factor in the outcome: each category has its own coefficient."""
    model = quiet_model(data, mediator="o ~ t + x", outcome="y ~ o + t + x", treatment="t",
                        mediator_family="ordered_probit")  # fmt: skip
    cutpoints = np.stack([np.linspace(-0.8, -0.3, S), np.linspace(0.3, 0.9, S)])
    draws = draws_for(model, cutpoints=cutpoints)
    shares = []
    for eta in mediator_means(model, draws):
        low, high = (stats.norm.cdf(cut - eta) for cut in cutpoints)
        shares.append([low, high - low, 1.0 - high])
    effect = [0.0, coef(model, draws, "o[T.mid]"), coef(model, draws, "o[T.high]")]
    truth = sum(b * (after - before).mean(axis=0)
                for b, before, after in zip(effect, *shares, strict=True))  # fmt: skip
    np.testing.assert_allclose(acme(model, draws), truth, rtol=1e-9)


def test_cutpoints_carry_their_uncertainty_into_the_effects(data):
    """Draws that differ in nothing but a cutpoint differ in the effect, by the formula."""
    scored = data.assign(k=data["o"].cat.codes + 1)
    model = quiet_model(scored, mediator="m ~ t + x", outcome="k ~ m + t + x", treatment="t",
                        outcome_family="ordered_probit")  # fmt: skip
    cutpoints = np.stack([np.linspace(-0.8, -0.3, S), np.linspace(0.3, 0.9, S)])
    draws = draws_for(model, cutpoints=cutpoints)
    first = hand_draws(
        (np.repeat(draws.mediator.coef[:1], S, axis=0), {"sigma": np.full(S, 0.9)}),
        (np.repeat(draws.outcome.coef[:1], S, axis=0), {"cutpoints": cutpoints}), np.zeros(S),
    )  # fmt: skip
    b = coef(model, first, "m")[0]
    spread = np.sqrt(1.0 + (0.9 * b) ** 2)
    means = mediator_means(model, first)
    base = model.designs[1].rows(scored.assign(t=0, m=0.0)) @ first.outcome.coef.T
    truth = np.mean([
        sum(stats.norm.cdf((base + b * after - cut) / spread)
            - stats.norm.cdf((base + b * before - cut) / spread) for cut in cutpoints)
        for before, after in [means]
    ], axis=(0, 1))  # fmt: skip
    found = acme(model, first)
    np.testing.assert_allclose(found, truth, rtol=1e-8)
    assert np.ptp(found) > 1e-4


def test_effects_at_covariates_with_all_interactions(data):
    """y ~ m * t * x at x = 1.5: b(x, t) a(x), both arms, from the coefficients."""
    model = quiet_model(data, mediator="m ~ t * x", outcome="y ~ m * t * x", treatment="t")
    draws, rows = draws_for(model), model.counterfactuals_at({"x": 1.5})
    a = coef(model, draws, "t", 0) + 1.5 * coef(model, draws, "t:x", 0)
    control = coef(model, draws, "m") + 1.5 * coef(model, draws, "m:x")
    treated = control + coef(model, draws, "m:t") + 1.5 * coef(model, draws, "m:t:x")
    for arm, slope in (("control", control), ("treated", treated)):
        np.testing.assert_allclose(acme(model, draws, arm, rows), slope * a, rtol=1e-10)
