"""Effects under the priors."""

import bayesmed as bm
from tests.support.models import FRAMING


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
