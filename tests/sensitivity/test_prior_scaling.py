"""Power-scaling of priors: closed forms of normal models, SciPy's densities, and fits."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import integrate, stats
from scipy.special import ndtr, ndtri

import bayesmed as bm
from bayesmed.posterior.arrays import constant_data
from bayesmed.posterior.likelihood import total_log_likelihood
from bayesmed.sensitivity.prior_scaling import (
    diagnosis,
    log_priors,
    power_scaling,
)
from bayesmed.system.about import describe
from tests.support.models import JOBS, SETTINGS, flat_priors, quiet_model

COUNT, SHAPE = 8000, (4, 2000)
FEW = {**SETTINGS, "draws": 1000}


def dataset(**values):
    data = {name: (("chain", "draw"), np.reshape(value, SHAPE)) for name, value in values.items()}
    return xr.Dataset(data, {"chain": np.arange(4), "draw": np.arange(2000)})


def jensen_shannon(base, scaled, low, high):
    """Cumulative Jensen-Shannon distance of two normals, normalised (Kallioinen et al. 2024)."""

    def distance(sign):
        def cdf(law, x):
            value = ndtr((x - law[0]) / law[1])
            return value if sign > 0 else 1 - ndtr((-x - law[0]) / law[1])

        ends = (low, high) if sign > 0 else (-high, -low)
        x = np.linspace(*ends, 40_001)
        p, q = cdf(base, x), cdf(scaled, x)
        area = lambda y: integrate.simpson(y, x=x)
        middle = np.log2(0.5 * (p + q))
        parts = area(p * (np.log2(p) - middle)) + area(q * (np.log2(q) - middle))
        return np.sqrt(parts / (area(p) + area(q)))

    return max(distance(1), distance(-1))


def normal_model(prior_mean, prior_sd, data_mean, data_sd):
    """Even draws of a normal mean, its log prior and likelihood, and its exact sensitivities."""
    precision = np.array([prior_sd**-2, data_sd**-2])
    centre = np.array([prior_mean, data_mean])

    def law(powers):
        own = precision * powers
        return (own @ centre) / own.sum(), own.sum() ** -0.5

    base = law([1.0, 1.0])
    points = np.random.default_rng(3).permutation(ndtri((np.arange(COUNT) + 0.5) / COUNT))
    theta = base[0] + base[1] * points
    exact = []
    for part in (0, 1):
        slope = 0.0
        for alpha in (0.99, 1.01):
            powers = np.ones(2)
            powers[part] = alpha
            gap = jensen_shannon(base, law(powers), theta.min(), theta.max())
            slope += 0.5 * gap / abs(np.log2(alpha))
        exact.append(slope)
    found = (
        dataset(mean=theta),
        dataset(mu=stats.norm(prior_mean, prior_sd).logpdf(theta)),
        dataset(y=stats.norm(data_mean, data_sd).logpdf(theta)),
    )
    return found, exact


@pytest.mark.each(2)
@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ((0.0, 10.0, 1.0, 0.5), "the data decide"),
        ((0.0, 0.2, 1.0, 0.2), "prior and data may be in conflict: look at this prior"),
        ((0.0, 0.2, 0.0, 2.0), "strong prior or weak data: this prior decides"),
    ],
)
def test_power_scaling_of_a_normal_mean(numbers, told):
    """The scaled posterior is normal too: precisions times the powers, in closed form."""
    import arviz as az

    found, exact = normal_model(*numbers)
    table = power_scaling(*found, {"mu": ["mu"], "none": []}, closed=True)
    assert table.index.tolist() == [("mean", "mu")]
    row = table.iloc[0]
    # Pareto smoothing and steps of 1 / 8000 in the distribution function; three digits shown.
    assert row["prior"] == pytest.approx(exact[0], rel=0.03, abs=1e-3)
    assert row["likelihood"] == pytest.approx(exact[1], rel=0.03, abs=1e-3)
    assert row["diagnosis"] == told
    groups = ["posterior", "log_prior", "log_likelihood"]
    tree = xr.DataTree.from_dict(dict(zip(groups, found, strict=True)))
    own = az.psense_summary(tree).loc["mean"]
    assert own[["prior", "likelihood"]].tolist() == row[["prior", "likelihood"]].tolist()
    above = [value >= 0.05 for value in exact]
    assert above == {"the": [False, True], "pri": [True, True], "str": [True, False]}[told[:3]]


def test_components_are_scaled_together():
    """Two priors, each the square root of one, are that one when they are scaled together."""
    (effect, prior, likelihood), exact = normal_model(0.0, 0.2, 1.0, 0.2)
    halves = xr.Dataset({"a": prior["mu"] / 2, "b": prior["mu"] / 2, "c": prior["mu"] * 0.0})
    parts = {"both": ["a", "b"], "one": ["a"], "flat": ["c"]}
    table = power_scaling(effect, halves, likelihood, parts, closed=False).loc["mean"]
    assert table.loc["both", "prior"] == pytest.approx(exact[0], rel=0.03)
    # The square root of a normal density is one of twice the variance, scaled half as much.
    assert table.loc["one", "prior"] == pytest.approx(exact[0] / 2, rel=0.05)
    assert table.loc["flat", "prior"] == 0.0
    assert "flat prior cannot be scaled" in table.loc["flat", "diagnosis"]


def test_a_pull_of_a_tenth_of_a_standard_deviation_is_told():
    """Normal mean with a normal prior: without the prior the mean is that of the likelihood.

    The posterior has precision 1 and mean zero; the prior, a fiftieth of it, lies at -7.5: the
    likelihood's mean is 0.15 / 0.98. A prior of half the precision at -0.5 takes 0.5 from it, where
    first order in its power would say 0.25.
    """
    rng = np.random.default_rng(3)
    mean = xr.DataArray(rng.normal(size=(4, 5000)), dims=("chain", "draw"))
    mean = (mean - mean.mean()) / mean.std()
    prior = -0.5 * 0.02 * (mean + 7.5) ** 2
    log_prior = xr.Dataset({"outcome: t": prior, "near": -0.5 * 0.02 * (mean + 1.0) ** 2})
    log_prior["half"] = -0.5 * 0.5 * (mean + 0.5) ** 2
    likelihood = xr.Dataset({"joint": -0.5 * mean**2 - prior})
    parts = {"outcome": ["outcome: t"], "near": ["near"], "half": ["half"]}
    effect = xr.Dataset({"mean": mean})
    table = power_scaling(effect, log_prior, likelihood, parts, closed=False).loc["mean"]
    assert table.loc["outcome", "pull"] == pytest.approx(-0.15 / 0.98, abs=0.01)
    assert table.loc["half", "pull"] == pytest.approx(-0.5, abs=0.05)
    assert table.loc["outcome", "prior"] < 0.05 <= table.loc["outcome", "likelihood"]
    assert "pulls the mean by -0.15 sd" in table.loc["outcome", "diagnosis"]
    assert table.loc["near", "diagnosis"] == "the data decide"


def test_the_prior_of_rho_is_judged_apart():
    assert diagnosis("rho", 0.2, 0.2, 0.3, closed=True) == (
        "moves with the width of this prior; the data say nothing about rho"
    )
    little = diagnosis("rho", 0.01, 0.2, 0.3, closed=False)
    assert little.startswith("moves little with")
    assert little.endswith("no evidence about confounding")
    assert "conflict" in diagnosis("outcome", 0.2, 0.2, 0.0, closed=True)
    assert "conflict" not in diagnosis("outcome", 0.2, 0.2, 0.0, closed=True, threshold=0.3)


def scipy_law(prior):
    kind, own = prior
    laws = {
        "Normal": lambda mu, sigma: stats.norm(mu, sigma),
        "Exponential": lambda scale: stats.expon(scale=scale),
        "InverseGamma": lambda alpha, beta: stats.invgamma(alpha, scale=beta),
        "LogNormal": lambda mu, sigma: stats.lognorm(sigma, scale=np.exp(mu)),
        "Uniform": lambda lower, upper: stats.uniform(lower, upper - lower),
        "TruncatedNormal": lambda mu, sigma, lower, upper: stats.truncnorm(
            (lower - mu) / sigma, (upper - mu) / sigma, mu, sigma
        ),
    }
    return laws[kind](**own)


def by_hand(posterior, about, matrices, key, coef, name):
    """Log prior of one parameter by SciPy, the intercept's at the means of the columns."""
    terms, law = list(matrices[key].columns), scipy_law(about.priors[key][name])
    values = posterior[coef].transpose("chain", "draw", ...).to_numpy()
    if name == "Intercept":
        means = matrices[key].mean().to_numpy().copy()
        means[terms.index("Intercept")] = 1.0
        return law.logpdf(values @ means)
    return law.logpdf(values[..., terms.index(name)])


