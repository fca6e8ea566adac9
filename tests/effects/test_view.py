"""Parts of a question that are taken from others of the same draws."""

import warnings

import numpy as np
import pytest

import bayesmed as bm
from bayesmed.effects.question import Question, ask
from tests.support.handmade import hand_fit


@pytest.mark.parametrize("outcome", ["y ~ m + treat + x", "y ~ m * treat + x", "y ~ m * x + treat"])
def test_effect_on_the_mediator_from_the_means(outcome):
    """Of a count it is E M(1) - E M(0), exp(eta) averaged over rows, however it is found."""
    data = bm.simulate(50, mediator_family="poisson", random_seed=1, truth_size=100).data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bm.IdentificationWarning)
        model = bm.MediationModel(
            data, mediator="m ~ treat + x", outcome=outcome, treatment="treat",
            mediator_family="poisson", rho=0.4,
        )  # fmt: skip
    rng = np.random.default_rng(1)
    coef = rng.normal(0, 0.3, (10, 3))
    fit = hand_fit(
        model, mediator_coef=coef, outcome_sigma=np.ones(10),
        outcome_coef=rng.normal(size=(10, len(model.designs[1].terms))),
    )  # fmt: skip
    asked, _ = ask(fit, Question())
    x = data["x"].to_numpy()
    rate = np.exp(coef[:, :1] + coef[:, 2:] * x)
    truth = (rate * np.expm1(coef[:, 1:2])).mean(axis=1)
    for cells in (None, asked.cells(fit.draws)):
        np.testing.assert_allclose(asked.shift(fit.draws, cells)[0], truth, rtol=1e-7, atol=1e-9)
