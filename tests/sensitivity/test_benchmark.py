"""Benchmarks of rho against simulations that omit a confounder of known strength."""

import json
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesmed as bm
from bayesmed.sensitivity.latent_scales import interval_mean, latent_scales
from bayesmed.sensitivity.strength import Strength, covariate_strength
from tests.support.omitted import (
    OUTCOME,
    families,
    made_fit,
    model_of,
    point_fit,
    posterior_fit,
    regression,
    world,
)

# At n = 100 000 the standard error of a benchmark of rho is 0.0035; 0.007 from probit coefficients.
MC, MC_PROBIT = 0.01, 0.02


def value(draws, name, covariate):
    """Of a fit whose draws are all the same."""
    values = draws[name].sel(covariate=covariate).to_numpy()
    np.testing.assert_allclose(values, values[0, 0], rtol=1e-10)
    return float(values[0, 0])


@pytest.mark.each(2)
@pytest.mark.parametrize(
    ("times", "sign", "theta"),
    [
        (1.0, 1.0, 0.5),
        (2.0, 1.0, 0.5),
        *(pytest.param(*v, marks=pytest.mark.slow) for v in ((1.0, -1.0, 0.5), (1.0, 1.0, -0.9))),
    ],
)
@pytest.mark.parametrize("binary", [(False, False), (False, True), (True, False), (True, True)])
def test_an_omitted_twin_produces_the_rho_of_formula_b(binary, times, sign, theta):
    made = world(times=times, sign=sign, binary=binary, theta=theta)
    fit = point_fit(model_of(made.data, **families(binary)))
    own = covariate_strength(fit, "z", latent_scales(fit)).confounder(times, sign)
    # With a 0/1 mediator omega is taken as the same in all rows: 3% of rho at most here.
    tolerance = MC_PROBIT if any(binary) else MC
    tolerance += 0.03 * abs(made.rho) if binary[0] else 0.0
    np.testing.assert_allclose(own.rho, made.rho, atol=tolerance)
    # A share of 0.33 has twice the relative error of a coefficient: 0.004, or 0.012 in a probit.
    share = 0.035 if any(binary) else 0.015
    np.testing.assert_allclose(own.mediator, made.residual_shares[0], atol=share)
    np.testing.assert_allclose(own.outcome, made.residual_shares[1], atol=share)
    if sign > 0:
        found = fit.benchmarks(times=times, covariates="z")
        assert value(found.draws, "rho", "z") == pytest.approx(own.rho[0])
        assert found.about["approximate"] == binary[0]


@pytest.mark.slow
def test_the_naive_bound_is_not_the_rho():
    """sqrt(R2 R2) of the regressions at rho = 0 is another number, and has no sign."""
    made = world(theta=-0.9)
    fit = point_fit(model_of(made.data))
    own = covariate_strength(fit, "z", latent_scales(fit)).confounder(1.0)
    leave_out = fit.benchmarks(kind="leave-out").draws
    naive = np.sqrt(value(leave_out, "r2_mediator", "z") * value(leave_out, "r2_outcome", "z"))
    assert made.rho < -0.2 and own.rho[0] == pytest.approx(made.rho, abs=MC)
    assert abs(naive - abs(made.rho)) > 2 * MC


@pytest.mark.each(1)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_logit_equations_are_close(sign):
    """Normal residuals are put in the place of logistic ones: 5% of rho."""
    rng = np.random.default_rng(4)
    made = world(binary=(False, True), sign=sign)
    data = made.data.copy()
    # The same world, with a logistic residual in the outcome.
    columns = np.column_stack([np.ones(len(data)), data[["t", "x", "z", "m"]]])
    u = rng.normal(size=len(data))
    data["m"] = columns[:, :4] @ [-0.2, 0.5, 0.3, 0.6] + 0.6 * u + rng.normal(size=len(data))
    rest = sign * 0.9 * u + rng.logistic(size=len(data))
    latent = columns[:, :4] @ [0.3, 0.2, -0.4, 0.9] + 0.4 * data["m"] + rest
    data["y"] = (latent > 0).astype(float)
    rho = np.corrcoef(data["m"] - columns[:, :4] @ [-0.2, 0.5, 0.3, 0.6], rest)[0, 1]
    fit = point_fit(model_of(data, outcome_family="logit"))
    own = covariate_strength(fit, "z", latent_scales(fit)).confounder(1.0, sign)
    np.testing.assert_allclose(own.rho, rho, rtol=0.05)
    assert fit.benchmarks().about["approximate"]


