"""Extreme numbers: a right answer, a warning or an error that names the cause; never NaN alone."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest

import bayesmed as bm
from bayesmed.effects.estimands import contrasts
from tests.support.handmade import hand_fit

LAPLACE = {
    "method": "laplace", "draws": 300, "chains": 2, "random_seed": 1, "progress": False, "tune": 300,
}  # fmt: skip


def people(n=200):
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"t": np.arange(n) % 2, "x": rng.normal(size=n)})
    data["m"] = 0.5 * data["t"] + 0.3 * data["x"] + rng.normal(size=n)
    data["y"] = 0.4 * data["m"] + 0.3 * data["t"] + rng.normal(size=n)
    data["d"] = (data["y"] > 0).astype(int)
    data["e"] = (data["m"] > 0).astype(int)
    return data


def model_of(data, mediator="m", outcome="y", **arguments):
    return bm.MediationModel(
        data, mediator=f"{mediator} ~ t + x", outcome=f"{outcome} ~ {mediator} + t + x",
        treatment="t", **arguments,
    )  # fmt: skip


def quiet(data, *names, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model_of(data, *names, **arguments)


def numbers(table):
    return table.drop(columns=[name for name in table if name.startswith("P(")]).to_numpy(float)


@pytest.mark.parametrize("column", ["m", "y"])
def test_a_response_without_error_is_refused(column):
    data = people()
    data[column] = 0.4 * data["m"] + 0.3 * data["t"] if column == "y" else data["t"] + data["x"]
    with pytest.raises(ValueError, match=r"without error|collinear"):
        model_of(data)


def test_a_lognormal_response_without_error_is_refused():
    data = people().assign(y=lambda d: np.exp(0.4 * d["m"] + 0.3 * d["t"]))
    with pytest.raises(ValueError, match=r"'y' without error.*computed from \['m', 't'"):
        model_of(data, outcome_family="lognormal")


def test_a_tiny_error_is_not_refused():
    data = people()
    data["y"] = 0.4 * data["m"] + 0.3 * data["t"] + 1e-8 * np.random.default_rng(2).normal(size=200)
    assert model_of(data).size == 200


def test_fewer_rows_than_columns():
    with pytest.raises(ValueError, match=r"4 columns but only 3 rows"):
        model_of(people().iloc[:3])


@pytest.mark.each(2)
@pytest.mark.parametrize("rho", [-0.999, 0.999, -0.999999, 0.999999])
@pytest.mark.parametrize("outcome", ["gaussian", "probit", "lognormal"])
def test_closed_forms_near_a_correlation_of_one(rho, outcome):
    """Against the formulas of the model, in 60-digit free arithmetic of few operations."""
    from scipy.special import ndtr

    data = people()
    data["y"] = {"gaussian": data["y"], "probit": data["d"], "lognormal": np.exp(data["y"])}[
        outcome
    ]
    own = {} if outcome == "probit" else {"outcome_sigma": np.full(4, 1.5)}
    model = quiet(data, outcome_family=outcome, rho=rho)
    beta, theta = np.array([0.1, 0.5, 0.2]), np.array([0.2, -0.7, 0.3, 0.1])
    at = [model.designs[1].terms.index(term) for term in ("Intercept", "m", "t", "x")]
    coef = np.empty(4)
    coef[at] = theta
    fit = hand_fit(
        model, mediator_coef=np.tile(beta, (4, 1)), mediator_sigma=np.full(4, 2.0),
        outcome_coef=np.tile(coef, (4, 1)), **own,
    )  # fmt: skip
    x = data["x"].to_numpy()
    po = np.empty((2, 2))
    for t in (0, 1):
        for s in (0, 1):
            eta = (
                theta[0]
                + theta[1] * (beta[0] + beta[1] * s + beta[2] * x)
                + theta[2] * t
                + theta[3] * x
            )
            g = theta[1] * 2.0
            po[t, s] = {
                "gaussian": lambda eta=eta: eta,
                "probit": lambda eta=eta, g=g: ndtr(eta / np.sqrt((1 - g) ** 2 + 2 * g * (1 + rho))),
                "lognormal": lambda eta=eta, g=g: np.exp(eta + (g**2 + 2 * g * rho * 1.5 + 1.5**2) / 2),
            }[outcome]().mean()  # fmt: skip
    found = fit.effects().po.isel(chain=0, draw=0).to_numpy()
    np.testing.assert_allclose(found, po, rtol=1e-9)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_draws_that_are_not_finite_reach_no_summary(bad):
    """A posterior with a broken draw: an error or a warning that says so."""
    model = quiet(people())
    coef = np.ones((8, 4))
    coef[3, 1] = bad
    fit = hand_fit(
        model, mediator_coef=np.ones((8, 3)), mediator_sigma=np.ones(8), outcome_coef=coef,
        outcome_sigma=np.ones(8),
    )  # fmt: skip
    with pytest.raises(ArithmeticError, match=r"not finite|too large"):
        fit.effects().summary()


def test_a_total_of_zero_has_no_proportion_and_says_why():
    model = quiet(people())
    fit = hand_fit(
        model, mediator_coef=np.ones((8, 3)), mediator_sigma=np.ones(8),
        outcome_coef=np.zeros((8, 4)), outcome_sigma=np.ones(8),
    )  # fmt: skip
    text = repr(fit.effects())
    assert "nan" not in text.lower() or "total" in text.lower()
    assert np.isnan(fit.effects().draws["prop_mediated"]).all()
    assert contrasts(fit.effects().po)["total"].max() == 0.0


@pytest.mark.fit
@pytest.mark.slow
@pytest.mark.parametrize("rho", [-0.999, 0.999])
@pytest.mark.parametrize(
    ("mediator", "outcome", "families"),
    [("m", "y", ("gaussian", "gaussian")), ("m", "d", ("gaussian", "probit")),
     ("e", "y", ("probit", "gaussian")), ("e", "d", ("probit", "probit")),
     ("m", "d", ("gaussian", "logit"))],
)  # fmt: skip
def test_fits_near_a_correlation_of_one(rho, mediator, outcome, families):
    model = quiet(people(), mediator, outcome, mediator_family=families[0],
                  outcome_family=families[1], rho=rho)  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = model.fit(**LAPLACE)
    assert np.isfinite(numbers(fit.effects().summary(round_to=None))).all()
    total = fit.effects().draws["total"]
    plain = people()
    crude = plain.groupby("t")[outcome].mean().diff().iloc[-1]
    # The total hardly depends on rho: both are within a few standard errors of the crude one.
    assert abs(float(total.median()) - crude) < 4.0 * float(total.std())


@pytest.mark.fit
@pytest.mark.slow
@pytest.mark.parametrize("family", ["probit", "logit"])
def test_one_event_in_ten_thousand(family):
    data = people(10_000)
    data["d"] = 0
    data.loc[77, "d"] = 1
    with pytest.warns(UserWarning, match="Separation in the outcome equation"):
        model = model_of(data, outcome="d", outcome_family=family)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = model.fit(**LAPLACE)
    table = fit.effects().summary(round_to=None)
    assert np.isfinite(numbers(table.drop(index=[i for i in table.index if "Prop" in i]))).all()
    assert abs(table.loc["Total effect", "median"]) < 2e-3
    assert table.loc["Total effect"].iloc[1] < 0.0 < table.loc["Total effect"].iloc[2]


@pytest.mark.fit
@pytest.mark.slow
@pytest.mark.parametrize("family", ["poisson", "negative_binomial"])
def test_counts_of_a_million(family):
    """exp(14 + 0.1 m): the effects are those of the log-linear model's own means."""
    data = people()
    rng = np.random.default_rng(3)
    data["c"] = rng.poisson(np.exp(14.0 + 0.1 * data["m"] + 0.05 * data["t"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = model_of(data, outcome="c", outcome_family=family).fit(**LAPLACE)
    beta = np.linalg.lstsq(
        np.column_stack([np.ones(200), data["t"], data["x"]]), data["m"], rcond=None
    )[0]
    sigma = np.std(data["m"] - beta[0] - beta[1] * data["t"] - beta[2] * data["x"], ddof=3)
    mean = beta[0] + beta[2] * data["x"]
    acme = (np.exp(14.0 + 0.05 + 0.1 * mean + 0.005 * sigma**2) * np.expm1(0.1 * beta[1])).mean()
    found = fit.effects().draws["acme"].sel(arm="treated")
    assert abs(float(found.median()) - acme) < 0.3 * float(found.std())


@pytest.mark.fit
@pytest.mark.slow
def test_separation_is_told_and_the_effects_are_finite():
    data = people().assign(d=lambda frame: (frame["m"] > 0).astype(int))
    with pytest.warns(UserWarning, match=r"Separation in the outcome equation: \['m'\]"):
        model = model_of(data, outcome="d", outcome_family="probit")
    fit = model.fit(**LAPLACE)
    assert np.isfinite(numbers(fit.effects().summary(round_to=None))).all()
    assert not re.search("nan", fit.report(), re.IGNORECASE)


def test_a_formula_without_an_intercept_is_judged_by_its_own_columns():
    """5 + 2x - t is no sum of x and t; and rounding is that of the numbers, not of their spread."""
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": rng.normal(size=60), "t": np.arange(60) % 2})
    data["m"] = 5.0 + 2.0 * data["x"] - data["t"]
    data["y"] = data["m"] + rng.normal(size=60)
    outcome = {"outcome": "y ~ m + t", "treatment": "t"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bm.MediationModel(data, mediator="m ~ 0 + t + x", **outcome)
        for shift in (0.0, 1e6, 1e9):
            with pytest.raises(ValueError, match="without error"):
                bm.MediationModel(data.assign(m=data["m"] + shift), mediator="m ~ t + x", **outcome)
