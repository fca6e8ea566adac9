"""Sweeps over rho: equal to fits there, and kept where they stop."""

import numpy as np
import pytest
import xarray as xr

import bayesmed as bm
from tests.support.models import JOBS_SIGMA, QUICK


def test_curve_at_a_rho_equals_the_effects_of_a_fit_there(jobs, short_fit):
    fit = bm.MediationModel(jobs, **JOBS_SIGMA, rho=-0.35).fit(**QUICK)
    curve = short_fit.sensitivity([-0.35, 0.0]).draws
    for name in ("acme", "ade", "total"):
        np.testing.assert_allclose(
            curve[name].sel(rho=-0.35), fit.effects().draws[name], rtol=1e-9, atol=1e-12
        )
        xr.testing.assert_equal(
            curve[name].sel(rho=0.0, drop=True).drop_vars("rho", errors="ignore"),
            short_fit.effects().draws[name],
        )
    assert curve["how"].to_numpy().tolist() == ["exact map", "fitted"]


def test_total_is_constant_in_rho(framing_fit):
    total = framing_fit.sensitivity([-0.8, -0.2, 0.4, 0.95]).draws["total"]
    np.testing.assert_allclose(total.std("rho"), 0.0, atol=1e-12)


@pytest.mark.fit
def test_sweep_that_fails_keeps_what_was_done(jobs, monkeypatch):
    from bayesmed.sensitivity import sweep

    fit = bm.MediationModel(
        jobs, **JOBS_SIGMA, rho=bm.Prior("Uniform", lower=-0.5, upper=0.5), priors_on="structural"
    ).fit(**QUICK)
    calls = []

    def failing(fit, rows, rho, failed):
        calls.append(rho)
        if len(calls) == 3:
            raise MemoryError("no memory")
        return sweep.fitted_point(fit, rows)

    monkeypatch.setattr(sweep, "refit_point", failing)
    with pytest.warns(UserWarning, match="2 values before it are kept"):
        found = fit.sensitivity([-0.4, -0.2, 0.2, 0.4], progress=False)
    assert found.draws["rho"].to_numpy().tolist() == [-0.4, -0.2]