def test_log_priors_of_a_closed_pair_are_at_rho_zero(jobs):
    """At a model's rho of 0.4 the priors still speak of the regression at rho = 0."""
    model = quiet_model(jobs, **JOBS, rho=0.4)
    drawn = model.prior_predictive(200, random_seed=1).tree["prior"].to_dataset()
    about, data = describe(model), constant_data(model)
    found = log_priors(drawn, about, data)
    columns = {"Intercept": 1.0, **{n: jobs[n] for n in ("treat", "econ_hard", "sex", "age")}}
    own = pd.DataFrame(columns, index=jobs.index)
    matrices = {"mediator": own, "outcome": own.assign(job_seek=jobs["job_seek"])}
    order = data["outcome_term"].to_numpy().tolist()
    matrices["outcome"] = matrices["outcome"][order]
    for key, coef in (("mediator", "mediator_coef"), ("outcome", "outcome_coef_rho0")):
        for name in matrices[key]:
            exact = by_hand(drawn, about, matrices, key, coef, name)
            np.testing.assert_allclose(found[f"{key}: {name}"], exact, rtol=1e-9)
    sigma = scipy_law(about.priors["outcome"]["sigma"])
    np.testing.assert_allclose(
        found["outcome: sigma"], sigma.logpdf(drawn["outcome_sigma_rho0"]), rtol=1e-9
    )
    assert "rho" not in found
    assert not np.allclose(drawn["outcome_sigma"], drawn["outcome_sigma_rho0"])


