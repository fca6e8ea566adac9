"""A system: its equations in order, and the same one at another contrast or correlation."""

import copy
from dataclasses import FrozenInstanceError

import numpy as np
import pandas as pd
import pytest

import bayesmed as bm
from bayesmed.effects.question import Question, ask
from bayesmed.system import settle
from tests.support.handmade import hand_fit
from tests.support.models import quiet_model

N = 60
STATED = {
    "mediator": "m ~ arm + x", "outcome": "y ~ m + arm + x", "treatment": "arm", "control": "a",
    "treated": "b",
}  # fmt: skip


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(4)
    return pd.DataFrame({
        "arm": np.resize(["a", "b", "c"], N), "x": rng.normal(size=N), "m": rng.normal(size=N),
        "y": rng.normal(size=N),
    })  # fmt: skip


@pytest.fixture(scope="module")
def model(frame):
    return quiet_model(frame, **STATED)


@pytest.fixture
def nothing_is_read(monkeypatch):
    """From here on a formula that is read is an error."""

    def read(*given):
        raise AssertionError("a formula was read again")

    monkeypatch.setattr(settle, "read_formulas", read)


def test_equations_stand_after_their_parents(model):
    assert list(model.equations) == ["mediator", "outcome"]
    assert [one.parents for one in model.equations.values()] == [(), ("mediator",)]
    assert (model.only_mediator.name, model.last.name) == ("m", "y")


def test_a_sigma_has_priors_and_columns_under_its_own_name(frame):
    own = quiet_model(frame, **STATED, outcome_sigma="~ x").equations["outcome"]
    assert list(own.designs) == list(own.priors) == list(own.basis) == ["outcome", "outcome_sigma"]
    assert own.designs["outcome_sigma"] is own.sigma and own.sigma.terms == ("Intercept", "x")
    assert "sigma" not in own.priors["outcome"]


def test_what_was_stated_is_an_attribute(model):
    assert {name: getattr(model, name) for name in STATED} == STATED
    assert (model.rho, model.mediator_family, model.weights) == (0.0, "gaussian", None)


def test_nothing_is_written_into_a_model(model):
    for name in ("frame", "equations", "contrast", "rho", "anything"):
        with pytest.raises(FrozenInstanceError):
            setattr(model, name, None)


def test_copies_and_workers_get_the_same_model(model):
    for again in (copy.copy(model), copy.deepcopy(model)):  # by the way that pickling goes
        assert repr(again) == repr(model) and again.outcome == STATED["outcome"]


def test_another_correlation_reads_nothing_again(model, nothing_is_read):
    prior = bm.Prior("Uniform", lower=-0.5, upper=0.5)
    for rho in (0.3, prior):
        again = model.with_rho(rho)
        assert isinstance(again, bm.MediationModel) and again.rho == rho == again.correlation.stated
        assert again.equations is model.equations and again.frame is model.frame
    assert (again.correlation.fixed, again.correlation.prior) == (None, prior)
    with pytest.raises(ValueError, match="between -1 and 1"):
        model.with_rho(1.0)


def test_another_contrast_reads_nothing_again(frame, model, nothing_is_read, monkeypatch):
    again = model.with_contrast("a", "c")
    assert str(again.contrast) == "arm: a -> c" and again.treated == "c"
    assert again.equations is model.equations
    monkeypatch.undo()
    whole = quiet_model(frame, **{**STATED, "treated": "c"})
    for one, two in zip(again.designs, whole.designs, strict=True):
        np.testing.assert_array_equal(one.matrix, two.matrix)
    np.testing.assert_array_equal(
        again.identification.map.direction, whole.identification.map.direction
    )
    assert repr(again) == repr(whole)
    with pytest.raises(ValueError, match="'d' is not a level"):
        model.with_contrast("a", "d")


def test_a_question_of_other_contrasts_reads_nothing_again(model, nothing_is_read):
    rng = np.random.default_rng(1)
    fit = hand_fit(
        model, mediator_coef=rng.normal(size=(4, 4)), mediator_sigma=np.ones(4),
        outcome_coef=rng.normal(size=(4, 5)), outcome_sigma=np.ones(4),
    )  # fmt: skip
    pairs = [("a", "c"), ("c", "b")]
    asked, setting = ask(fit, Question(contrast=pairs))
    assert setting.contrast == "arm: a -> c; c -> b"
    for view, pair in zip(asked.views, pairs, strict=True):
        other = hand_fit(model.with_contrast(*pair), **{
            str(name): values.to_numpy().reshape(4, *values.shape[2:])
            for name, values in fit.posterior.data_vars.items()
        })  # fmt: skip
        alone, _ = ask(other, Question())
        np.testing.assert_array_equal(view.cells(fit.draws), alone.views[0].cells(fit.draws))
