"""Paths a, b and c': which coefficient or difference each is, and its label."""

import warnings

import numpy as np
import pytest

import bayesmed as bm
from bayesmed.effects.paths import contrast_words, path_draws
from bayesmed.show.plots.paths import path_labels
from bayesmed.system.system import IdentificationWarning
from tests.support.handmade import hand_fit
from tests.support.made import LINEAR, SHORT, people


def test_paths_of_a_factor_whose_reference_is_another_level():
    """a is the difference of the two levels' columns, whatever the coding."""
    data = bm.simulate(90, random_seed=1, truth_size=100).data
    data["arm"] = np.resize(["b none", "a some", "c much"], 90)
    model = bm.MediationModel(
        data, mediator="m ~ arm + x", outcome="y ~ m * arm + x", treatment="arm",
        control="b none", treated="c much",
    )  # fmt: skip
    rng = np.random.default_rng(1)
    beta = rng.normal(size=(20, len(model.designs[0].terms)))
    theta = rng.normal(size=(20, len(model.designs[1].terms)))
    fit = hand_fit(
        model, mediator_coef=beta, mediator_sigma=np.ones(20), outcome_coef=theta,
        outcome_sigma=np.ones(20),
    )  # fmt: skip
    paths = path_draws(fit)
    one, two = (list(design.terms) for design in model.designs)
    at = lambda terms, coef, name: coef[:, terms.index(name)] if name in terms else 0.0
    levels = {level: f"arm[T.{level}]" for level in ("b none", "c much")}
    gap = lambda terms, coef: at(terms, coef, levels["c much"]) - at(terms, coef, levels["b none"])
    np.testing.assert_allclose(paths["a"].to_numpy().ravel(), gap(one, beta))
    np.testing.assert_allclose(paths["c'"].to_numpy().ravel(), gap(two, theta))
    slope = at(two, theta, "m") + at(two, theta, "m:arm[T.c much]")
    np.testing.assert_allclose(paths["b (treated)"].to_numpy().ravel(), slope)


@pytest.fixture(scope="module")
def data():
    return people()


def paths_of(fit):
    found = path_draws(fit)
    return found, path_labels(found, "0", False, contrast_words(fit.description))


def test_a_path_that_differs_between_rows_is_labelled(data, crossed_fit):
    paths, labels = paths_of(crossed_fit)
    coef = crossed_fit.posterior["mediator_coef"]
    by_hand = coef.sel(mediator_term="t") + data["x"].mean() * coef.sel(mediator_term="t:x")
    np.testing.assert_allclose(paths["a"], by_hand, rtol=1e-9)
    assert labels["a"].startswith("a (average) = ")
    assert labels["b"].startswith("b = ")
    assert labels["c'"].startswith("c' (average) = ")
    table = crossed_fit.coefficients()["path"]
    assert table["mediator", "t"] == "a where x = 0"
    assert table["outcome", "t"] == "c' where x = 0"
    assert table["outcome", "m"] == "b"


@pytest.mark.fit
@pytest.mark.parametrize(
    ("own", "a", "where"),
    [
        ({"control": 0.0, "treated": 2.5}, "a (0 → 2.5) = ", "a per unit"),
        ({"control": 1.0, "treated": 0.0}, "a (1 → 0) = ", "a per unit"),
        ({"control": 1.0, "treated": 2.0}, "a = ", "a"),
    ],
)
def test_a_path_of_another_contrast_than_one_unit_is_labelled(data, own, a, where):
    model = {"mediator": "m ~ u", "outcome": "y ~ m + u", "treatment": "u"}
    fit = bm.fit(data, **model, **own, **SHORT)
    paths, labels = paths_of(fit)
    step = own["treated"] - own["control"]
    np.testing.assert_allclose(
        paths["a"], step * fit.posterior["mediator_coef"].sel(mediator_term="u"), rtol=1e-9
    )
    assert labels["a"].startswith(a)
    assert fit.coefficients()["path"]["mediator", "u"] == where
    assert fit.plot_paths().texts


@pytest.mark.fit
def test_paths_where_several_things_interact(data):
    own = {**LINEAR, "mediator": "m ~ t * age + x", "outcome": "y ~ m * t * x + age"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IdentificationWarning)  # of t:age, in one formula
        table = bm.fit(data, **own, **SHORT).coefficients()["path"]
    assert table["mediator", "t"] == "a where age is the reference"
    assert table["outcome", "m"] == "b where t = 0, x = 0"
    assert table["outcome", "t"] == "c' where m = 0, x = 0"
    assert table["outcome", "m:t"] == "b x c' where x = 0"
    own = {"mediator": "m ~ u + I(u**2)", "outcome": "y ~ m + u + I(u**2)", "treatment": "u"}
    table = bm.fit(data, **own, control=0.0, treated=1.0, **SHORT).coefficients()["path"]
    assert table["mediator", "u"] == table["outcome", "u"] == ""  # no coefficient is the path
    assert table["outcome", "m"] == "b"