@pytest.fixture(scope="module")
def grouped():
    """A factor of four levels, and an omitted confounder with its residual covariance."""
    rng, n = np.random.default_rng(6), 200_000
    t, x = rng.integers(0, 2, n), rng.normal(size=n)
    score = 0.6 * x + rng.normal(size=n)
    level = np.digitize(score, [-1.0, 0.2, 1.1])
    dummies = np.eye(4)[level][:, 1:]
    base = np.column_stack([np.ones(n), t, x])
    rest = dummies - base @ np.linalg.lstsq(base, dummies)[0]
    u = rng.normal(size=(n, 3)) @ np.linalg.cholesky(rest.T @ rest / n).T
    in_m, in_y = np.array([0.9, -0.5, 0.4]), np.array([0.7, 0.6, 1.2])
    e_m, e_y = u @ in_m + rng.normal(size=n), u @ in_y + rng.normal(size=n)
    m = base @ [0.1, 0.4, 0.2] + dummies @ in_m + e_m
    y = base @ [0.2, 0.1, 0.3] + dummies @ in_y + 0.5 * m + e_y
    group = pd.Categorical.from_codes(level, ["a", "b", "c", "d"])
    data = pd.DataFrame({"t": t, "x": x, "g": group, "m": m, "y": y})
    shares = (u @ in_m).var() / e_m.var(), (u @ in_y).var() / e_y.var()
    return data, np.corrcoef(e_m, e_y)[0, 1], shares


@pytest.mark.each(1)
@pytest.mark.parametrize("coding", ["g", "C(g, contr.sum)"])
def test_a_factor_is_one_covariate_in_any_coding(grouped, coding):
    data, rho, shares = grouped
    fit = point_fit(model_of(data, f"m ~ t + x + {coding}", "y ~ m + t + x + g"))
    found = fit.benchmarks()
    assert found.covariates == ["x", "g"]
    assert value(found.draws, "rho", "g") == pytest.approx(rho, abs=MC)
    assert value(found.draws, "r2_mediator", "g") == pytest.approx(shares[0], abs=MC)
    assert value(found.draws, "r2_outcome", "g") == pytest.approx(shares[1], abs=MC)
    assert rho < 0.8 * np.sqrt(np.prod(shares)), "the product of the shares is a bound only"


@pytest.mark.each(1)
@pytest.mark.parametrize("binary", [False, True])
def test_leaving_a_covariate_out_gives_the_rho_of_formula_a(binary):
    """Without confounding given all; then z is dropped from both equations."""
    made = world(times=0.0, binary=(False, binary), theta=-0.8)
    fit = point_fit(model_of(made.data, **families((False, binary))))
    mine = value(fit.benchmarks(kind="leave-out").draws, "rho", "z")
    # The slope in m without z is confounded; the map of a closed pair says by which rho.
    dropped = point_fit(
        model_of(made.data, "m ~ t + x", "y ~ m + t + x", **families((False, binary)))
    )
    draws, full = dropped.draws, fit.draws
    s = draws.outcome.parameters.get("sigma", np.ones(1))[0]
    s_m = draws.mediator.parameters["sigma"][0]
    # b(rho) is on the scale of the residual with z in it: its sd is 1 there in a probit.
    slope = full.outcome.coef[0, 1]
    if binary:
        slope /= np.sqrt(1.0 + 0.8**2)
        k_root = [
            rho
            for rho in np.linspace(-0.999, 0.999, 20001)
            if abs(np.sqrt(1 - rho**2) * draws.outcome.coef[0, 1] - rho / s_m - slope) < 1e-4
        ]
        truth = np.mean(k_root)
    else:
        x = (draws.outcome.coef[0, 1] - slope) * s_m / s
        truth = x / np.sqrt(1.0 + x * x)
    assert mine == pytest.approx(truth, abs=MC_PROBIT if binary else MC)
    assert abs(mine) > 0.2


