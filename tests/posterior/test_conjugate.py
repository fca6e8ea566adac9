"""Independent draws of two Gaussian regressions with flat priors, against closed forms."""

import numpy as np
import pytest
from scipy import stats

import bayesmed as bm
from bayesmed.posterior import density as compiled
from tests.support.models import quiet_model

FLAT, HALF = bm.Prior("Flat"), bm.Prior("HalfFlat")
KIND = {
    "mediator": "job_seek ~ treat + age",
    "outcome": "depress2 ~ treat + job_seek + age",
    "treatment": "treat",
}


def flat(**changed):
    terms = {"mediator": ["Intercept", "treat", "age"]}
    terms["outcome"] = [*terms["mediator"], "job_seek"]
    priors = {e: {**dict.fromkeys(own, FLAT), "sigma": HALF} for e, own in terms.items()}
    return quiet_model(bm.load_data("jobs"), **KIND, priors=priors, **changed)


@pytest.fixture(scope="module")
def fit():
    before = compiled.compilations
    fit = flat(rho=0.3).fit(method="laplace", draws=5000, random_seed=1, progress=False)
    assert compiled.compilations == before
    return fit


@pytest.mark.parametrize(("equation", "suffix"), [("mediator", ""), ("outcome", "_rho0")])
def test_draws_have_the_closed_form(fit, equation, suffix):
    """Coefficients are multivariate t, and the residual sum of squares over sigma^2 chi-squared."""
    design = fit.tree[f"constant_data/{equation}_design"].to_numpy()
    y = fit.tree[f"observed_data/{equation}"].to_numpy()
    n, p = design.shape
    best, squares = np.linalg.lstsq(design, y)[:2]
    freedom = n - p - 1
    sigma = fit.posterior[f"{equation}_sigma{suffix}"].to_numpy().ravel()
    assert stats.kstest(squares[0] / sigma**2, stats.chi2(freedom).cdf).pvalue > 1e-3
    coef = fit.posterior[f"{equation}_coef{suffix}"].to_numpy().reshape(-1, p)
    width = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * squares[0] / freedom)
    for j in range(p):
        assert stats.kstest((coef[:, j] - best[j]) / width[j], stats.t(freedom).cdf).pvalue > 1e-3
    assert abs(np.corrcoef(coef[1:, 1], coef[:-1, 1])[0, 1]) < 0.03


def test_the_fit_is_like_any_other(fit):
    assert "independent draws from the exact posterior" in str(fit)
    assert "exact posterior" in fit.report()
    curve = fit.sensitivity([0.0, 0.3])
    np.testing.assert_allclose(
        curve.draws["acme"].sel(rho=0.3), fit.effects().draws["acme"], atol=1e-12
    )


def test_other_priors_are_not_exact():
    from bayesmed.posterior.conjugate import is_exact

    assert is_exact(flat())
    assert not is_exact(
        flat(rho=bm.Prior("Uniform", lower=-0.5, upper=0.5), priors_on="structural")
    )
    assert not is_exact(quiet_model(bm.load_data("jobs"), **KIND))
