"""Fits that many tests share; each compiled structure is compiled once in the session."""

from zlib import crc32

import matplotlib
import numpy as np
import pytest

import bayesmed as bm
from tests.support.made import LINEAR, SHORT, people
from tests.support.models import FRAMING, JOBS, JOBS_SIGMA, QUICK, SETTINGS, flat_priors

matplotlib.use("Agg")


#: Where every fit comes by: the compiled density, and the samplers that do without it.
FITTING = ("bayesmed.posterior.density.log_density", "bayesmed.posterior.nuts._pymc")


def pytest_configure(config):
    """Slow tests run where ``-m`` speaks of them, and not otherwise."""
    if "slow" not in (asked := config.option.markexpr):
        config.option.markexpr = f"({asked}) and not slow" if asked else "not slow"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Of a test marked each, cases enough to meet each value of each parameter run at once.

    The other cases are slow. Values of a tuple, such as a pair of families, count one by one.
    Of one marked each(2) only two cases run at once, those that meet most values.
    """
    cases = {}
    for item in items:
        if item.get_closest_marker("each") and not item.get_closest_marker("slow"):
            cases.setdefault((item.path, item.originalname), []).append(item)
    for some in cases.values():
        left = {item: parts(item.callspec.params) for item in some}
        count = sum(some[0].get_closest_marker("each").args)
        while len(left) > len(some) - count if count else any(left.values()):
            best = max(left, key=lambda item: (len(left[item]), crc32(item.name.encode())))
            met = left.pop(best)
            left = {item: values - met for item, values in left.items()}
        for item in left:
            item.add_marker("slow")


def parts(params):
    """The values of a test's parameters, a tuple's one by one, each with its place."""
    return {
        (name, i, repr(one))
        for name, value in params.items()
        for i, one in enumerate(value if isinstance(value, tuple) else (value,))
    }


def pytest_itemcollected(item):
    """A fixture whose name ends in _fit fits a model, and so do the tests that use it.

    That named compiled compiles every family, which takes as long.
    """
    if any(name.endswith("_fit") or name == "compiled" for name in item.fixturenames):
        item.add_marker("fit")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """A test, with its fixtures, fits nothing unless it is marked."""
    with pytest.MonkeyPatch.context() as patch:
        if not item.get_closest_marker("fit"):
            for place in FITTING:
                patch.setattr(
                    place, lambda *_, **__: pytest.fail("A test that fits is marked fit.")
                )
        return (yield)


@pytest.fixture(scope="session")
def framing():
    return bm.load_data("framing")


@pytest.fixture(scope="session")
def jobs():
    return bm.load_data("jobs")


@pytest.fixture(scope="session")
def framing_fit(framing):
    """Framing at rho = 0 under flat priors, with draws enough to compare tails."""
    model = bm.MediationModel(framing, **FRAMING, priors=flat_priors(framing, **FRAMING))
    # The reference's own tails, of 4000 draws, are off by up to 0.13 sd at rho = 0.9: this seed's
    # error does not add to that (several seeds and 100 000 draws show where the limit is).
    return model.fit(**{**SETTINGS, "draws": 10_000, "random_seed": 1})


@pytest.fixture(scope="session")
def interaction_fit(framing):
    """Framing with treatment-mediator interaction under flat priors."""
    own = {**FRAMING, "outcome": "cong_mesg ~ emo * treat + age + educ + gender + income"}
    return bm.MediationModel(framing, **own, priors=flat_priors(framing, **own)).fit(
        **{**SETTINGS, "draws": 4000}
    )


@pytest.fixture(scope="session")
def jobs_fit(jobs):
    """The jobs linear model under flat priors."""
    return bm.MediationModel(jobs, **JOBS, priors=flat_priors(jobs, **JOBS)).fit(
        **{**SETTINGS, "draws": 4000}
    )


@pytest.fixture(scope="session")
def short_fit(jobs):
    return bm.MediationModel(jobs, **JOBS_SIGMA).fit(**QUICK)


@pytest.fixture(scope="session")
def linear_fit():
    return bm.fit(people(), **LINEAR, **SHORT)


@pytest.fixture(scope="session")
def crossed_fit():
    """Both equations with an interaction of treatment and x."""
    own = {**LINEAR, "mediator": "m ~ t * x", "outcome": "z ~ m + t * x"}
    return bm.fit(people(), **own, outcome_family="probit", **SHORT)


@pytest.fixture
def small():
    """Forty complete rows with a factor, for checks of input."""
    rng = np.random.default_rng(3)
    n = 40
    import pandas as pd

    return pd.DataFrame(
        {
            "t": np.arange(n) % 2,
            "x": rng.normal(size=n),
            "g": pd.Categorical(rng.choice(["a", "b", "c"], n)),
            "m": rng.normal(size=n),
            "y": rng.normal(size=n),
            "d": rng.integers(0, 2, n),
        }
    )


@pytest.fixture
def simple():
    return {"mediator": "m ~ t + x", "outcome": "y ~ m + t + x", "treatment": "t"}