@pytest.mark.slow
def test_leave_out_is_the_correlation_of_the_structural_residuals():
    made = world(times=0.0, theta=-0.8)
    fit = point_fit(model_of(made.data))
    columns = np.column_stack([np.ones(len(made.data)), made.data[["t", "x"]]])
    m = made.data["m"].to_numpy()
    free = made.data["y"].to_numpy() - 0.4 * m  # the outcome with the mediator's effect removed
    residuals = [v - columns @ regression(columns, v, False)[0] for v in (m, free)]
    found = fit.benchmarks(kind="leave-out")
    assert value(found.draws, "rho", "z") == pytest.approx(np.corrcoef(*residuals)[0, 1], abs=MC)
    # z twice as strong: multiply its coefficients by sqrt(2), as if the data were such.
    strong = world(times=0.0, theta=-0.8)
    data = strong.data.copy()
    extra = np.sqrt(2.0) - 1.0
    data["m"] = data["m"] + 0.6 * extra * data["z"]
    data["y"] = data["y"] + 0.4 * 0.6 * extra * data["z"] - 0.8 * extra * data["z"]
    twice = value(point_fit(model_of(data)).benchmarks(kind="leave-out").draws, "rho", "z")
    assert value(fit.benchmarks(2.0, kind="leave-out").draws, "rho", "z") == pytest.approx(
        twice, abs=1e-3
    )


def made_strength(a, b, c, shown=1.0):
    return Strength(*(np.atleast_1d(np.asarray(v, dtype=float)) for v in (a, b, c, shown)))


def test_admissible_confounders_are_those_with_a_covariance_matrix():
    """What is left of (e_m, e_0), of unit covariance at rho = 0, must be a covariance matrix."""
    rng = np.random.default_rng(9)
    a, c = rng.uniform(0.0, 1.5, (2, 2000))
    b = rng.uniform(-1.0, 1.0, 2000) * np.sqrt(a * c)
    k = rng.uniform(0.0, 2.0, 2000)
    left = np.array([[1.0 - k * a, -k * b], [-k * b, 1.0 - k * c]])
    possible = np.linalg.eigvalsh(np.moveaxis(left, -1, 0)).min(axis=1) > 0.0
    rho = made_strength(a, b, c, np.ones(2000)).confounder(k).rho
    np.testing.assert_array_equal(np.isfinite(rho), possible)
    assert 0.2 < possible.mean() < 0.8
    # One column of each: R2 R2 = rho^2.
    single = made_strength(a, np.sqrt(a * c), c, np.ones(2000)).confounder(k)
    ok = np.isfinite(single.rho)
    np.testing.assert_allclose((single.mediator * single.outcome)[ok], single.rho[ok] ** 2)


