"""The paragraphs of a report: of one fit and one question, and no more than is so."""

import json
import re
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

import bayesmed as bm
from tests.support.made import arms_fit, made


def test_report_of_other_effects():
    fit = made("probit")
    text = fit.report(effects=fit.effects(scale="ratio", at={"x": 1.0}))
    assert "ratios of the probability of y = 1" in text and "at x = 1.0" in text
    assert "P(> 1)" in text
    with pytest.raises(ValueError, match=r"\.where"):
        fit.report(effects=fit.effects(contrast=[(0, 1), (1, 0)]))


def test_report_says_when_mediation_is_uncertain():
    fit = made()
    draws = fit.tree["posterior"]["mediator_coef"]
    draws[..., 1] = np.linspace(-1.0, 1.0, draws[..., 1].size).reshape(draws[..., 1].shape)
    assert "compatible with no mediation and with effects of either sign" in fit.report()


@pytest.mark.parametrize("told", ["report", "checklist"])
def test_what_is_reported_is_of_one_fit_and_one_question(told):
    fit, other = made("probit"), made("probit", n=90)
    about = {**other.about, "fit": "another"}
    other.tree.attrs["bayesmed"] = json.dumps(about)
    tell, grid = getattr(fit, told), [-0.3, 0.3]
    with pytest.raises(ValueError, match="effects= comes from another fit"):
        tell(effects=other.effects())
    with pytest.raises(ValueError, match="sensitivity= comes from another fit"):
        tell(other.sensitivity(grid))
    ratios = fit.effects(scale="ratio", at={"x": 1.0})
    with pytest.raises(ValueError, match="scale: 'difference' and 'ratio'"):
        tell(fit.sensitivity(grid), ratios)
    tell(fit.sensitivity(grid), fit.effects(scale="standardised"))
    by = fit.sensitivity(grid, by="treat")
    tell(by.where(by=1), fit.effects(by="treat").where(by=1))
    with pytest.raises(ValueError, match="of other effects"):
        tell(by.where(by=0), fit.effects(by="treat").where(by=1))


def test_a_report_is_shown_as_paragraphs():
    text = made().report()
    shown = text._repr_html_()
    assert isinstance(text, str) and shown.count("<p>") == 2
    assert "P(&gt; 0)" in shown and "\n" not in shown


def test_ratios_are_named_as_such():
    fit = made("probit")
    sensitivity, effects = fit.sensitivity([0.0, 0.2], scale="ratio"), fit.effects(scale="ratio")
    text = fit.report(sensitivity, effects)
    assert "would be 1 (no effect)" in text or "mediation effect 1 (no effect)" in text
    told = fit.checklist(sensitivity, effects).set_index("item")["from the fit"]
    assert "as ratios of the probability of y = 1" in told["Effects of interest"]
    assert "at which the ACME is 1." in told["Sensitivity analyses"]


def test_effects_of_a_paragraph_have_the_digits_of_the_table():
    fit = made()
    sentence = fit.report().split("Averaged over both arms")[1].split(". ")[0]
    numbers = re.findall(r"-?\d+\.(\d+)", re.sub(r"P\(> 0\)[^,;]*?0\.\d+", "", sentence))
    frame = fit.effects().table(style="frame")
    shown = frame.loc["Total effect", "Median"].split(".")[1]
    assert {len(n) for n in numbers} == {len(shown)} and len(numbers) == 9


def test_report_counts_every_arm():
    fit = arms_fit()
    told = "(usual: 20, coach: 20; app: 20, which both equations and the averages include)"
    assert told in fit.report()
    assert told in fit.checklist().set_index("item").loc["Sample size", "from the fit"]


def test_a_negative_finding_is_told_as_such():
    fit = made("probit")
    coef = fit.tree["posterior"]["outcome_coef"]
    coef.loc[{"outcome_term": "m"}] = -0.5 + 0.02 * np.random.default_rng(1).normal(
        size=coef.shape[:2]
    )
    curve = fit.sensitivity(np.linspace(-0.8, 0.8, 33))
    assert "< 0" in curve.probability_within(0.1).claim
    assert "< 0" in curve.plot_probability().get_legend_handles_labels()[1][0]
    assert "P(< 0) > 0.999" in fit.report()
    assert curve.probability_within(0.1, direction="positive").averaged < 0.01
    plt.close("all")