@pytest.mark.slow
def test_log_priors_of_cutpoints_sigma_regressions_and_rho(small):
    """Structural priors of an ordered mediator and an outcome whose spread goes by t."""
    data = small.assign(m=np.digitize(small["m"], [-0.5, 0.5]))
    prior = bm.Prior("TruncatedNormal", mu=0.1, sigma=0.3, lower=-0.9, upper=0.8)
    model = quiet_model(
        data, mediator="m ~ t + x", outcome="y ~ m + t + x", treatment="t", rho=prior,
        mediator_family="ordered_probit", outcome_sigma="~ t",
    )  # fmt: skip
    drawn = model.prior_predictive(200, random_seed=1).tree["prior"].to_dataset()
    about = describe(model)
    found = log_priors(drawn, about, constant_data(model))
    cut = scipy_law(about.priors["mediator"]["cutpoints"])
    exact = cut.logpdf(drawn["mediator_cutpoints_at_means"].to_numpy()).sum(axis=-1)
    np.testing.assert_allclose(found["mediator: cutpoints"], exact, rtol=1e-9)
    coef = drawn["outcome_sigma_coef"].to_numpy()
    at_means = coef[..., 0] + coef[..., 1] * data["t"].mean()
    law = scipy_law(about.priors["outcome_sigma"]["Intercept"])
    np.testing.assert_allclose(found["outcome_sigma: Intercept"], law.logpdf(at_means), rtol=1e-9)
    law = scipy_law(about.priors["mediator"]["x"])
    x = drawn["mediator_coef"].sel(mediator_term="x")
    np.testing.assert_allclose(found["mediator: x"], law.logpdf(x), rtol=1e-9)
    law = scipy_law(["TruncatedNormal", prior.parameters])
    np.testing.assert_allclose(found["rho"], law.logpdf(drawn["rho"]), atol=1e-8)
    assert "outcome: sigma" not in found


@pytest.fixture(scope="module")
def wrong_fit(jobs):
    """A prior that puts the slope of job_seek, about -0.2, at 0.5 with great certainty."""
    priors = flat_priors(jobs, **JOBS)
    priors["outcome"]["job_seek"] = bm.Prior("Normal", mu=0.5, sigma=0.02)
    return bm.MediationModel(jobs, **JOBS, priors=priors).fit(**FEW)


