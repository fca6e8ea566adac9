"""Every family: its density, score, quantile, mean and domain hold together."""

import numpy as np
import pytest
from scipy import integrate, stats

from bayesmed.families import FAMILIES, resolve_family
from tests.test_special import evaluate

ETA = np.array([-4.0, -0.7, 0.0, 0.3, 5.0])
VALUES = {"sigma": 1.7}
TRUTH = {  # the distribution function of y and the mean, by scipy
    "gaussian": (lambda y: stats.norm.cdf(y, ETA, 1.7), ETA),
    "probit": (lambda y: stats.bernoulli.cdf(y, stats.norm.cdf(ETA)), stats.norm.cdf(ETA)),
    "logit": (lambda y: stats.bernoulli.cdf(y, stats.logistic.cdf(ETA)), stats.logistic.cdf(ETA)),
}
OUTSIDE = {"gaussian": [np.nan, np.inf, -np.inf], "binary": [np.nan, np.inf, -1.0, 0.5, 2.0]}

every = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
continuous = pytest.mark.parametrize(
    "family", [f for f in FAMILIES.values() if f.kind == "continuous"], ids=lambda f: f.name
)
binary = pytest.mark.parametrize(
    "family", [f for f in FAMILIES.values() if f.kind == "binary"], ids=lambda f: f.name
)


def parameters(family):
    return {name: VALUES[name] for name in family.parameters}


@every
def test_score_is_that_of_the_distribution_function(family):
    for y in (0.0, 1.0) if family.kind == "binary" else (-3.0, 0.2, 6.0):
        score = family.score(np.full(ETA.size, y), ETA, parameters(family))
        truth = TRUTH[family.name][0](y)
        np.testing.assert_allclose(stats.norm.cdf(score), truth, rtol=1e-11, atol=1e-15)


@continuous
def test_density_integrates_to_one_and_is_the_slope_of_the_score(family):
    own = parameters(family)
    for eta in ETA:
        total, _ = integrate.quad(
            lambda y, eta=eta: np.exp(family.log_density(y, eta, own)), eta - 40, eta + 40, points=[eta]
        )  # fmt: skip
        assert total == pytest.approx(1.0, abs=1e-10)
    y, h = ETA + 0.8, 1e-5
    slope = (family.score(y + h, ETA, own) - family.score(y - h, ETA, own)) / (2.0 * h)
    density = stats.norm.pdf(family.score(y, ETA, own)) * slope
    np.testing.assert_allclose(np.exp(family.log_density(y, ETA, own)), density, rtol=1e-8)


@binary
def test_probabilities_sum_to_one(family):
    own = parameters(family)
    lowest, middle, highest = (family.score(np.full(5, y), ETA, own) for y in (-1.0, 0.0, 1.0))
    assert np.all(lowest == -np.inf) and np.all(highest == np.inf)
    np.testing.assert_allclose(stats.norm.sf(middle), family.mean(ETA, own), rtol=1e-11)


@continuous
def test_score_and_value_invert_each_other(family):
    own = parameters(family)
    e = np.linspace(-6.0, 6.0, 13)[:, None]
    y = family.value(e, ETA, own)
    np.testing.assert_allclose(family.score(y, ETA, own), e + 0.0 * ETA, rtol=1e-12, atol=1e-12)
    assert np.all(np.diff(y, axis=0) > 0.0)


@binary
def test_value_lies_in_its_interval_of_scores(family):
    own = parameters(family)
    e = np.linspace(-6.0, 6.0, 41)[:, None] + 0.0 * ETA
    y = family.value(e, ETA, own)
    assert set(np.unique(y)) == {0.0, 1.0}
    assert np.all((family.score(y - 1.0, ETA, own) < e) & (e <= family.score(y, ETA, own)))


@every
def test_mean_is_the_mean_of_value_over_the_score(family):
    own = parameters(family)
    for eta, mean in zip(ETA, TRUTH[family.name][1], strict=True):
        step = family.score(np.zeros(1), eta, own)[0] if family.kind == "binary" else 0.0
        parts = [
            integrate.quad(
                lambda e, eta=eta: stats.norm.pdf(e) * family.value(e, eta, own), *limits
            )[0]
            for limits in ((-10.0, step), (step, 10.0))
        ]
        assert sum(parts) == pytest.approx(mean, abs=1e-10)
    np.testing.assert_allclose(family.mean(ETA, own), TRUTH[family.name][1], rtol=1e-12)


@every
def test_arrays_equal_tensors(family):
    e, sigma = np.linspace(-3.0, 3.0, 5), 1.7
    own = lambda scale: {name: scale for name in family.parameters}
    y = np.array([-1.0, 0.0, 1.0, 1.0, 0.0])
    pieces = {
        "score": (lambda a, eta, s: family.score(a, eta, own(s)), y),
        "value": (lambda a, eta, s: family.value(a, eta, own(s)), e),
        "mean": (lambda a, eta, s: family.mean(eta, own(s)), e),
    }
    if family.log_density is not None:
        pieces["log_density"] = (lambda a, eta, s: family.log_density(a, eta, own(s)), y)
    for name, (piece, first) in pieces.items():
        by_tensor = evaluate(piece, first, ETA, sigma)
        np.testing.assert_allclose(by_tensor, piece(first, ETA, sigma), rtol=1e-12, err_msg=name)


@every
def test_valid_is_the_domain(family):
    outside = np.array(OUTSIDE["binary" if family.kind == "binary" else family.name])
    assert family.valid(np.array([0.0, 1.0])).all() and not family.valid(outside).any()
    assert family.valid(np.array([-3.5])).all() == (family.kind == "continuous")


def test_families_by_name():
    for name, family in FAMILIES.items():
        assert family.name == name
        assert resolve_family(name, "outcome") is family is resolve_family(family, "outcome")
    with pytest.raises(ValueError, match=r"mediator_family='poison'.*gaussian"):
        resolve_family("poison", "mediator")