@pytest.mark.parametrize("kind", ["besides", "leave-out"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("shown", [1.0, 0.6])
def test_strength_for_a_rho_inverts_the_rho_of_a_strength(kind, sign, shown):
    rng = np.random.default_rng(10)
    a, c = rng.uniform(0.0, 0.4, (2, 500))
    b = rng.uniform(-1.0, 1.0, 500) * np.sqrt(a * c)
    own, k = made_strength(a, b, c, np.full(500, shown)), rng.uniform(0.0, 2.5, 500)
    rho = own.confounder(k, sign, kind).rho
    there = np.isfinite(rho)
    np.testing.assert_allclose(own.times_for(rho, sign, kind)[there], k[there], rtol=1e-6)
    assert np.isnan(own.times_for(rho, sign, kind)[~there]).all()
    assert np.isinf(own.times_for(np.where(there, -rho, 0.5), sign, kind)[there]).all()
    assert (own.times_for(np.zeros(500), sign, kind) == 0.0).all()


def test_k_times_as_strong_scales_both_coefficients_by_its_root():
    """The formula at k is the formula at 1 with sqrt(k) times the coefficients."""
    made = world(n=2000)
    model = model_of(made.data)
    fit = posterior_fit(model, 40)
    root, arrays = np.sqrt(1.7), {}
    for name, place in (("mediator", 3), ("outcome", 4)):
        coef = fit.posterior[f"{name}_coef"].to_numpy().reshape(40, -1).copy()
        coef[:, place] *= root
        arrays[f"{name}_coef"] = coef
        arrays[f"{name}_sigma"] = fit.posterior[f"{name}_sigma"].to_numpy().ravel()
    scaled = made_fit(model, **arrays).benchmarks(covariates="z")
    np.testing.assert_allclose(
        fit.benchmarks(1.7, covariates="z").draws["rho"], scaled.draws["rho"], rtol=1e-10
    )


@pytest.fixture(scope="module")
def noisy():
    return posterior_fit(model_of(world(n=600, theta=-0.6).data))


def test_where_no_such_confounder_exists_the_table_says_so():
    """A twin of z would explain 1.2 of M's residual variance; one of x can exist."""
    made = world(n=5000, times=0.0, scale=0.55)
    found = posterior_fit(model_of(made.data), 40).benchmarks()
    table = found.summary()
    assert table.loc["z", "median"] == "not admissible" and table.loc["z", "not_admissible"] == 1.0
    assert np.isnan(table.loc["z", "eti95_low"]) and np.isnan(table.loc["z", "R2_M"])
    assert isinstance(table.loc["x", "median"], float)
    assert "not admissible" in repr(found)
    ax = found.plot()
    assert "not admissible" in [text.get_text() for text in ax.texts]
    plt.close("all")
    small = posterior_fit(model_of(made.data), 40).benchmarks(0.1)
    assert np.isfinite(small.draws["rho"]).all()


def test_the_strength_that_reaches_rho_zero(noisy):
    """k = x* / (b + a x*) with x* the odds of the tipping point, by least squares per draw."""
    sens, found = noisy.sensitivity([0.0, 0.5], progress=False), noisy.benchmarks()
    draws, x = noisy.draws, noisy.model.designs[0].matrix
    rest = x[:, 3] - x[:, :3] @ np.linalg.lstsq(x[:, :3], x[:, 3])[0]
    v, s_m = (rest**2).mean(), draws.mediator.parameters["sigma"]
    s, beta = draws.outcome.parameters["sigma"], draws.mediator.coef[:, 3]
    theta, odds = draws.outcome.coef[:, 4], draws.outcome.coef[:, 1] * s_m / s
    a, b, c = beta**2 * v / s_m**2, beta * theta * v / (s_m * s), theta**2 * v / s**2
    k = odds / (b + a * odds)
    k = np.where((odds * b > 0) & (k * (a + c) < 1), k, np.inf)
    mine = found.strength(sens).sel(covariate="z").to_numpy().ravel()
    np.testing.assert_allclose(mine, k, rtol=1e-8)
    other = odds / -(b + a * odds)
    turned = found.strength(sens, sign="opposite").sel(covariate="z").to_numpy().ravel()
    reached = np.isfinite(turned)
    np.testing.assert_allclose(turned[reached], other[reached], rtol=1e-8)
    table = found.strength_summary(sens)
    assert table.loc["z", "none"] == pytest.approx(np.isinf(k).mean())
    assert table.loc["z", "P(<1)"] == pytest.approx((k < 1).mean())


def test_sentences(noisy):
    sens, found = noisy.sensitivity([0.0, 0.5], progress=False), noisy.benchmarks()
    lines = found.sentences(sens)
    assert len(lines) == 3
    assert "square root of k" in lines[0] and f"[{0.0:.2f}" not in lines[0]
    # z acts on the outcome against its effect on the mediator, so rho* > 0 needs the opposite.
    assert "times as strong as z and have the opposite effect" in lines[2]
    same = posterior_fit(model_of(world(n=600).data))
    lines = same.benchmarks().sentences(same.sensitivity([0.0], progress=False))
    k = float(np.median(same.benchmarks().strength(
        same.sensitivity([0.0], progress=False)).sel(covariate="z")))  # fmt: skip
    said = float(lines[2].split("have to be ")[1].split(" times")[0])
    assert said == pytest.approx(k, rel=0.06)  # two digits
    assert "leave" not in lines[2] and "rho* = 0." in lines[2]


def test_sentences_where_no_strength_is_enough(noisy):
    sens = noisy.sensitivity([0.0, 0.5], progress=False)
    far = bm.Sensitivity(
        sens.draws, sens.rho_zero.assign(rho_zero=0.0 * sens.rho_zero["rho_zero"] + 0.97)
    )
    far.rho_zero.attrs = sens.rho_zero.attrs
    told = noisy.benchmarks().sentences(far)[2]
    assert "of the draws no strength is enough" in told and "with probability 0.975" in told
    none = bm.Sensitivity(
        sens.draws, sens.rho_zero.assign(rho_zero=np.nan * sens.rho_zero["rho_zero"])
    )
    none.rho_zero.attrs = sens.rho_zero.attrs
    assert "not found in most draws" in noisy.benchmarks().sentences(none)[0]


def test_interactions_with_the_mediator_count_at_its_mean():
    """theta of z is its own plus the mean of m times that of m:z."""
    made = world(n=4000)
    crossed = model_of(made.data, outcome=f"{OUTCOME} + m:z")
    plain = model_of(made.data)
    coef = dict(zip(crossed.designs[1].terms, [0.1, 0.4, 0.2, -0.3, 0.5, 0.15], strict=True))
    moved = coef["z"] + coef["m:z"] * made.data["m"].mean()
    a = {
        "mediator_coef": np.array([-0.2, 0.5, 0.3, 0.6]),
        "mediator_sigma": 1.1,
        "outcome_sigma": 0.9,
    }
    there = point_fit(crossed, outcome_coef=np.array(list(coef.values())), **a)
    without = [coef[t] if t != "z" else moved for t in plain.designs[1].terms]
    same = point_fit(plain, outcome_coef=np.array(without), **a)
    for kind in ("besides", "leave-out"):
        mine, theirs = (f.benchmarks(kind=kind, covariates="z").draws for f in (there, same))
        # Given the other columns of each model; m:z is left out of them.
        np.testing.assert_allclose(mine["rho"], theirs["rho"], rtol=1e-10)


def test_interactions_with_a_mediator_of_categories_count_at_their_shares():
    """theta of z is its own plus the share of each category times its interaction."""
    made = world(n=3000)
    data = made.data.assign(m=np.digitize(made.data["m"], [-0.5, 0.9]))
    shares = np.bincount(data["m"]) / len(data)
    cuts, beta = np.array([-0.4, 0.8]), np.array([0.5, 0.3, 0.6])
    own = {"mediator_cutpoints": cuts, "mediator_coef": beta, "outcome_sigma": 0.9}
    family = {"mediator_family": "ordered_probit"}
    crossed = model_of(data, outcome="y ~ C(m) * z + t + x", **family)
    plain = model_of(data, outcome="y ~ C(m) + z + t + x", **family)
    coef = dict(zip(crossed.designs[1].terms, np.linspace(-0.5, 0.4, 8), strict=True))
    moved = coef["z"] + shares[1] * coef["C(m)[T.1]:z"] + shares[2] * coef["C(m)[T.2]:z"]
    without = [moved if t == "z" else coef[t] for t in plain.designs[1].terms]
    fits = [point_fit(crossed, outcome_coef=np.array(list(coef.values())), **own),
            point_fit(plain, outcome_coef=np.array(without), **own)]  # fmt: skip
    mine, theirs = (fit.benchmarks(covariates="z").draws for fit in fits)
    np.testing.assert_allclose(mine["rho"], theirs["rho"], rtol=1e-10)
    # omega: the variance of E[e | category], from the truncated normal means.
    eta = crossed.designs[0].matrix @ beta
    edges = [-np.inf, *cuts, np.inf]
    known = 0.0
    for low, high in pairwise(edges):
        chance = stats.norm.cdf(high - eta) - stats.norm.cdf(low - eta)
        known += (stats.norm.pdf(low - eta) - stats.norm.pdf(high - eta)) ** 2 / chance
    np.testing.assert_allclose(mine["r2_score"], known.mean(), rtol=1e-9)


@pytest.mark.slow
def test_interactions_with_the_treatment_count_for_the_covariate():
    """In a world where z acts in one arm only, u acts likewise: the rho of the pooled rows."""
    rng, n = np.random.default_rng(12), 400_000
    t, x, z, u = rng.integers(0, 2, n), *rng.normal(size=(3, n))
    e_m, e_y = 0.8 * t * u + rng.normal(size=n), 0.7 * t * u + rng.normal(size=n)
    m = 0.3 * t + 0.2 * x + 0.8 * t * z + e_m
    y = 0.4 * m + 0.1 * t - 0.3 * x + 0.7 * t * z + e_y
    data = pd.DataFrame({"t": t, "x": x, "z": z, "m": m, "y": y})
    fit = point_fit(model_of(data, "m ~ t * z + x", "y ~ m + t * z + x"))
    mine = value(fit.benchmarks(covariates="z").draws, "rho", "z")
    # The regression at rho = 0 pools the arms, whose residuals differ in spread: a few percent.
    assert mine == pytest.approx(np.corrcoef(e_m, e_y)[0, 1], rel=0.05)


def test_a_fit_at_another_rho_has_the_benchmarks_of_the_fit_at_zero(jobs_fit):
    """In a closed pair the map takes one to the other, draw by draw."""
    moved = jobs_fit.model.with_rho(0.4)
    sweep = jobs_fit.closed_map.structural(
        jobs_fit.draws.outcome.coef, jobs_fit.draws.outcome.parameters,
        jobs_fit.draws.mediator.coef, jobs_fit.draws.mediator.parameters["sigma"], np.float64(0.4),
    )  # fmt: skip
    there = made_fit(
        moved, mediator_coef=jobs_fit.draws.mediator.coef,
        mediator_sigma=jobs_fit.draws.mediator.parameters["sigma"], outcome_coef=sweep[0],
        outcome_sigma=sweep[1]["sigma"],
    )  # fmt: skip
    mine, theirs = there.benchmarks().draws["rho"], jobs_fit.benchmarks().draws["rho"]
    np.testing.assert_allclose(
        mine.to_numpy().reshape(3, -1), theirs.to_numpy().reshape(3, -1), atol=1e-10
    )


def test_benchmarks_of_a_saved_fit(jobs_fit, tmp_path):
    jobs_fit.save(tmp_path / "fit.nc")
    again = bm.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(
        again.benchmarks().draws["rho"], jobs_fit.benchmarks().draws["rho"]
    )
    assert jobs_fit.benchmarks().covariates == ["econ_hard", "sex", "age"]
    about = again.about
    del about["variables"]
    again.tree.attrs["bayesmed"] = json.dumps(about)
    with pytest.raises(ValueError, match="fit the model again"):
        again.benchmarks()


def test_a_prior_of_rho_from_a_covariate(noisy):
    own = covariate_strength(noisy, "z", latent_scales(noisy))
    fixed = bm.RhoBenchmark("z", times=(0.5, 0.5), sign="same").draw(noisy, 1)
    assert fixed.shape == noisy.shape
    np.testing.assert_allclose(fixed.ravel(), own.confounder(0.5).rho)
    opposite = own.confounder(0.5, -1.0).rho
    either = bm.RhoBenchmark("z", times=(0.5, 0.5)).draw(noisy, 2).ravel()
    is_same, is_other = np.isclose(either, fixed.ravel()), np.isclose(either, opposite)
    assert (is_same ^ is_other).all() and abs(is_same.mean() - 0.5) < 4 * 0.5 / np.sqrt(400)
    negative = bm.RhoBenchmark("z", times=(0.5, 0.5), sign="negative").draw(noisy, 3).ravel()
    np.testing.assert_allclose(negative, np.minimum(fixed.ravel(), opposite))
    positive = bm.RhoBenchmark("z", times=(0.5, 0.5), sign="positive").draw(noisy, 3).ravel()
    np.testing.assert_allclose(positive, np.maximum(fixed.ravel(), opposite))
    again = bm.RhoBenchmark("z").draw(noisy)
    np.testing.assert_array_equal(again, bm.RhoBenchmark("z").draw(noisy, 5))  # the fit's seed


def test_the_strengths_of_a_prior_are_uniform_over_those_that_exist():
    """For one column k a + k c < 1 is what exists; its k is uniform below that."""
    size = 4000
    a, c = 0.5, 0.3
    own = made_strength(*(np.full(size, v) for v in (a, np.sqrt(a * c), c, 1.0)))
    prior = bm.RhoBenchmark("z", times=(0.0, 2.0), sign="same")
    rho = prior._of_strength(own, np.random.default_rng(1))
    k = own.times_for(rho)
    share = np.sort(k) * (a + c)
    assert share.max() < 1.0
    steps = (np.arange(size) + 0.5) / size
    assert np.abs(share - steps).max() < 1.95 / np.sqrt(size)  # Kolmogorov's 0.1% point
    with pytest.raises(ValueError, match=r"In 100.0% of the draws no confounder 1.5 to 2 times"):
        bm.RhoBenchmark("z", times=(1.5, 2.0), sign="same")._of_strength(
            own, np.random.default_rng(1)
        )


@pytest.mark.parametrize(
    ("low", "high"), [(-1.0, 0.5), (3.0, 3.1), (-9.0, -8.0), (8.0, 1e8), (-1e8, 1e8)]
)
def test_a_mean_between_two_scores(low, high):
    mean, chance = interval_mean(np.array(low), np.array(high))
    grid = np.linspace(max(low, -12.0), min(high, 12.0), 200_001)
    weight = np.exp(-0.5 * (grid**2 - (grid**2).min()))
    expected = np.trapezoid(weight * grid, grid) / np.trapezoid(weight, grid)
    assert float(mean) == pytest.approx(expected, abs=1e-6)
    assert float(chance) == pytest.approx(stats.norm.cdf(high) - stats.norm.cdf(low), abs=1e-14)


def test_figures(noisy):
    sens, found = noisy.sensitivity(np.linspace(-0.8, 0.8, 9), progress=False), noisy.benchmarks()
    for made in (found, noisy.benchmarks(2.0, kind="leave-out")):
        _, ax = plt.subplots()
        assert made.plot(ax=ax, sensitivity=sens) is ax
        labels = [label.get_text() for label in ax.get_yticklabels()]
        assert labels == ["x", "z", "ρ* (ACME = 0)"]
        ax = sens.plot()
        bottom = ax.get_ylim()[0]
        assert made.draw_on(ax) is ax
        assert ax.get_ylim()[0] < bottom and {"x", "z"} <= {t.get_text() for t in ax.texts}
    assert len(found.draw_on(sens.plot(), most=1).texts) == 1
    plt.close("all")


def test_errors(noisy, jobs_fit, small):
    with pytest.raises(ValueError, match="it is the treatment"):
        noisy.benchmarks(covariates="t")
    with pytest.raises(ValueError, match="covariate of neither equation"):
        noisy.benchmarks(covariates=["z", "income"])
    with pytest.raises(ValueError, match="empty"):
        noisy.benchmarks(covariates=[])
    for bad in (0.0, -1.0, np.inf, True, "2"):
        with pytest.raises(ValueError, match="times must be a positive number"):
            noisy.benchmarks(times=bad)
    with pytest.raises(ValueError, match="choose 'besides' or 'leave-out'"):
        noisy.benchmarks(kind="leave out")
    other = jobs_fit.sensitivity([0.0, 0.3], progress=False)
    with pytest.raises(ValueError, match="not of the fit"):
        noisy.benchmarks().sentences(other)
    with pytest.raises(ValueError, match="must be of one fit"):
        other.r_squared().plot(benchmarks=noisy.benchmarks(), sign=1)
    sens = noisy.sensitivity([0.0, 0.3], progress=False)
    with pytest.raises(ValueError, match="choose one of"):
        noisy.benchmarks().strength(sens, arm="all")
    with pytest.raises(ValueError, match="choose 'same' or 'opposite'"):
        noisy.benchmarks().strength(sens, sign="either")
    own = model_of(small, "m ~ t + x", "y ~ m + t + x + g")
    only = made_fit(own, rho=np.zeros(4))
    with pytest.raises(ValueError, match="stands in the outcome equation only"):
        only.benchmarks(covariates="g")
    bare = made_fit(model_of(small, "m ~ t", "y ~ m + t"), rho=np.zeros(4))
    with pytest.raises(ValueError, match="No covariate stands in both"):
        bare.benchmarks()
    plt.close("all")


def test_errors_of_the_prior(noisy):
    for bad in ((1, 0), (-1, 1), (0, 0), (0, np.inf), "ab", 2, (1, 2, 3), (0, np.nan)):
        with pytest.raises(ValueError, match="times must be two numbers"):
            bm.RhoBenchmark("z", times=bad)
    with pytest.raises(ValueError, match="choose one of"):
        bm.RhoBenchmark("z", sign="both")
    with pytest.raises(ValueError, match="name of one covariate"):
        bm.RhoBenchmark(["z"])
    with pytest.raises(ValueError, match="covariate of neither"):
        bm.RhoBenchmark("w").draw(noisy)
