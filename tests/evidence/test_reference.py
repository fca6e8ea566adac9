"""Effects and curves against exact posteriors and R's output (tests/reference)."""

import warnings

import numpy as np
import pytest

import bayesmed as bm
from tests.support.models import FRAMING, JOBS, SETTINGS, flat_priors
from tests.support.reference import assert_same_posterior, draws_of, reference

EXACT = reference("exact_posteriors")
R = reference("r_mediation")
ROWS = [
    "acme_control", "acme_treated", "acme_average", "ade_control", "ade_treated",
    "ade_average", "total",
]  # fmt: skip


def test_framing_probit_effects(framing_fit):
    effects = framing_fit.effects().draws
    for row, expected in EXACT["framing_probit"]["rows"].items():
        assert_same_posterior(draws_of(effects, row), expected, row)
    coef = framing_fit.posterior["outcome_coef"].sel(outcome_term="emo").to_numpy().ravel()
    assert_same_posterior(coef, EXACT["framing_probit"]["coef_emo"], "emo")


def test_framing_interaction_effects(interaction_fit):
    effects = interaction_fit.effects().draws
    exact = EXACT["framing_probit_interaction"]
    for row, expected in exact["rows"].items():
        assert_same_posterior(draws_of(effects, row), expected, row)
    gap = draws_of(effects, "acme_treated") - draws_of(effects, "acme_control")
    assert_same_posterior(gap, exact["acme_treated_minus_control"], "difference of arms")
    table = bm.Effects(effects).interaction(round_to=None)
    assert table["median"].iloc[0] == pytest.approx(np.median(gap), rel=1e-12)


@pytest.mark.slow
def test_framing_curve_and_tipping_point(framing_fit):
    curve = EXACT["framing_probit_curve"]
    found = framing_fit.sensitivity([float(rho) for rho in curve["rho"]])
    for rho, rows in curve["rho"].items():
        for row, expected in rows.items():
            draws = draws_of(found.draws.sel(rho=float(rho), method="nearest"), row)
            assert_same_posterior(draws, expected, (rho, row))
    zero = found.tipping_point()["rho_zero"].sel(arm="average").to_numpy().ravel()
    assert_same_posterior(zero, curve["rho_zero"], "rho_zero")


def test_jobs_linear_curve(jobs_fit):
    curve = EXACT["jobs_linear_curve"]
    found = jobs_fit.sensitivity([float(rho) for rho in curve["rho"]])
    for rho, rows in curve["rho"].items():
        for row, expected in rows.items():
            draws = draws_of(found.draws.sel(rho=float(rho), method="nearest"), row)
            assert_same_posterior(draws, expected, (rho, row))


@pytest.mark.fit
def test_published_jobs_sensitivity(jobs):
    """The vignette's rows for nine covariates: a point curve at the estimates, to 4 digits."""
    covariates = " + depress1 + econ_hard + sex + age + occp + marital + nonwhite + educ + income"
    own = {
        "mediator": "job_seek ~ treat" + covariates,
        "outcome": "depress2 ~ treat + job_seek" + covariates,
        "treatment": "treat",
    }
    fit = bm.MediationModel(jobs, **own, priors=flat_priors(jobs, **own)).fit(**SETTINGS)
    published = R["jobs_linear_sensitivity_published"]
    grid = [float(rho) for rho in published["acme_at_rho"]]
    found = fit.sensitivity(grid).draws["acme"].sel(arm="average")
    for rho, (estimate, *_) in published["acme_at_rho"].items():
        draws = found.sel(rho=float(rho), method="nearest").to_numpy().ravel()
        # Half a unit of the printed fourth digit is the publication's own rounding.
        assert abs(draws.mean() - estimate) < 0.1 * draws.std() + 5e-5
    zero = fit.sensitivity(grid).tipping_point()["rho_zero"].sel(arm="average")
    assert float(zero.median()) == pytest.approx(
        published["rho_zero_at_mle"], abs=0.1 * float(zero.std())
    )
    effects = fit.effects().draws
    for row, key in (
        ("acme_average", "acme_at_mle"),
        ("ade_average", "ade_at_mle"),
        ("total", "total_at_mle"),
    ):
        draws = draws_of(effects, row)
        assert abs(draws.mean() - published[key]) < 0.1 * draws.std()


@pytest.mark.fit
@pytest.mark.parametrize(
    ("fixture", "key"),
    [
        ("framing_fit", "framing_probit"),
        ("interaction_fit", "framing_probit_interaction"),
        ("jobs_fit", "jobs_linear"),
    ],
)
def test_r_mediation_estimates(request, fixture, key):
    effects = request.getfixturevalue(fixture).effects().draws
    for row in R[key]["rows"]:
        if row["row"].startswith("Prop"):
            continue
        name = row["row"].lower().replace(" effect", "").replace(" (", "_").replace(")", "")
        draws = draws_of(effects, name)
        assert abs(draws.mean() - row["estimate"]) < 0.2 * draws.std(), row["row"]


def test_effective_sample_size(framing_fit):
    """ESS(ACME) at least 0.75 of the draws."""
    table = framing_fit.effects().summary(round_to=None)
    total = framing_fit.shape[0] * framing_fit.shape[1]
    assert table.loc["ACME (average)", "ess_bulk"] > 0.75 * total
    assert framing_fit.convergence.problems == ()


@pytest.mark.fit
@pytest.mark.slow
@pytest.mark.parametrize(("fixture", "arguments"), [("framing", FRAMING), ("jobs", JOBS)])
def test_rho_prior_in_closed_pairs(request, fixture, arguments):
    """No divergences, ESS as at fixed rho, and the posterior of rho is its prior."""
    data = request.getfixturevalue(fixture)
    prior = bm.Prior("Uniform", lower=-0.9, upper=0.9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = bm.MediationModel(data, **arguments, rho=prior).fit(**SETTINGS)
    assert fit.convergence.divergences == 0
    rho = fit.posterior["rho"].to_numpy().ravel()
    # Standard errors of a mean and a sd of a uniform variable, at the ESS of 4000 draws.
    assert abs(rho.mean()) < 4 * 0.52 / np.sqrt(4000)
    assert abs(rho.std() - 1.8 / np.sqrt(12)) < 4 * 0.52 / np.sqrt(4000)
    assert np.quantile(np.abs(rho), 0.5) == pytest.approx(0.45, abs=0.03)
    table = fit.effects().summary(round_to=None)
    assert table.loc["Total effect", "ess_bulk"] > 0.75 * 8000
    assert table.loc["ACME (average)", "ess_bulk"] > 0.75 * 8000
