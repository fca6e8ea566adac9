"""Questions of rows, weights, groups and contrasts, and those that are refused."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import bayesmed as bm
from bayesmed.effects import estimands
from bayesmed.effects.view import View
from bayesmed.means.target import resolve_functional, target_of
from tests.support.handmade import hand_made, pair_of
from tests.support.models import BOTH, FRAMING, JOBS, SIGMA, quiet_model

ARMS = (0, 1)


@pytest.mark.each(4)
@pytest.mark.parametrize("outcome", ["gaussian", "probit", "lognormal"])
@pytest.mark.parametrize("mediator", ["gaussian", "probit", "poisson"])
def test_whole_weights_are_repeated_rows(mediator, outcome):
    rows, draws = hand_made(mediator, outcome, 0.3)
    families = pair_of(mediator, outcome)
    target = target_of(resolve_functional("mean"), families["outcome"])
    weighted = replace(rows, weights=np.array([0.2, 0.3, 0.5]))
    repeated = rows.take(np.repeat(np.arange(3), [2, 3, 5]))
    mine, theirs = (View(r, target, 0.0).cells(draws) for r in (weighted, repeated))
    np.testing.assert_allclose(mine, theirs, rtol=1e-8)


@pytest.fixture(scope="module")
def probit_fit(framing):
    """The framing experiment with few draws: what is tested holds draw by draw."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bm.fit(
            framing, **FRAMING, priors={"mediator": SIGMA}, draws=250, tune=250, chains=2,
            random_seed=1, progress=False,
        )  # fmt: skip


def test_subgroups_average_to_the_whole(probit_fit):
    whole = probit_fit.effects().draws
    parts = probit_fit.effects(by="gender").draws
    share = probit_fit.model.frame.data["gender"].value_counts(normalize=True)
    weights = xr.DataArray(share.to_numpy(), dims="by", coords={"by": share.index.to_list()})
    for name in ("acme", "ade", "total"):
        xr.testing.assert_allclose((parts[name] * weights).sum("by"), whole[name], rtol=1e-6)
    gap = probit_fit.effects(by="gender").differences()
    labels = parts["by"].to_numpy().tolist()
    assert gap.draws["by"].to_numpy().tolist() == [f"{labels[1]} - {labels[0]}"]
    mine = gap.draws["acme"].isel(by=0, drop=True)
    xr.testing.assert_allclose(
        mine,
        parts["acme"].sel(by=labels[1], drop=True) - parts["acme"].sel(by=labels[0], drop=True),
    )


def test_effects_on_the_treated_are_those_of_their_rows(probit_fit):
    frame = probit_fit.model.frame.data
    treated = probit_fit.effects(on="treated").draws["acme"]
    index = np.flatnonzero(frame["treat"] == 1)
    rows = probit_fit.counterfactuals().take(index)
    target = target_of(resolve_functional("mean"), probit_fit.families["outcome"])
    cells = View(rows, target).cells(probit_fit.draws)
    mine = (cells[1, 1] - cells[1, 0]).reshape(probit_fit.shape)
    np.testing.assert_allclose(treated.sel(arm="treated"), mine, rtol=1e-12)
    untreated = probit_fit.effects(on="untreated").draws["acme"]
    both = len(index) * treated + (len(frame) - len(index)) * untreated
    xr.testing.assert_allclose(both / len(frame), probit_fit.effects().draws["acme"], rtol=1e-6)


