"""A file written by an earlier version: tests/reference/format2.nc, made at fb686b0.

The call: bm.fit on 40 simulated rows, mediator="m ~ t * x", outcome="y ~ m + t * x", method="laplace",
draws=100, chains=2, random_seed=1, and save(). The numbers are what that version gave.
"""

import pytest

import bayesmed as bm
from bayesmed.sensitivity.prior_scaling import log_priors
from tests.support.reference import REFERENCE

FILE = REFERENCE / "format2.nc"


@pytest.fixture(scope="module")
def old():
    return bm.load(FILE)


def test_effects_are_those_of_the_version_that_wrote_it(old):
    draws = old.effects().draws.mean(("chain", "draw")).sel(arm="average")
    assert float(draws["acme"]) == pytest.approx(0.1847585072529182, rel=1e-12)
    assert float(draws["ade"]) == pytest.approx(0.4085195852788668, rel=1e-12)


def test_its_priors_are_evaluated_as_they_were_stated(old):
    """Of the coefficients as written, before defaults spoke of centred columns."""
    found = log_priors(old.posterior, old.description, old.tree["constant_data"].to_dataset())
    then = {
        "outcome: Intercept": -388.772315230862, "outcome: t": -527.9536354027566,
        "mediator: t:x": -428.27539377782426,
    }  # fmt: skip
    for name, total in then.items():
        assert float(found[name].sum()) == pytest.approx(total, rel=1e-10), name


def test_everything_that_needs_no_formula_works(old):
    sensitivity = old.sensitivity([-0.3, 0.0, 0.3], progress=False)
    assert "n = 40" in repr(old)
    assert sensitivity.tipping_summary().shape[0] == 3
    assert "mediation" in old.report(sensitivity)
    assert old.prior_sensitivity().index.names == ["effect", "component"]
    assert old.coefficients()["path"].tolist().count("b") == 1
