"""Draws as frames, and in the hands of xarray and ArviZ."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest

from tests.support.made import made


def test_draws_in_tidy_form():
    fit = made()
    effects = fit.effects()
    long = effects.to_frame()
    assert list(long.columns) == ["effect", "arm", "chain", "draw", "value"]
    acme = long.query("effect == 'acme' and arm == 'treated'").groupby("chain")["value"].mean()
    np.testing.assert_allclose(acme, effects.draws["acme"].sel(arm="treated").mean("draw"))
    assert len(fit.to_frame()) == 200
    assert "outcome_coef[m]" in fit.to_frame().columns
    curve = fit.sensitivity([-0.2, 0.2]).to_frame()
    assert set(curve["rho"]) == {-0.2, 0.2}


def test_effects_go_through_xarray_and_arviz():
    import arviz_stats as az

    draws = made().effects().draws
    stacked = draws["acme"].stack(sample=("chain", "draw")).quantile([0.1, 0.9], dim="sample")
    assert stacked.sizes == {"quantile": 2, "arm": 3}
    assert np.isfinite(az.rhat(draws["acme"])).all()


@pytest.mark.slow
def test_the_tree_goes_through_arvizs_plots():
    import arviz as az

    fit = made()
    fit.add_log_likelihood()
    for plot, options in (
        (az.plot_trace, {}),
        (az.plot_forest, {}),
        (az.plot_dist, {}),
        (az.plot_ess, {}),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert plot(fit.tree, var_names=["mediator_coef"], **options) is not None
        plt.close("all")
