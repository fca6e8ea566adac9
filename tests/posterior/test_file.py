"""Files of fits: what comes back, and with which model."""

import numpy as np
import pytest

import bayesmed as bm
from tests.support.made import LINEAR, SHORT, people


@pytest.fixture(scope="module")
def data():
    return people()


@pytest.mark.fit
def test_a_loaded_fit_standardises(data, tmp_path):
    own = {"mediator": "m ~ u + x", "outcome": "y ~ m + u + x", "treatment": "u"}
    fit = bm.fit(data, **own, control=0.0, treated=2.0, **SHORT)
    fit.save(tmp_path / "f.nc")
    found = bm.load(tmp_path / "f.nc").effects(scale="standardised")
    by_hand = fit.effects().draws["acme"] / 2.0 * data["u"].std() / data["y"].std()
    np.testing.assert_allclose(found.draws["acme"], by_hand, rtol=1e-9)
    assert repr(found).startswith("Mediation effects of u: one sd more on y")
    assert "one standard deviation more of it" in fit.report(effects=found)


def test_a_file_says_how_the_data_differ(data, linear_fit, tmp_path):
    path, prior = tmp_path / "f.nc", {"outcome": {"m": bm.Prior("Normal", mu=0, sigma=1)}}
    linear_fit.save(path)

    def told(frame, **own):
        with pytest.raises(ValueError, match="not the one that") as caught:
            bm.load(path, model=bm.MediationModel(frame, **{**LINEAR, **own}))
        return str(caught.value).split("different: ")[1].split(". Build")[0]

    turned = data.sample(frac=1.0, random_state=1)
    assert "the order of the rows" in told(turned)
    assert "prior" not in told(turned)
    assert told(data.assign(x=2.0 * data["x"], y=data["y"] + 1.0)) == "the values of y, x"
    assert told(data.assign(x=turned["x"].to_numpy())) == "which values stand in one row"
    assert told(data, priors=prior) == "priors of m (outcome)"
    assert told(turned, priors=prior).endswith("priors of m (outcome)")
    assert bm.load(path, model=bm.MediationModel(data.copy(), **LINEAR)).model is not None
