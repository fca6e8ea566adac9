"""Shares of variance of an omitted confounder against simulations that hold one."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest

import bayesmed as bm
from bayesmed.sensitivity.contour import along_products
from bayesmed.sensitivity.latent_scales import explained_shares, latent_scales
from bayesmed.sensitivity.shares import product_of_rho, rho_of_product
from bayesmed.show.plots import plot_contour
from tests.support.omitted import (
    SLOPE,
    TRUTH,
    families,
    made_fit,
    model_of,
    normal_scores_known,
    point_fit,
    posterior_fit,
    regression,
    world,
)

# Standard errors of shares and correlations at n = 100 000 are below 0.0035.
MC = 0.008
# That of a product near 0.05 is 0.0009.
MC_TOTAL = 0.003
PAIRS = [(False, False), (False, True), (True, False), (True, True)]


def r2_of(columns, y, coef, sd):
    fitted = (columns @ coef).var()
    return fitted / (fitted + sd**2)


@pytest.fixture(
    scope="module", ids=str,
    params=[pytest.param(v, marks=[] if v[0] == v[1] else [pytest.mark.slow]) for v in PAIRS],
)  # fmt: skip
def confounded(request):
    """A world whose omitted confounder is twice as strong as z, and its point fit."""
    binary = request.param
    made = world(times=2.0, binary=binary)
    return made, point_fit(model_of(made.data, **families(binary))), binary


def shares(fit):
    """R^2 of both regressions and omega, of a fit whose draws are all the same."""
    scales = latent_scales(fit)
    found = (*explained_shares(fit, scales), scales.shown)
    for values in found:
        np.testing.assert_allclose(values, values[0], rtol=1e-12)
    return tuple(float(values[0]) for values in found)


def test_the_products_are_those_of_the_confounder_that_was_omitted(confounded):
    made, fit, binary = confounded
    of_mediator, of_outcome, shown = shares(fit)
    unexplained = (1.0 - of_mediator) * (1.0 - of_outcome)
    assert product_of_rho(made.rho) == pytest.approx(np.prod(made.residual_shares), abs=MC)
    total = product_of_rho(made.rho, "total", unexplained, shown)
    assert total == pytest.approx(np.prod(made.total_shares), abs=MC_TOTAL)
    again = rho_of_product(np.prod(made.total_shares), 1, "total", unexplained, shown)
    assert again == pytest.approx(made.rho, abs=2 * MC)
    if not binary[0]:  # what R leaves out is seen
        wrong = product_of_rho(made.rho, "total", unexplained, shown, r_compatible=True)
        assert wrong == pytest.approx(total * (1 - made.rho**2), rel=1e-12)
        assert abs(wrong - np.prod(made.total_shares)) > 1.5 * MC_TOTAL


def test_explained_shares_are_those_of_the_two_regressions(confounded):
    _, fit, binary = confounded
    found = shares(fit)
    for r2, design, equation, is_binary in zip(
        found[:2], fit.model.designs, ("mediator", "outcome"), binary, strict=True
    ):
        y = fit.model.equations[equation].response.values
        own = r2_of(design.matrix, y, *regression(design.matrix, y, is_binary))
        assert r2 == pytest.approx(own, rel=1e-9)
    known = 1.0
    if binary[0]:
        known = normal_scores_known(fit.model.designs[0].matrix @ fit.draws.mediator.coef[0])
    assert found[2] == pytest.approx(known, rel=1e-9)


def test_a_fit_at_the_true_rho_explains_what_the_regression_at_zero_explains(confounded):
    """From the structural truth the share at rho = 0 is that of the plain regression."""
    made, fit, binary = confounded
    structural = np.array([TRUTH["theta"][0], SLOPE, *TRUTH["theta"][1:]])
    own = {"mediator_coef": TRUTH["beta"], "outcome_coef": structural}
    m_sd = np.sqrt(1.0 + 2.0 * 0.6**2)
    if binary[0]:  # the probit residuals are scaled to one
        own["mediator_coef"] = TRUTH["beta"] / m_sd
    else:
        own["mediator_sigma"] = m_sd
    if binary[1]:
        own["outcome_coef"] = structural / made.outcome_sd
    else:
        own["outcome_sigma"] = made.outcome_sd
    there = point_fit(fit.model.with_rho(float(made.rho)), **own)
    # With a 0/1 mediator the residual's share omega is taken as the same in all rows.
    tolerance = 0.02 if binary[0] else MC
    assert shares(there)[1] == pytest.approx(shares(fit)[1], abs=tolerance)


def test_products_and_rho_are_inverse():
    rho = np.linspace(-0.95, 0.95, 39)
    for form, r in (("residual", False), ("total", False), ("total", True)):
        product = product_of_rho(rho, form, 0.6, 0.7, r)
        for sign in (1, -1):
            side = rho[sign * rho > 0]
            back = rho_of_product(product[sign * rho > 0], sign, form, 0.6, 0.7, r)
            np.testing.assert_allclose(back, side, atol=1e-12)
    assert np.isnan(rho_of_product(1.2, 1))
    assert product_of_rho(0.5, "total", 0.8, 1.0) == pytest.approx(0.25 * 0.8 / 0.75)


def test_sweep_of_jobs_in_both_forms(jobs_fit, jobs):
    sens = jobs_fit.sensitivity([-0.6, -0.2, 0.0, 0.4], progress=False)
    residual, total = sens.r_squared(), sens.r_squared("total")
    table = residual.summary(round_to=None)
    np.testing.assert_allclose(table["R2 median"], [0.36, 0.04, 0.0, 0.16], atol=1e-12)
    assert list(table["sign"]) == ["-", "-", "", "+"]
    np.testing.assert_allclose(table["ACME median"], sens.summary(round_to=None)["median"])
    np.testing.assert_allclose(
        residual.zero["product_zero"], sens.rho_zero["rho_zero"] ** 2, rtol=1e-12
    )
    columns = jobs[["treat", "econ_hard", "sex", "age"]].to_numpy(dtype=float)
    columns = np.column_stack([np.ones(len(jobs)), columns])
    m, y = jobs["job_seek"].to_numpy(), jobs["depress2"].to_numpy()
    left = 1.0
    for x, v in ((columns, m), (np.column_stack([columns, m]), y)):
        left *= 1.0 - r2_of(x, v, *regression(x, v, False))
    # The posterior of 1 - R^2 has an sd of 0.02 and its median a bias of order p/n.
    draws = sens.draws[["r2_mediator", "r2_outcome0"]].median(["chain", "draw"])
    np.testing.assert_allclose(
        (1.0 - draws["r2_mediator"]) * (1.0 - draws["r2_outcome0"]), left, rtol=0.02
    )
    said = total.summary(round_to=None)["R2 median"].to_numpy()
    np.testing.assert_allclose(said[0], 0.36 / 0.64 * left, rtol=0.02)
    compatible = sens.r_squared("total", r_compatible=True).summary(round_to=None)
    np.testing.assert_allclose(compatible["R2 median"].to_numpy()[0], 0.36 * left, rtol=0.02)
    assert "R's medsens" in repr(sens.r_squared("total", r_compatible=True))
    tipping = total.tipping_summary()
    assert (tipping["P(rho*>0)"] == 0.0).all()


def test_where_the_outcome_share_passes_one(jobs_fit):
    """R2_Y of the total lies between rho^2 and 1, times (1 - R2_Y0) / (1 - rho^2)."""
    grid = np.array([0.1, 0.3, 0.5, 0.65, 0.72, 0.8, 0.9])
    total = jobs_fit.sensitivity(grid, progress=False).r_squared("total")
    left = 1.0 - float(total.draws["r2_outcome0"].median())
    most = left / (1.0 - grid**2)
    expected = np.where(grid**2 * most > 1, "always", np.where(most > 1, "possible", "no"))
    assert list(total.summary()["R2_Y > 1"]) == list(expected)
    assert set(expected) == {"no", "possible", "always"}


def test_the_contour_of_a_linear_model_is_known():
    """ACME = a (g0 - x s / sigma_m), x^2 = product / unexplained in the total form."""
    made = world(n=2000)
    fit = point_fit(model_of(made.data))
    sens = fit.sensitivity(np.linspace(-0.8, 0.8, 9), progress=False)
    found, products = sens.r_squared("total"), np.array([0.0, 0.01, 0.13, 0.3])
    x = fit.draws
    a, g0 = x.mediator.coef[0, 1], x.outcome.coef[0, 1]
    unexplained = (1 - found.draws["r2_mediator"][0, 0]) * (1 - found.draws["r2_outcome0"][0, 0])
    step = x.outcome.parameters["sigma"][0] / x.mediator.parameters["sigma"][0]
    for sign in (1, -1):
        expected = a * (g0 - sign * np.sqrt(products / float(unexplained)) * step)
        mine = along_products(found.draws, products, sign, "average")
        np.testing.assert_allclose(mine, expected, rtol=1e-9)
    assert np.isnan(along_products(found.draws, np.array([5.0]), 1, "average")).all()


@pytest.fixture(scope="module")
def made():
    return posterior_fit(model_of(world(n=500).data))


@pytest.mark.slow
def test_contours_are_drawn(made):
    sens = made.sensitivity(np.linspace(-0.8, 0.8, 17), progress=False)
    for form in ("residual", "total"):
        found = sens.r_squared(form)
        for options in ({}, {"sign": -1}, {"arm": "treated", "limit": 1.0}):
            _, ax = plt.subplots()
            assert found.plot(ax=ax, benchmarks=made.benchmarks(), **options) is ax
            ax.figure.canvas.draw()
            plt.close(ax.figure)
    assert "residual variance" in plot_contour(sens.r_squared().draws, sens.rho_zero.assign(
        product_zero=sens.rho_zero["rho_zero"] ** 2)).get_xlabel()  # fmt: skip
    plt.close("all")


def test_the_zero_line_is_the_tipping_point(made):
    """On the line of zero the product of the coordinates is the median of rho*^2."""
    sens = made.sensitivity(np.linspace(-0.8, 0.8, 17), progress=False)
    ax = sens.r_squared().plot()
    thick = [c for c in ax.collections if c.get_linewidth()[0] == 2.2]
    points = np.vstack([path.vertices for path in thick[0].get_paths()])
    star = np.median(sens.rho_zero["rho_zero"].sel(arm="average") ** 2)
    np.testing.assert_allclose(points.prod(axis=1), star, rtol=0.02)  # of a mesh of 201
    plt.close("all")


def test_errors(made):
    sens = made.sensitivity([0.0, 0.3], progress=False)
    with pytest.raises(ValueError, match="choose 'residual' or 'total'"):
        sens.r_squared("partial")
    with pytest.raises(ValueError, match="sign=0"):
        rho_of_product(0.1, 0)
    with pytest.raises(ValueError, match="needs a sweep from rho = 0"):
        sens.r_squared().plot(sign=-1)
    other = bm.Sensitivity(
        sens.draws.drop_vars(["r2_mediator", "r2_outcome0", "r2_score"]), sens.rho_zero
    )
    about = {**other.about, "no_r_squared": "the outcome is of the poisson family"}
    other.draws.attrs["bayesmed"] = json.dumps(about)
    with pytest.raises(ValueError, match="poisson family"):
        other.r_squared()


def test_families_without_a_latent_scale_are_named(small, simple):
    small["c"] = small["d"] + 1
    own = {**simple, "outcome": "c ~ m + t + x"}
    count = made_fit(bm.MediationModel(small, **own, outcome_family="poisson"), rho=np.zeros(4))
    with pytest.raises(ValueError, match="poisson family"):
        latent_scales(count)
    spread = made_fit(bm.MediationModel(small, **simple, mediator_sigma="~ t"), rho=np.zeros(4))
    with pytest.raises(ValueError, match="sigma of the mediator differs between rows"):
        latent_scales(spread)
