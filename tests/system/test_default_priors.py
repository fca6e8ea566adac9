"""Default priors: about centred columns, so that no origin or unit of a column matters."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesmed as bm
from bayesmed.sensitivity.prior_scaling import log_priors
from bayesmed.system.default_priors import default_priors, default_scale_priors
from tests.support.models import quiet_model
from tests.support.reference import REFERENCE

FAST = {"method": "laplace", "draws": 1000, "random_seed": 1, "progress": False}
GARCIA = REFERENCE / "garcia.csv"
pytestmark = pytest.mark.filterwarnings("ignore::bayesmed.system.system.IdentificationWarning")


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(1)
    n = 129
    x, z, t = rng.normal(5, 0.8, n), rng.normal(3, 1, n), rng.integers(0, 2, n)
    m = 0.5 * t + 0.3 * x + 0.4 * t * (x - 5) + rng.normal(size=n)
    y = 0.4 * m + 0.2 * t + 0.3 * x + rng.normal(size=n)
    return pd.DataFrame({"t": t, "x": x, "z": z, "m": m, "y": y, "g": rng.choice(list("abc"), n)})


def moved(df, unit=4.0):
    """Other origins and units of every numeric column but the treatment's."""
    return df.assign(
        x=100.0 + 10.0 * df["x"], z=0.01 * df["z"] - 3.0, m=5.0 * df["m"] - 50.0,
        y=unit * df["y"] + 1000.0,
    )  # fmt: skip


@pytest.mark.fit
@pytest.mark.parametrize(
    ("mediator", "outcome"),
    [
        ("m ~ t * x", "y ~ m * t + t * x"),
        ("m ~ t * x + I(x**2) + g", "y ~ m * t + I(m**2) + t * x + I(x**2) + g"),
        ("m ~ t * x * z", "y ~ m * g + t * x * z"),
        ("m ~ t + I(t * x) + x", "y ~ m + t + I(t * x) + x"),
        ("m ~ t * bs(x, df=4)", "y ~ m + t * bs(x, df=4)"),
    ],
)
def test_origins_and_units_change_no_effect(people, mediator, outcome):
    """The same draws, in the outcome's unit: same seed, same coordinates, same density."""

    def draws(df):
        fit = bm.fit(df, mediator=mediator, outcome=outcome, treatment="t", **FAST)
        found = fit.effects().draws
        return np.stack([found[name].sel(arm="average").to_numpy() for name in ("acme", "ade")])

    before = draws(people)
    np.testing.assert_allclose(draws(moved(people)) / 4.0, before, atol=1e-7 * before.std())


@pytest.mark.fit
def test_a_function_that_only_changes_origin_with_the_unit(people):
    """log(k z) is log(z) + log(k)."""
    positive = people.assign(z=np.exp(people["z"]))

    def draws(df):
        fit = bm.fit(
            df, mediator="m ~ t * log(z)", outcome="y ~ m + t * log(z)", treatment="t", **FAST
        )
        return fit.effects().draws["ade"].to_numpy()

    before = draws(positive)
    after = draws(positive.assign(z=1e4 * positive["z"]))
    np.testing.assert_allclose(after, before, atol=1e-7 * before.std())


@pytest.mark.fit
def test_without_an_intercept_the_dummies_are_one(people):
    """Effects agree within Monte Carlo error: the sampler's coordinates are others."""
    means = []
    for df, unit in ((people, 1.0), (moved(people), 4.0)):
        fit = bm.fit(
            df, mediator="m ~ 0 + g + t * x", outcome="y ~ 0 + g + m * t + x", treatment="t",
            **{**FAST, "draws": 4000},
        )  # fmt: skip
        found = fit.effects().draws["acme"].sel(arm="average") / unit
        means.append((float(found.mean()), float(found.std())))
    (first, sd), (second, other) = means
    assert second == pytest.approx(first, abs=0.03 * sd)
    assert other == pytest.approx(sd, rel=0.03)


def test_squares_of_an_ordered_outcome_are_centred_too(people):
    """Cutpoints are the constant: the implied prior of the centred linear predictor stays."""

    def implied(df):
        model = bm.MediationModel(
            df.assign(o=pd.cut(people["y"], 4, labels=False)), mediator="m ~ t + x + I(x**2)",
            outcome="o ~ m + I(m**2) + t * x + I(x**2)", treatment="t", outcome_family="ordered_probit",
        )  # fmt: skip
        design, priors = model.designs[1], model.priors_in_use["outcome"]
        columns = design.matrix @ np.linalg.inv(model.prior_basis["outcome"])
        columns = (columns - columns.mean(axis=0)) * [
            priors[t].parameters["sigma"] for t in design.terms
        ]
        return columns @ columns.T

    before = implied(people)
    np.testing.assert_allclose(implied(moved(people)), before, atol=1e-7 * np.abs(before).max())