def test_a_strong_wrong_prior_is_found_and_named(wrong_fit):
    table = wrong_fit.prior_sensitivity()
    assert table.columns.tolist() == ["prior", "likelihood", "pull", "diagnosis"]
    assert table.index.get_level_values("effect").unique().tolist() == [
        "Total effect", "ACME (average)", "ADE (average)",
    ]  # fmt: skip
    row = table.loc[("ACME (average)", "outcome")]
    assert min(row["prior"], row["likelihood"]) > 0.1
    assert "in conflict" in row["diagnosis"]
    assert table.loc[("ACME (average)", "mediator"), "diagnosis"] == "the data decide"
    each = wrong_fit.prior_sensitivity(by="coefficient").loc["ACME (average)"]
    told = each["diagnosis"].str.contains("conflict")
    assert each.index[told].tolist() == ["outcome: job_seek"]
    assert len(each) == 5 + 1 + 6 + 1


def test_vague_priors_leave_the_data_to_decide(jobs_fit):
    table = jobs_fit.prior_sensitivity()
    assert table["prior"].max() < 0.01
    assert set(table["diagnosis"]) == {"the data decide"}


def test_joint_log_likelihood_by_hand(wrong_fit, jobs):
    """Two normal regressions at rho = 0."""
    found, posterior = total_log_likelihood(wrong_fit)["joint"], wrong_fit.posterior
    exact = 0.0
    for name, response in (("mediator", "job_seek"), ("outcome", "depress2")):
        terms = posterior[f"{name}_term"].to_numpy().tolist()
        columns = np.column_stack([np.ones(len(jobs)) if t == "Intercept" else jobs[t] for t in terms])  # fmt: skip
        mean = posterior[f"{name}_coef"].to_numpy() @ columns.T
        law = stats.norm(mean, posterior[f"{name}_sigma"].to_numpy()[..., None])
        exact = exact + law.logpdf(jobs[response].to_numpy()).sum(axis=-1)
    np.testing.assert_allclose(found, exact, rtol=1e-9)


def test_prior_of_rho_stands_alone_and_loaded_fits_have_it(jobs, wrong_fit, tmp_path):
    prior = bm.Prior("TruncatedNormal", mu=0.0, sigma=0.3, lower=-1.0, upper=1.0)
    fit = bm.MediationModel(jobs, **JOBS, rho=prior).fit(**FEW)
    table = fit.prior_sensitivity()
    told = table.loc[("ACME (average)", "rho")]
    assert told["diagnosis"].endswith("the data say nothing about rho")
    # The total effect of a closed pair does not depend on rho at all.
    assert told["prior"] > 5 * table.loc[("Total effect", "rho"), "prior"]
    assert "rho" not in wrong_fit.prior_sensitivity().index.get_level_values("component")
    fit.save(tmp_path / "fit.nc")
    loaded = bm.load(tmp_path / "fit.nc")
    pd.testing.assert_frame_equal(loaded.prior_sensitivity(), table)
    draws = loaded.rho_draws()["rho_prior"].to_numpy()
    law = scipy_law(["TruncatedNormal", prior.parameters])
    assert draws.std() == pytest.approx(law.std(), rel=4 / np.sqrt(2 * draws.size))
    assert draws.mean() == pytest.approx(0.0, abs=4 * law.std() / np.sqrt(draws.size))
    assert "posterior = prior" in loaded.plot_rho().get_xlabel()
    old = bm.MediationFit(fit.tree.copy())
    about = fit.about
    del about["rho_stated"]
    old.tree.attrs["bayesmed"] = json.dumps(about)
    with pytest.raises(ValueError, match="in words only"):
        old.rho_draws()


def test_errors_of_prior_sensitivity(wrong_fit, jobs_fit):
    with pytest.raises(ValueError, match="another fit"):
        wrong_fit.prior_sensitivity(jobs_fit.effects())
    with pytest.raises(ValueError, match="'equation' or 'coefficient'"):
        wrong_fit.prior_sensitivity(by="prior")
    with pytest.raises(ValueError, match="arm='both'; choose one of"):
        wrong_fit.prior_sensitivity(arm="both")
    with pytest.raises(ValueError, match="rho was fixed at 0"):
        wrong_fit.rho_draws()
    both = wrong_fit.prior_sensitivity(wrong_fit.effects(at={"age": 30}), arm="treated")
    assert "ACME (treated)" in both.index.get_level_values("effect")
