"""Effects under the priors."""

import numpy as np
import pytest
import xarray as xr

import bayesmed as bm
from tests.support.models import FRAMING, JOBS


@pytest.mark.slow
def test_prior_predictive_warns_of_absurd_effects(framing):
    wide = {"outcome": {"emo": bm.Prior("Normal", mu=0, sigma=20)},
            "mediator": {"treat": bm.Prior("Normal", mu=0, sigma=50)}}  # fmt: skip
    loud = bm.MediationModel(framing, **FRAMING, priors=wide).prior_predictive(300, random_seed=1)
    share = float((abs(loud.draws["acme"].sel(arm="average")) > 0.5).mean())
    assert share > 0.2
    assert f"{share:.0%} on |ACME| > 0.5 on the probability scale" in repr(loud)
    assert "state narrower priors" in repr(loud)
    calm = bm.MediationModel(framing, **FRAMING).prior_predictive(300, random_seed=1)
    assert "state narrower priors" not in repr(calm) and "The priors put" in repr(calm)


def test_prior_predictive(framing):
    model = bm.MediationModel(framing, **FRAMING)
    first, again = (model.prior_predictive(50, random_seed=5) for _ in range(2))
    xr.testing.assert_identical(first.draws, again.draws)
    data = first.tree["prior_predictive"]
    assert data["mediator"].dims == ("chain", "draw", "obs")
    assert set(np.unique(data["outcome"])) == {0.0, 1.0}
    assert "prior, no data" in repr(first)


def test_prior_predictive_follows_the_stated_priors(jobs):
    """Prior draws of every coefficient have the moments that were stated."""
    prior = {"outcome": {"job_seek": bm.Prior("Normal", mu=2.0, sigma=0.1)}}
    model = bm.MediationModel(jobs, **JOBS, priors=prior)
    drawn = model.prior_predictive(1000, random_seed=2).tree["prior"]["outcome_coef"]
    values = drawn.sel(outcome_term="job_seek")
    assert float(values.mean()) == pytest.approx(2.0, abs=4 * 0.1 / np.sqrt(1000))
    assert float(values.std()) == pytest.approx(0.1, rel=0.1)
    # The intercept's prior is stated at the means of the columns.
    centred = (drawn * model.designs[1].matrix.mean(axis=0)).sum("outcome_term")
    own = model.priors_in_use["outcome"]["Intercept"].parameters
    assert float(centred.mean()) == pytest.approx(own["mu"], abs=4 * own["sigma"] / np.sqrt(1000))
    assert float(centred.std()) == pytest.approx(own["sigma"], rel=0.1)