def test_what_the_priors_of_a_product_speak_of(people):
    model = bm.MediationModel(
        people, mediator="m ~ t * x + I(x**2)", outcome="y ~ m + t", treatment="t"
    )
    t, x = people["t"].mean(), people["x"].mean()
    terms = dict(zip(model.designs[0].terms, model.prior_basis["mediator"], strict=True))
    order = list(model.designs[0].terms)
    expected = {
        "t": {"t": 1.0, "t:x": x},
        "x": {"x": 1.0, "t:x": t, "I(x ** 2)": 2.0 * x},
        "t:x": {"t:x": 1.0},
        "I(x ** 2)": {"I(x ** 2)": 1.0},
        "Intercept": dict(zip(order, model.designs[0].matrix.mean(axis=0), strict=True)),
    }
    for term, row in expected.items():
        np.testing.assert_allclose(terms[term], [row.get(name, 0.0) for name in order], atol=1e-9)
    S, product = people["m"].std(ddof=0), (people["t"] - t) * (people["x"] - x)
    prior = model.priors_in_use["mediator"]["t:x"]
    assert prior.parameters["sigma"] == pytest.approx(2.5 * S / product.std(ddof=0))
    source = model.prior_summary().set_index(["equation", "parameter"])["source"]
    assert source["mediator", "t"] == "default, centred"
    assert source["outcome", "t"] == "default"


def test_a_product_without_its_lower_terms_is_centred_as_far_as_they_go(people):
    """x in (t - mean t) x is there; t is not, so x is not centred."""
    model = bm.MediationModel(
        people, mediator="m ~ x + t:x", outcome="y ~ m + x + t:x", treatment="t"
    )
    row = model.prior_basis["mediator"][model.designs[0].terms.index("x")]
    np.testing.assert_allclose(row, [0.0, 1.0, people["t"].mean()], atol=1e-9)


@pytest.mark.fit
def test_a_stated_prior_speaks_of_the_coefficient_as_written(people):
    prior = bm.Prior("Normal", mu=0.5, sigma=0.1)
    arguments = {"mediator": "m ~ t * x", "outcome": "y ~ m + t * x", "treatment": "t"}
    model = bm.MediationModel(people, priors={"mediator": {"t": prior}}, **arguments)
    fit = model.fit(**FAST)
    found = log_priors(fit.posterior, fit.description, fit.tree["constant_data"].to_dataset())
    coef = fit.posterior["mediator_coef"]
    t, product = coef.sel(mediator_term="t"), coef.sel(mediator_term="t:x")
    np.testing.assert_allclose(found["mediator: t"], stats.norm(0.5, 0.1).logpdf(t))
    x = coef.sel(mediator_term="x") + people["t"].mean() * product
    sd = model.priors_in_use["mediator"]["x"].parameters["sigma"]
    np.testing.assert_allclose(found["mediator: x"], stats.norm(0.0, sd).logpdf(x))


@pytest.mark.slow
def test_the_graph_has_the_stated_density(people):
    """Prior draws of the centred coefficients are independent, each with its own sd."""
    model = bm.MediationModel(people, mediator="m ~ t * x", outcome="y ~ m + t * x", treatment="t")
    draws = model.prior_predictive(draws=4000, random_seed=1).tree["prior"]["mediator_coef"]
    spoken = draws.to_numpy().reshape(-1, 4) @ model.prior_basis["mediator"].T
    sds = [
        model.priors_in_use["mediator"][term].parameters["sigma"] for term in model.designs[0].terms
    ]
    scaled = spoken / sds
    np.testing.assert_allclose(np.corrcoef(scaled.T), np.eye(4), atol=4.0 / np.sqrt(4000))
    np.testing.assert_allclose(scaled.std(axis=0), 1.0, atol=4.0 / np.sqrt(2 * 4000))


