"""A family is known by its properties: one of a user's own is treated as the package's that it equals."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import bayesmed as bm
from tests.support.inputs import refused

FIT = {"method": "laplace", "draws": 60, "chains": 2, "random_seed": 1, "progress": False}
FORMULAS = {"mediator": "m ~ t + x", "outcome": "y ~ m + t + x", "treatment": "t"}
SHARE = bm.FAMILIES["beta"]


def copy(name):
    return replace(bm.FAMILIES[name], name=f"my_{name}")


def fitted(data, family, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bm.fit(data, **FORMULAS, outcome_family=family, **arguments, **FIT)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(4)
    n = 100
    t, x = np.repeat([0, 1], n // 2), rng.normal(size=n)
    m = 0.5 * t + 0.3 * x + rng.normal(size=n)
    y = 0.4 * m + 0.3 * t + rng.normal(size=n)
    return pd.DataFrame({"t": t, "x": x, "m": m, "y": y})


@pytest.fixture(scope="module")
def shares(data):
    return data.assign(y=1.0 / (1.0 + np.exp(-data["y"])))


@pytest.fixture(scope="module")
def censored(data):
    return data.assign(y=np.maximum(data["y"], 0.0))


@pytest.mark.parametrize(
    ("valid", "ends"),
    [
        (np.isfinite, (-np.inf, np.inf)),
        (lambda y: y > 0.0, (0.0, np.inf)),
        (lambda y: y >= 18.0, (18.0, np.inf)),
        (lambda y: y <= -1.5, (-np.inf, -1.5)),
        (lambda y: (y > 0.0) & (y < 1.0), (0.0, 1.0)),
        (lambda y: (y >= -3.0) & (y <= 100.0), (-3.0, 100.0)),
        (lambda y: y != 0.0, (-np.inf, np.inf)),
    ],
)
def test_the_support_is_what_valid_allows(valid, ends):
    assert replace(SHARE, valid=valid).support == pytest.approx(ends)


def test_properties_of_the_packages_families():
    of = {name: [n for n, one in bm.FAMILIES.items() if getattr(one, name)]
          for name in ("is_normal", "limited", "bounded")}  # fmt: skip
    assert of == {"is_normal": ["gaussian"], "limited": ["tobit"], "bounded": ["probit", "logit", "beta"]}  # fmt: skip


def test_quantiles_of_shares(shares):
    """Those of a share times 100 are 100 times as large, and of a copy the same."""
    percent = replace(
        SHARE, name="percent", domain="between 0 and 100",
        score=lambda y, eta, p: SHARE.score(y / 100.0, eta, p),
        value=lambda e, eta, p: 100.0 * SHARE.value(e, eta, p),
        mean=lambda eta, p: 100.0 * SHARE.mean(eta, p),
        log_density=lambda y, eta, p: SHARE.log_density(y / 100.0, eta, p) - np.log(100.0),
        valid=lambda y: (y > 0.0) & (y < 100.0),
    )  # fmt: skip
    asked = {"of": bm.quantile(0.9)}
    want = fitted(shares, "beta").effects(**asked).draws["acme"]
    own = fitted(shares, copy("beta")).effects(**asked).draws["acme"]
    np.testing.assert_allclose(own, want, rtol=1e-9)
    large = fitted(shares.assign(y=100.0 * shares["y"]), percent).effects(**asked).draws["acme"]
    np.testing.assert_allclose(large, 100.0 * want, rtol=1e-6)


def test_limits_of_a_tobit_copy(censored):
    family = copy("tobit")
    refused(lambda: fitted(censored, family), "my_tobit", "'lower': 0.0")
    limits = {"outcome_data": {"lower": 0.0}}
    want, own = (fitted(censored, one, **limits) for one in ("tobit", family))
    both = [one.effects(of="observed").draws["acme"] for one in (want, own)]
    np.testing.assert_allclose(*both, rtol=1e-9)


def test_a_normal_copy_has_the_exact_posterior(data):
    """Flat priors and normal equations: independent draws, whatever the family is called."""
    sigma, flat = bm.Prior("HalfFlat"), bm.Prior("Flat")
    priors = {
        "mediator": {**dict.fromkeys(["Intercept", "t", "x"], flat), "sigma": sigma},
        "outcome": {**dict.fromkeys(["Intercept", "m", "t", "x"], flat), "sigma": sigma},
    }
    want, own = (fitted(data, one, priors=priors) for one in ("gaussian", copy("gaussian")))
    assert own.about["sampler"] == want.about["sampler"] == "exact"
    np.testing.assert_array_equal(own.effects().draws["acme"], want.effects().draws["acme"])


def test_rows_in_parts_are_for_the_packages_families(data, tmp_path):
    path = tmp_path / "rows.parquet"
    data.to_parquet(path)
    refused(
        lambda: fitted(path, copy("gaussian")),
        "my_gaussian",
        "['gaussian', 'probit', 'logit', 'poisson']",
    )
