"""Predictive checks find a misfit, in every arm."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import bayesmed as bm
from tests.support.handmade import hand_fit
from tests.support.made import KIND, arms_fit, made


def test_check_finds_a_misfit_and_passes_a_fit():
    fit = made(n=400)
    good = fit.check(draws=200)
    assert good.loc[("outcome", "control", "mean"), "p"] > 0.01
    fit.tree["posterior"]["outcome_sigma"][:] = 3.0
    bad = fit.check(draws=200)
    assert bad.loc[("outcome", "treated", "sd"), "p"] > 0.99
    with pytest.raises(ValueError, match="draws must lie between"):
        fit.check(draws=10_000)


def test_check_shows_every_arm_and_draws_each_response():
    table = arms_fit().check(draws=50)
    assert table.index.get_level_values("arm").unique().tolist() == ["control", "treated", "app"]
    figures = made("probit").plot_check(draws=20)
    assert list(figures) == ["m", "y"]
    assert set(figures["m"].viz.children["title"].to_dataset().data_vars) == {
        "m, control", "m, treated",
    }  # fmt: skip
    plt.close("all")


def test_censored_times_are_left_out_of_the_check_with_a_warning():
    data = bm.simulate(120, outcome_family="weibull", censored=0.3, random_seed=1, truth_size=100,
                       parameters={"outcome": {"sigma": 0.7}}).data  # fmt: skip
    model = bm.MediationModel(
        data, **KIND, outcome_family="weibull", outcome_data={"event": "event"}
    )
    fit = hand_fit(
        model, mediator_coef=np.zeros((20, 3)), mediator_sigma=np.ones(20),
        outcome_coef=np.zeros((20, 4)), outcome_sigma=np.full(20, 0.7),
    )  # fmt: skip
    with pytest.warns(UserWarning, match="outcome is censored"):
        table = fit.check(draws=20)
    assert table.index.get_level_values("response").unique().tolist() == ["mediator"]


def test_levels_called_control_are_not_the_control():
    fit = arms_fit()
    data = fit.model.frame.data.assign(
        arm=lambda d: d["arm"].cat.rename_categories({"usual": "low", "app": "control"}).astype(str)
    )
    kind = {"mediator": "m ~ arm", "outcome": "y ~ m + arm", "treatment": "arm"}
    model = bm.MediationModel(data, **kind, control="low", treated="coach")
    table = bm.MediationFit(fit.tree, model).check(draws=20)
    assert table.index.get_level_values("arm").unique().tolist() == [
        "control", "treated", "level control",
    ]  # fmt: skip
    low = data.loc[data["arm"] == "low", "m"].mean()
    found = table.loc[("mediator", "control", "mean"), "observed"]
    assert found == pytest.approx(low, rel=1e-3)
