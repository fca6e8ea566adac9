"""One compiled density serves every model of a structure."""

import time

import numpy as np

import bayesmed as bm
from bayesmed.posterior import density as compiled
from tests.support.models import JOBS_SIGMA, QUICK


def test_refit_at_other_rho_data_or_columns_compiles_nothing(jobs, short_fit):
    before = compiled.compilations
    at_half = bm.MediationModel(jobs, **JOBS_SIGMA).with_rho(0.5).fit(**QUICK)
    half = bm.MediationModel(jobs.iloc[:400], **JOBS_SIGMA)
    half.fit(**QUICK)
    half.with_data(jobs.iloc[400:]).fit(**QUICK)
    fewer = {**JOBS_SIGMA, "mediator": "job_seek ~ treat", "outcome": "depress2 ~ treat + job_seek"}
    bm.MediationModel(jobs, **fewer).fit(**QUICK)
    assert compiled.compilations == before
    # The data say nothing about rho: the regression's draws are the same, the structural not.
    np.testing.assert_array_equal(
        at_half.posterior["outcome_coef_rho0"], short_fit.posterior["outcome_coef_rho0"]
    )
    assert not np.allclose(at_half.posterior["outcome_coef"], short_fit.posterior["outcome_coef"])


def test_a_compilation_that_takes_long_is_told(capsys):
    with compiled.told_if_slow(True, after=0.01):
        time.sleep(0.2)
    assert "Compiling the model" in capsys.readouterr().err
    with compiled.told_if_slow(False, after=0.01):
        time.sleep(0.1)
    with compiled.told_if_slow(True, after=5.0):
        pass
    assert capsys.readouterr().err == ""