def said(fit, effects=None, **changed):
    """A report of effects whose description is changed."""
    effects = fit.effects() if effects is None else effects
    draws = effects.draws.copy()
    draws.attrs["bayesmed"] = json.dumps({**effects.about, **changed})
    return fit.report(effects=bm.Effects(draws))


def test_report_says_what_effects_are_of():
    fit = made("probit")
    assert "one standard deviation more of it" in said(fit, per_sd=True, scale="standardised")
    assert "They are those under reliability of m set to 0.7." in said(
        fit, assumed="reliability of m set to 0.7"
    )
    told = said(fit, assumed="rho_tm 0.3, rho_ty 0.2, rho_my 0")
    assert "ignorable given the covariates up to the correlations stated" in told
    assert "one posterior draw in 2" in said(fit, every=2)
    told = said(fit, carried=0.31, rho="set to 0.5")
    assert "carried there from another rho and weighted (Pareto k-hat 0.31)" in told
    by = fit.effects(by="treat").differences()
    label = by.draws["by"].to_numpy().tolist()[0]
    with pytest.raises(ValueError, match="These are differences of effects"):
        fit.report(effects=by.where(by=label))


def test_report_of_other_arms():
    fit = arms_fit()
    text = fit.report(effects=fit.effects(contrast=("usual", "app")))
    assert "(usual: 20, app: 20; coach: 20, which both equations and the averages include)" in text
    text = fit.report(effects=fit.effects(on="treated"))
    assert "app: 20, which both equations include)" in text


def test_report_of_priors_names_their_parameters_and_claims_no_more_than_is_so():
    stated = {"mediator": {"sigma": bm.Prior("Exponential", scale=2.0)}}
    text = arms_fit(priors=stated).report()
    assert "sigma of the mediator ~ Exponential(scale=2)" in text
    assert "2.5 times that of the response in the mediator equation" in text
    assert "times that of" not in made("poisson", rho=0.0).report()
    with_sigma = arms_fit(
        mediator_sigma="~ arm",
        priors={"mediator_sigma": {"arm[T.app]": bm.Prior("Normal", mu=0, sigma=1)}},
    )
    assert "arm[T.app] of the log sigma of the mediator ~ Normal(mu=0, sigma=1)" in (
        with_sigma.report()
    )
    every = {
        equation: {name: prior for name, prior in own.items()}
        for equation, own in arms_fit().model.priors_in_use.items()
    }
    assert "Default priors" not in arms_fit(priors=every).report()


def test_report_of_effects_carried_from_a_sampled_rho():
    """Whose fit has no fixed rho to name."""
    fit = made("probit")
    curve = fit.sensitivity([0.0, 0.2])
    about = json.dumps({**curve.about, "rho_fixed": None})
    carried = curve.draws.assign(
        how=("rho", ["transport"] * 2), pareto_k=("rho", [0.2, 0.4])
    ).assign_attrs(bayesmed=about)
    effects = bm.Sensitivity(carried, curve.rho_zero, curve.po).at(0.2)
    assert "weighted (Pareto k-hat 0.40)" in fit.report(effects=effects)


@pytest.mark.fit
@pytest.mark.parametrize("name", ["linear_fit", "crossed_fit"])
def test_the_paragraph_has_the_digits_of_the_table(name, request):
    fit = request.getfixturevalue(name)
    table, text = fit.effects().table(style="frame"), fit.report()
    rows = ["ACME (average)", "ADE (average)", "Total effect", "Prop. mediated (average)"]
    for row in rows:
        whole = [table.loc[row, "Median"], table.loc[row, "95% CI"]]
        plain = re.sub(r"(?<!\d)\.", "0.", " ".join(whole)).replace("−", "-")
        assert plain in text, (row, plain)


def test_an_interrupted_fit_reports_the_draws_it_has(linear_fit):
    tree = linear_fit.tree.copy()
    tree["posterior"] = xr.DataTree(tree["posterior"].to_dataset().isel(draw=slice(100)))
    assert "4 chains of 100 draws" in replace(linear_fit, tree=tree).report()