@pytest.mark.fit
def test_weights_of_a_column_that_no_formula_holds(framing):
    data = framing.assign(w=np.arange(len(framing)) % 3)
    model = quiet_model(
        data, mediator="emo ~ treat + age", outcome="cong_mesg ~ emo + treat + age",
        treatment="treat", outcome_family="probit", priors={"mediator": SIGMA},
    )  # fmt: skip
    settings = {"draws": 100, "tune": 200, "chains": 2, "random_seed": 1, "progress": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = model.fit(**settings)
    found = fit.effects(weights="w").draws["total"]
    weights = data["w"].to_numpy() / data["w"].sum()
    rows = replace(fit.counterfactuals(), weights=weights)
    target = target_of(resolve_functional("mean"), fit.families["outcome"])
    cells = View(rows, target).cells(fit.draws)
    np.testing.assert_allclose(found.to_numpy().ravel(), cells[1, 1] - cells[0, 0], rtol=1e-12)
    assert "weighted by w" in repr(fit.effects(weights="w"))
    assert fit.effects(by="w").draws["by"].to_numpy().tolist() == [0, 1, 2]


@pytest.fixture(scope="module")
def levels_fit():
    """Three treatment levels; effects of a -> b, a -> c, b -> c are sums of one another."""
    rng = np.random.default_rng(6)
    import pandas as pd

    n = 150
    arm = pd.Categorical(rng.choice(["a", "b", "c"], n))
    dose = arm.codes.astype(float)
    m = 0.5 * dose + rng.normal(size=n)
    y = 0.4 * m + 0.2 * dose + rng.normal(size=n)
    data = pd.DataFrame({"arm": arm, "m": m, "y": y})
    return bm.fit(
        data, mediator="m ~ arm", outcome="y ~ m + arm", treatment="arm", control="a", treated="b",
        priors=BOTH, draws=500, tune=500, random_seed=1, progress=False,
    )  # fmt: skip


def test_all_pairs_of_levels(levels_fit):
    found = levels_fit.effects(contrast="pairwise")
    assert found.draws["contrast"].to_numpy().tolist() == ["a -> b", "a -> c", "b -> c"]
    total = found.draws["total"]
    xr.testing.assert_allclose(
        total.sel(contrast="a -> b", drop=True) + total.sel(contrast="b -> c", drop=True),
        total.sel(contrast="a -> c", drop=True),
    )
    own = levels_fit.effects().draws["acme"]
    xr.testing.assert_allclose(found.draws["acme"].sel(contrast="a -> b", drop=True), own)
    one = levels_fit.effects(contrast=("a", "c")).draws
    assert "contrast" not in one.dims
    xr.testing.assert_allclose(one["ade"], found.draws["ade"].sel(contrast="a -> c", drop=True))
    assert "a -> c" in levels_fit.effects(contrast=("a", "c")).summary().index.name
    curve = levels_fit.sensitivity([-0.4, 0.0, 0.4], contrast="pairwise")
    assert curve.draws["acme"].dims == ("rho", "contrast", "arm", "chain", "draw")
    assert curve.rho_zero["rho_zero"].dims == ("contrast", "arm", "chain", "draw")


@pytest.fixture(scope="module")
def dose_fit(jobs):
    own = {
        "mediator": "job_seek ~ econ_hard + age",
        "outcome": "depress2 ~ job_seek + econ_hard + age",
    }
    return bm.fit(
        jobs, **own, treatment="econ_hard", control=1, treated=2, priors=BOTH, draws=500,
        tune=500, random_seed=1, progress=False,
    )  # fmt: skip


def test_dose_response_of_a_linear_model_is_a_line(dose_fit):
    found = dose_fit.dose_response([2.0, 3.0, 4.0]).draws
    assert found["dose"].to_numpy().tolist() == [2.0, 3.0, 4.0]
    unit = dose_fit.effects().draws
    for dose in (2.0, 3.0, 4.0):
        xr.testing.assert_allclose(
            found["acme"].sel(dose=dose, drop=True), (dose - 1.0) * unit["acme"], rtol=1e-9
        )
    assert len(dose_fit.dose_response().draws["dose"]) >= 5


def test_standardised_effects_of_a_continuous_treatment(dose_fit, jobs):
    """a b sd(T) / sd(Y), as psychology reports it."""
    found = dose_fit.effects(scale="standardised").draws["acme"].sel(arm="average")
    posterior = dose_fit.posterior
    a = posterior["mediator_coef"].sel(mediator_term="econ_hard")
    b = posterior["outcome_coef"].sel(outcome_term="job_seek")
    sd = jobs["econ_hard"].std() / jobs["depress2"].std()
    np.testing.assert_allclose(found, (a * b * sd).transpose("chain", "draw"), rtol=1e-9)
    other = dose_fit.effects(scale="standardised", contrast=(1, 4)).draws["acme"]
    np.testing.assert_allclose(other.sel(arm="average"), found, rtol=1e-9)


def test_effects_under_a_rho_or_its_prior(jobs_fit):
    at = jobs_fit.effects(rho=0.3).draws
    curve = jobs_fit.sensitivity([0.3]).draws.sel(rho=0.3)
    np.testing.assert_allclose(at["acme"], curve["acme"], rtol=1e-9)
    prior = bm.Prior("Uniform", lower=-0.5, upper=0.5)
    uncertain = jobs_fit.effects(rho=prior)
    # Mean over a uniform rho: by quadrature along the curve.
    nodes, weights = np.polynomial.legendre.leggauss(15)
    means = (
        jobs_fit.sensitivity(0.5 * nodes).draws["acme"].sel(arm="average").mean(("chain", "draw"))
    )
    truth = float((0.5 * weights * means.to_numpy()).sum())
    found = uncertain.draws["acme"].sel(arm="average")
    assert abs(float(found.mean()) - truth) < 5 * float(found.std()) / np.sqrt(found.size)
    assert "say nothing" in repr(uncertain)
    np.testing.assert_allclose(
        uncertain.draws["total"], jobs_fit.effects().draws["total"], rtol=1e-9
    )


def test_a_contrast_of_ones_own(jobs_fit):
    effects = jobs_fit.effects()
    mine = lambda po: (
        estimands.cell(po, "treated", "control") - estimands.cell(po, "control", "control")
    )
    table = effects.custom(mine=mine)
    theirs = effects.summary().loc["ADE (control)"]
    assert table.loc["mine", "median"] == theirs["median"]


def test_tables_name_what_they_show(probit_fit):
    odds = probit_fit.effects(scale="odds_ratio", m=5.0, by="gender")
    table = odds.summary()
    assert "P(>1)" in table and "P(>0)" not in table
    assert table.index.names[0] == "by"
    assert ("female", "CDE (m = 5.0)") in table.index
    for word in ("odds ratios", "for each gender", "emo = 5"):
        assert word in repr(odds)
    with pytest.raises(ValueError, match="four-way"):
        odds.four_way()
    four = probit_fit.effects(m=5.0).four_way(round_to=None)
    assert four.index[:5].tolist() == ["CDE(m)", "INTref(m)", "INTmed", "PNIE", "Sum"]
    epi = probit_fit.effects().summary(names="epi")
    assert {"PNIE", "TNIE", "PNDE", "TNDE"} <= set(epi.index)


def test_loaded_fits_have_the_estimands_that_need_no_formula(jobs_fit, tmp_path):
    jobs_fit.save(tmp_path / "fit.nc")
    loaded = bm.load(tmp_path / "fit.nc")
    xr.testing.assert_allclose(
        loaded.effects(m=3.0).draws["cde"], jobs_fit.effects(m=3.0).draws["cde"]
    )
    for asked in ({"by": "sex"}, {"contrast": (0, 1)}, {"weights": "age"}, {"on": "treated"}):
        with pytest.raises(ValueError, match=r"bm\.load\(path, model=model\)"):
            loaded.effects(**asked)


REFUSED = [
    ({"scale": "ratio"}, "always positive"),
    ({"scale": "odds_ratio"}, "needs a probability"),
    ({"scale": "percent"}, "choose one of"),
    ({"of": "median"}, r"bm\.quantile"),
    ({"of": "categories"}, "ordered outcome"),
    ({"of": "log_time"}, "for times"),
    ({"of": "observed"}, "tobit"),
    ({"of": bm.survival(3.0), "scale": "standardised"}, "standard deviation"),
    ({"of": bm.restricted_mean(3.0)}, "for times"),
    ({"of": bm.probability(equals=1)}, "probability zero"),
    ({"by": "nobody"}, "not a column"),
    ({"by": "age"}, "different values"),
    ({"by": "depress2"}, "outcome"),
    ({"on": "everyone"}, "choose 'all'"),
    ({"weights": "nobody"}, "not a column"),
    ({"weights": "job_disc"}, None),
    ({"contrast": (1, 1)}, "both"),
    ({"contrast": (0, 5)}, "is not a value"),
    ({"contrast": "every"}, "pairwise"),
    ({"contrast": (0, 1, 2)}, "takes"),
    ({"m": "high"}, "no value of the mediator"),
]


@pytest.mark.parametrize(("asked", "message"), REFUSED, ids=str)
def test_what_cannot_be_asked_is_refused(jobs_fit, asked, message):
    if message is None:
        jobs_fit.effects(**asked)
        return
    with pytest.raises(ValueError, match=message):
        jobs_fit.effects(**asked)


def test_warnings_of_extrapolation(jobs_fit):
    with pytest.warns(UserWarning, match="outside the observed range"):
        jobs_fit.effects(m=40.0)
    with pytest.warns(UserWarning, match=r"sex = 2 lies outside .* \(0 to 1\)"):
        jobs_fit.effects(at={"sex": 2})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        jobs_fit.effects(at={"sex": 0.5})


def test_a_weighted_likelihood_is_refused(jobs):
    with pytest.raises(ValueError, match="weighted likelihood"):
        bm.MediationModel(jobs, **JOBS, weights="age")


def test_ratios_are_not_subtracted(probit_fit):
    ratio, plain = probit_fit.effects(scale="ratio"), probit_fit.effects()
    with pytest.raises(ValueError, match="not subtracted"):
        ratio - ratio
    with pytest.raises(ValueError, match="same functional"):
        ratio - plain


def test_one_of_several_groups_is_chosen_by_name(probit_fit):
    curve = probit_fit.sensitivity([-0.5, 0.0, 0.5], by="gender")
    one = curve.where(by="female")
    xr.testing.assert_equal(one.draws["acme"], curve.draws["acme"].sel(by="female", drop=True))
    assert one.summary().shape[0] == 3
    assert "gender" in repr(curve) and "where(by=" in repr(curve)
    assert curve.summary().index.names == ["by", "rho"]
    with pytest.raises(ValueError, match=r"where\(by="):
        curve.plot()
    with pytest.raises(ValueError, match="choose one of"):
        curve.where(by="nobody")
    with pytest.raises(ValueError, match="no dimension"):
        curve.where(age=20)
    effects = probit_fit.effects(by="gender")
    xr.testing.assert_equal(
        effects.where(by="male").draws["total"], effects.draws["total"].sel(by="male", drop=True)
    )


def test_figures_of_groups_ratios_and_several_curves(probit_fit):
    import matplotlib.pyplot as plt

    axes = [
        probit_fit.effects(scale="odds_ratio", by="gender").plot(),
        probit_fit.sensitivity([-0.4, 0.0, 0.4], scale="ratio").plot(),
        probit_fit.sensitivity([-0.4, 0.0, 0.4]).plot_curves(),
        *probit_fit.sensitivity([-0.4, 0.0, 0.4]).plot_arms(),
    ]
    assert "Odds ratio" in axes[0].get_xlabel()
    assert "ACME (control), female" in [text.get_text() for text in axes[0].get_yticklabels()]
    assert axes[0].get_xscale() == "log"
    # The line of no effect stands at one.
    assert any(np.allclose(line.get_ydata(), 1.0) for line in axes[1].lines)
    assert len(axes[2].get_legend().get_texts()) == 3
    plt.close("all")


def test_conclusions_are_of_effects_alone(probit_fit):
    """What a sweep keeps beside them, such as shares of variance, has no claim."""
    table = probit_fit.sensitivity([-0.4, 0.0, 0.4], m=5.0).conclusions()
    assert not [label for label in map(str, table.index) if "r2" in label]
    assert [label for label in map(str, table.index) if "cde" in label.lower()]


def test_rounding_is_no_difference(jobs_fit, jobs):
    """Without an interaction arms and groups have the same ACME: exactly, not almost."""
    effects = jobs_fit.effects(m=4.0)
    gap = effects.interaction(round_to=None)
    assert float(gap["eti95_low"].iloc[0]) == float(gap["eti95_high"].iloc[0]) == 0.0
    assert gap["P(>0)"].isna().all()  # neither sign
    assert (effects.draws["int_med"] == 0.0).all()
    groups = jobs_fit.effects(by="sex").differences()
    assert (groups.draws["acme"] == 0.0).all()


def test_ratio_tables_speak_of_one(probit_fit):
    ratios = probit_fit.effects(scale="ratio").summary()
    assert ratios.loc["Prop. mediated (average)"].isna()["P(>1)"]
    assert not ratios.loc["ACME (average)"].isna().any()
    curve = probit_fit.sensitivity([-0.2, 0.0, 0.2], scale="ratio")
    assert "P(>1)" in curve.summary() and "ACME P(>1)" in curve.r_squared().summary()
    expected = float((curve.draws["acme"].sel(arm="average", rho=0.0) > 1.0).mean())
    assert curve.summary(round_to=None).loc[0.0, "P(>1)"] == expected
    with pytest.raises(ValueError, match="not of odds ratios"):
        probit_fit.effects(scale="odds_ratio", m=5.0).four_way()


def test_standardised_effects_say_of_what_and_take_no_dose(dose_fit):
    assert "for one sd of the treatment" in repr(dose_fit.effects(scale="standardised"))
    with pytest.raises(ValueError, match="whatever the dose"):
        dose_fit.dose_response([2.0], scale="standardised")