@pytest.mark.fit
def test_moments_of_rows_give_the_same_priors(people, tmp_path):
    arguments = {
        "mediator": "m ~ t * x + I(x**2)", "outcome": "y ~ m * t + t * x + I(x**2)", "treatment": "t",
    }  # fmt: skip
    whole = bm.fit(people, **arguments, **FAST)
    people.to_parquet(tmp_path / "people.parquet", row_group_size=40)
    parts = bm.fit(tmp_path / "people.parquet", **arguments, **FAST)
    for equation in ("mediator", "outcome"):
        name = f"{equation}_prior_basis"
        ours, theirs = (fit.tree["constant_data"][name].to_numpy() for fit in (whole, parts))
        np.testing.assert_allclose(theirs, ours, rtol=1e-7, atol=1e-7)
        assert parts.about["priors"][equation].keys() == whole.about["priors"][equation].keys()
        for term, (_, own) in whole.about["priors"][equation].items():
            for key, value in own.items():
                other = parts.about["priors"][equation][term][1][key]
                assert other == pytest.approx(value, rel=1e-7, abs=1e-9), (equation, term)


def least_squares(columns, y):
    found = np.linalg.lstsq(columns, y)[0]
    residual = y - columns @ found
    variance = residual @ residual / (len(y) - columns.shape[1])
    return found, np.sqrt(variance * np.diag(np.linalg.inv(columns.T @ columns)))


@pytest.mark.fit
@pytest.mark.parametrize("centred", [False, True])
def test_a_published_index_is_not_pulled(centred):
    """Garcia et al. (2010), in the data of R's psych: within a tenth of a standard error of least squares."""
    df = pd.read_csv(GARCIA)
    if centred:
        df["sexism"] = df["sexism"] - df["sexism"].mean()
    fit = bm.fit(
        df, mediator="respappr ~ prot2 * sexism", outcome="liking ~ respappr + prot2 * sexism",
        treatment="prot2", **{**FAST, "draws": 10000},
    )  # fmt: skip
    t, w = df["prot2"].to_numpy(float), df["sexism"].to_numpy(float)
    right = np.column_stack([np.ones(len(df)), t, w, t * w])
    a, a_se = least_squares(right, df["respappr"].to_numpy(float))
    m = df["respappr"].to_numpy(float)
    b, b_se = least_squares(np.column_stack([right, m]), df["liking"].to_numpy(float))
    mediator = fit.posterior["mediator_coef"].sel(mediator_term="prot2:sexism")
    slope = fit.posterior["outcome_coef"].sel(outcome_term="respappr")
    direct = fit.posterior["outcome_coef"].sel(outcome_term="prot2:sexism")
    index_se = np.hypot(a[3] * b_se[4], b[4] * a_se[3])
    assert float((mediator * slope).mean()) == pytest.approx(a[3] * b[4], abs=0.1 * index_se)
    assert float(direct.mean()) == pytest.approx(b[3], abs=0.1 * b_se[3])
    table = fit.prior_sensitivity()
    assert table["pull"].abs().max() < 0.1


def test_default_priors_of_rare_counts_stand_where_the_rate_is():
    y = np.zeros(400)
    y[:8] = 1.0
    model = quiet_model(
        pd.DataFrame({"t": np.arange(400) % 2, "m": np.random.default_rng(3).normal(size=400), "y": y}),
        mediator="m ~ t", outcome="y ~ t + m", treatment="t", outcome_family="poisson",
    )  # fmt: skip
    found = model.priors_in_use["outcome"]["Intercept"].parameters
    assert found["mu"] == pytest.approx(np.log(0.02))
    assert found["sigma"] == pytest.approx(2.5)


def test_default_priors_are_wider_where_values_are_hidden():
    simulated = bm.simulate(
        200, outcome_family="weibull", censored=0.6, random_seed=1, truth_size=100
    ).data
    model = quiet_model(
        simulated, mediator="m ~ treat", outcome="y ~ treat + m", treatment="treat",
        outcome_family="weibull", outcome_data={"event": "event"},
    )  # fmt: skip
    design, family = model.designs[1], model.families["outcome"]
    whole = default_priors(design, family, model.equations["outcome"].response.values)
    seen = simulated["event"].mean()
    for term in design.terms:
        mine = model.priors_in_use["outcome"][term].parameters["sigma"]
        assert mine == pytest.approx(whole[term].parameters["sigma"] / np.sqrt(seen))


def test_default_priors_of_log_sigma_know_the_scale_without_an_intercept():
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"t": np.arange(60) % 2, "g": rng.choice(["a", "b"], 60)})
    data["m"] = rng.normal(size=60)
    data["y"] = 5000.0 * rng.normal(size=60)
    model = quiet_model(data, mediator="m ~ t", outcome="y ~ t + m", treatment="t",
                        outcome_sigma="~ 0 + C(g)")  # fmt: skip
    found = default_scale_priors(
        model.equations["outcome"].sigma,
        model.families["outcome"],
        model.equations["outcome"].response.values,
        None,
    )
    for prior in found.values():
        assert prior.parameters["mu"] == pytest.approx(np.log(data["y"].std(ddof=0)))
