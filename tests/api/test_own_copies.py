"""A family is known by its properties: one of a user's own is treated as the package's that it equals."""

import ast
import warnings
from dataclasses import replace
from pathlib import Path

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


def names_a_family(node):
    """A comparison with a family's name (its link may be called alike), or a family looked up by it."""
    if isinstance(node, ast.Compare) and getattr(node.left, "attr", "") != "link":
        told = [one for part in node.comparators for one in ast.walk(part)]
        return any(isinstance(one, ast.Constant) and one.value in bm.FAMILIES for one in told)
    looked_up = isinstance(node, ast.Subscript) and getattr(node.value, "id", "") == "FAMILIES"
    return looked_up and isinstance(node.slice, ast.Constant)


def test_no_code_asks_for_a_familys_name():
    found = [
        f"{path}:{node.lineno}"
        for path in sorted(Path(bm.__file__).parent.rglob("*.py"))
        if path.name != "paragraph.py"  # whose words name the models
        for node in ast.walk(ast.parse(path.read_text()))
        if names_a_family(node)
    ]
    assert not found
    assert names_a_family(ast.parse("family.name == 'beta'").body[0].value)


@pytest.mark.fit
@pytest.mark.slow
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


@pytest.mark.fit
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


def binary(data):
    return data.assign(y=(data["y"] > 0.0).astype(int))


@pytest.mark.fit
@pytest.mark.parametrize(
    ("name", "made", "arguments", "words"),
    [
        ("probit", binary, {}, "differences in the probability of y = 1"),
        ("tobit", lambda d: d.assign(y=np.maximum(d["y"], 0.0)), {"outcome_data": {"lower": 0.0}},
         "differences in the mean of y before censoring"),
        ("beta", lambda d: d.assign(y=1.0 / (1.0 + np.exp(-d["y"]))), {},
         "per standard deviation of the column, of 2.5 times that of the response in the mediator "
         "equation and 2.5 in the outcome equation"),
    ],
)  # fmt: skip
def test_words_and_tables_of_a_copy(data, tmp_path, name, made, arguments, words):
    family = copy(name)
    want, own = (fitted(made(data), one, **arguments) for one in (name, family))

    def renamed(text):
        return text.replace(f"a {name} model", f"a my_{name} model").replace(
            f"{name} outcome", f"my_{name} outcome"
        )

    assert words in want.report()
    effects, others = own.effects(), want.effects()
    assert own.report(effects=effects).replace("my ", "my_") == renamed(want.report(effects=others))
    assert effects.table(style="markdown") == renamed(others.table(style="markdown"))
    assert effects.plot().get_xlabel() == others.plot().get_xlabel()
    own.save(tmp_path / "fit.nc")
    again = bm.load(tmp_path / "fit.nc", model=own.model)
    assert again.report(effects=again.effects()) == own.report(effects=effects)


@pytest.mark.fit
def test_prior_effects_of_shares(shares):
    """Large is an effect of a half; ratios of shares have a sense."""
    models = [
        bm.MediationModel(shares, **FORMULAS, outcome_family=one) for one in ("beta", copy("beta"))
    ]
    told = [repr(one.prior_predictive(draws=20, random_seed=1)) for one in models]
    assert "> 0.5:" in told[0] or "> 0.5." in told[0]
    assert told[1].replace("my_beta", "beta") == told[0]
    assert np.all(fitted(shares, copy("beta")).effects(scale="ratio").draws["total"] > 0.0)


@pytest.mark.fit
def test_corrections_of_copies(data):
    """Error in a normal mediator, and confounding of a dose, whatever the families are called."""
    dose = binary(data).assign(t=data["x"] + data["t"])
    families = [("gaussian", "probit"), (copy("gaussian"), copy("probit"))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want, own = (
            bm.fit(dose, mediator="m ~ t", outcome="y ~ m + t", treatment="t", control=0.0, treated=1.0,
                   mediator_family=m, outcome_family=y, **FIT)
            for m, y in families
        )  # fmt: skip
    for ask in (
        lambda fit: fit.effects_with_error(0.8),
        lambda fit: fit.effects_with_treatment_confounding(rho_tm=0.1, rho_ty=0.1, rho_my=0.1),
    ):
        np.testing.assert_allclose(ask(own).draws["acme"], ask(want).draws["acme"], rtol=1e-9)
