"""From priors to the paper: predictive checks, comparison, tables, reports, draws as frames."""

import json
import re
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayesmed as bm
from bayesmed.effects.numbers import digits_of, number, probability
from bayesmed.effects.paths import path_draws
from bayesmed.show.plots.paths import path_labels
from tests.support.handmade import hand_fit
from tests.support.models import FRAMING

KIND = {"mediator": "m ~ treat + x", "outcome": "y ~ m + treat + x", "treatment": "treat"}


def made(family="gaussian", n=80, size=200, **arguments):
    """A model of simulated data, and a fit with made-up draws near the truth."""
    data = bm.simulate(n, outcome_family=family, random_seed=1, truth_size=100).data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = bm.MediationModel(data, **{**KIND, "outcome_family": family, **arguments})
    rng = np.random.default_rng(2)
    near = lambda center: center + 0.05 * rng.normal(size=(size, len(center)))
    sigma = {"outcome_sigma": np.abs(near([1.0])[:, 0])} if family == "gaussian" else {}
    at = [model.designs[1].terms.index(term) for term in ("Intercept", "m", "treat", "x")]
    coef = np.empty((size, 4))
    coef[:, at] = near([0.0, 0.5, 0.3, 0.4])
    fit = hand_fit(
        model, mediator_coef=near([0.0, 0.5, 0.4]), mediator_sigma=np.abs(near([1.0])[:, 0]),
        outcome_coef=coef, **sigma,
    )  # fmt: skip
    terms = {
        f"{e}_term": list(d.terms)
        for e, d in zip(("mediator", "outcome"), model.designs, strict=True)
    }
    own = {"chain": [0, 1], "draw": np.arange(size // 2)}
    fit.tree["posterior"] = xr.DataTree(fit.posterior.assign_coords(**terms, **own))
    about = {
        **fit.about,
        "settings": {"random_seed": 3, "chains": 2, "draws": size // 2, "tune": 0},
    }
    fit.tree.attrs["bayesmed"] = json.dumps(about)
    return fit


# --- numbers in print -----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "digits", "bounded", "shown"),
    [(0.1234, 2, True, ".12"), (-0.1234, 3, True, "−.123"), (1.0, 2, True, "1.00"),
     (-0.0001, 2, True, ".00"), (1234.5, -1, False, "1,230"), (0.5, 1, False, "0.5"),
     (np.nan, 2, False, "–")],
)  # fmt: skip
def test_numbers_as_apa_writes_them(value, digits, bounded, shown):
    assert number(value, digits, bounded) == shown


def test_no_probability_of_one_or_nought():
    assert [probability(p) for p in (1.0, 0.0, 0.9995, 0.9989, 0.25)] == [
        "> .999", "< .001", "> .999", ".999", ".250",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "mcse", "digits"),
    [(0.0, 0.1, 1e-9, 3), (0.0, 12.0, 1e-9, 1), (0.0, 0.1, 0.02, 2), (0.0, 5000.0, 1e-9, -1)],
)
def test_digits_follow_the_interval_and_the_error(low, high, mcse, digits):
    assert digits_of(low, high, mcse) == digits


def test_table_of_effects_holds_the_summary():
    effects = made().effects()
    frame, table = effects.table(style="frame"), effects.summary(round_to=None)
    assert list(frame.index) == list(table.index)
    for (_, text), (_, row) in zip(frame.iterrows(), table.iterrows(), strict=True):
        shown = float(text["Median"].replace("−", "-").replace(",", ""))
        assert abs(shown - row["median"]) <= 0.51 * 10 ** -len(text["Median"].split(".")[1])
        low, high = re.findall(r"[−\d.,]+\d", text["95% CI"])
        assert float(low.replace("−", "-")) < float(high.replace("−", "-"))


def test_tables_in_every_style():
    effects = made("probit").effects()
    latex = effects.table(style="latex", title="A_b 5%")
    assert r"A\_b 5\%" in latex and r"\begin{tabular" in latex and "−" not in latex
    assert latex.isascii()
    markdown = effects.table(style="markdown")
    assert "| ACME (average)" in markdown and "*Note.* Mediation effects" in markdown
    assert re.search(r"\| \.\d{2,3} +\|", markdown)  # bounded by one: no zero before the point
    html = effects.table().as_raw_html()
    assert "ACME (average)" in html and "http" not in re.sub(r"http://www\.w3\.org\S*", "", html)
    with pytest.raises(ValueError, match=r"style='word'"):
        effects.table(style="word")


def test_models_side_by_side():
    fit = made()
    other = fit.effects(at={"x": 1.0}, m=0.5)
    frame = bm.table({"all": fit, "x is one": other}, style="frame")
    assert frame.columns.get_level_values(0).unique().tolist() == ["all", "x is one"]
    cde = frame.loc["CDE (m = 0.5)"]
    assert (cde["all"] == "").all() and (cde["x is one"] != "").all()
    with pytest.raises(TypeError, match="give effects or a fit"):
        bm.table({"a": 3})
    with pytest.raises(ValueError, match="No models"):
        bm.table({})


def test_table_of_a_curve_and_of_coefficients():
    fit = made()
    frame = fit.sensitivity().table(every=0.3, style="frame")
    assert frame.index.tolist() == ["−.90", "−.60", "−.30", ".00", ".30", ".60", ".90"]
    with pytest.raises(ValueError, match=r"every=0\.37"):
        fit.sensitivity().table(every=0.37)
    shown = fit.table(style="frame")
    assert shown["Path"].tolist().count("a") == 1 and ("outcome", "m") in shown.index


# --- reports --------------------------------------------------------------------------------
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


def test_checklist_has_the_25_items():
    fit = made()
    table = fit.checklist(fit.sensitivity([-0.3, 0.0, 0.3]))
    assert len(table) == 25 and table.index[0] == 1
    known = table.set_index("item")["from the fit"]
    assert "80 rows" in known["Sample size"] and "rho*" in known["Sensitivity parameters"]
    assert (table["for you to say"] != "").all()


# --- draws ----------------------------------------------------------------------------------
def test_draws_in_tidy_form():
    fit = made()
    effects = fit.effects()
    long = effects.to_frame()
    assert list(long.columns) == ["effect", "arm", "chain", "draw", "value"]
    acme = long.query("effect == 'acme' and arm == 'treated'").groupby("chain")["value"].mean()
    np.testing.assert_allclose(acme, effects.draws["acme"].sel(arm="treated").mean("draw"))
    assert len(fit.to_frame()) == 200
    assert "outcome_coef[m]" in fit.to_frame().columns
    curve = fit.sensitivity([-0.2, 0.2]).to_frame()
    assert set(curve["rho"]) == {-0.2, 0.2}


def test_effects_go_through_xarray_and_arviz():
    import arviz_stats as az

    draws = made().effects().draws
    stacked = draws["acme"].stack(sample=("chain", "draw")).quantile([0.1, 0.9], dim="sample")
    assert stacked.sizes == {"quantile": 2, "arm": 3}
    assert np.isfinite(az.rhat(draws["acme"])).all()


@pytest.mark.slow
def test_the_tree_goes_through_arvizs_plots():
    import arviz as az

    fit = made()
    fit.add_log_likelihood()
    for plot, options in (
        (az.plot_trace, {}),
        (az.plot_forest, {}),
        (az.plot_dist, {}),
        (az.plot_ess, {}),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert plot(fit.tree, var_names=["mediator_coef"], **options) is not None
        plt.close("all")


def test_html_of_what_a_person_sees_first():
    fit = made()
    for thing in (fit.model, fit, fit.effects(), fit.sensitivity([-0.2, 0.2])):
        html = thing._repr_html_()
        assert html.startswith("<") and "treat" in html
        assert not re.search(r"<(script|link)|src=", html)


# --- summaries ------------------------------------------------------------------------------
def test_rope_and_direction():
    effects = made().effects()
    table = effects.summary(round_to=None, rope=(-0.1, 0.1), direction=True)
    acme = effects.draws["acme"].sel(arm="average").to_numpy()
    row = table.loc["ACME (average)"]
    assert row["P(ROPE)"] == np.mean(np.abs(acme) <= 0.1)
    assert row["P(direction)"] == max(np.mean(acme > 0), np.mean(acme < 0))
    assert np.isnan(table.loc["Prop. mediated (average)", "P(ROPE)"])
    with pytest.raises(ValueError, match="wrong way round"):
        effects.summary(rope=(0.1, -0.1))
    with pytest.raises(TypeError, match="two numbers"):
        effects.summary(rope=0.1)


def test_round_to_digits():
    table = made().effects().summary(round_to=3)
    assert table["median"].tolist() == [round(v, 3) for v in table["median"]]
    with pytest.raises(ValueError, match="round_to='few'"):
        made().effects().summary(round_to="few")


# --- predictive checks ----------------------------------------------------------------------
def test_simulated_data_follow_the_structural_model():
    """Means by arm of M and Y from the coefficients, at rho = 0.5 the correlation of residuals too."""
    fit = made(n=4000, size=40, rho=0.5, priors_on="structural")
    tree = fit.posterior_predictive(draws=40, random_seed=3)
    sim = tree["posterior_predictive"]
    data, post = fit.model.frame.data, fit.posterior
    beta = post["mediator_coef"].to_numpy().reshape(40, 3)
    eta = beta @ fit.model.designs[0].matrix.T
    e_m = (sim["mediator"].to_numpy()[0] - eta) / post["mediator_sigma"].to_numpy().ravel()[:, None]
    assert abs(e_m.mean()) < 0.02 and abs(e_m.std() - 1.0) < 0.02
    coef = post["outcome_coef"].to_numpy().reshape(40, 4)
    terms = fit.model.designs[1].terms
    parts = {
        "Intercept": 1.0,
        "m": sim["mediator"].to_numpy()[0],
        "treat": data["treat"].to_numpy(),
        "x": data["x"].to_numpy(),
    }
    mean = sum(coef[:, [terms.index(name)]] * value for name, value in parts.items())
    e_y = (sim["outcome"].to_numpy()[0] - mean) / post["outcome_sigma"].to_numpy().ravel()[:, None]
    assert abs(np.corrcoef(e_m.ravel(), e_y.ravel())[0, 1] - 0.5) < 0.01
    assert "posterior_predictive" in fit.tree.children


def test_check_finds_a_misfit_and_passes_a_fit():
    fit = made(n=400)
    good = fit.check(draws=200)
    assert good.loc[("outcome", "control", "mean"), "p"] > 0.01
    fit.tree["posterior"]["outcome_sigma"][:] = 3.0
    bad = fit.check(draws=200)
    assert bad.loc[("outcome", "treated", "sd"), "p"] > 0.99
    with pytest.raises(ValueError, match="draws must lie between"):
        fit.check(draws=10_000)


def test_check_shows_every_arm_and_draws_each_response():
    table = arms_fit().check(draws=50)
    assert table.index.get_level_values("arm").unique().tolist() == ["control", "treated", "app"]
    figures = made("probit").plot_check(draws=20)
    assert list(figures) == ["m", "y"]
    assert set(figures["m"].viz.children["title"].to_dataset().data_vars) == {
        "m, control", "m, treated",
    }  # fmt: skip
    plt.close("all")


def test_censored_times_are_left_out_of_the_check_with_a_warning():
    data = bm.simulate(120, outcome_family="weibull", censored=0.3, random_seed=1, truth_size=100,
                       parameters={"outcome": {"sigma": 0.7}}).data  # fmt: skip
    model = bm.MediationModel(
        data, **KIND, outcome_family="weibull", outcome_data={"event": "event"}
    )
    fit = hand_fit(
        model, mediator_coef=np.zeros((20, 3)), mediator_sigma=np.ones(20),
        outcome_coef=np.zeros((20, 4)), outcome_sigma=np.full(20, 0.7),
    )  # fmt: skip
    with pytest.warns(UserWarning, match="outcome is censored"):
        table = fit.check(draws=20)
    assert table.index.get_level_values("response").unique().tolist() == ["mediator"]


def test_prior_predictive_warns_of_absurd_effects(framing):
    wide = {"outcome": {"emo": bm.Prior("Normal", mu=0, sigma=20)},
            "mediator": {"treat": bm.Prior("Normal", mu=0, sigma=50)}}  # fmt: skip
    loud = bm.MediationModel(framing, **FRAMING, priors=wide).prior_predictive(300, random_seed=1)
    share = float((abs(loud.draws["acme"].sel(arm="average")) > 0.5).mean())
    assert share > 0.2
    assert f"{share:.0%} on |ACME| > 0.5 on the probability scale" in repr(loud)
    assert "state narrower priors" in repr(loud)
    calm = bm.MediationModel(framing, **FRAMING).prior_predictive(300, random_seed=1)
    assert "state narrower priors" not in repr(calm) and "The priors put" in repr(calm)


# --- leave one out --------------------------------------------------------------------------
def test_loo_of_parts_against_its_definition():
    """Two Gaussian regressions at rho = 0: elpd by importance weights, from the densities themselves."""
    from scipy import special, stats

    fit = made(n=60, size=400)
    table = fit.loo()
    post = fit.posterior
    beta, sigma = (
        post["mediator_coef"].to_numpy().reshape(400, 3),
        post["mediator_sigma"].to_numpy().ravel(),
    )
    log = stats.norm.logpdf(
        fit.model.equations["mediator"].response.values,
        beta @ fit.model.designs[0].matrix.T,
        sigma[:, None],
    )
    plain = (np.log(400) - special.logsumexp(-log, axis=0)).sum()  # unsmoothed
    assert abs(table.loc["mediator", "elpd"] - plain) < 0.3
    assert table.loc["joint", "elpd"] == pytest.approx(
        table.loc["mediator", "elpd"] + table.loc["outcome", "elpd"], abs=1.0
    )


def test_comparison_of_models():
    fit = made(n=200)
    worse = made(n=200)
    worse.tree["posterior"]["outcome_coef"][..., worse.model.designs[1].terms.index("m")] = 0.0
    table = bm.compare({"worse": worse, "fit": fit}, equation="outcome")
    assert table.index[0] == "fit"
    with pytest.raises(ValueError, match="at least two"):
        bm.compare({"fit": fit})
    with pytest.raises(ValueError, match="equation="):
        bm.compare({"a": fit, "b": worse}, equation="both")
    with pytest.raises(ValueError, match=r"200 rows and 'b' 80"):
        bm.compare({"a": fit, "b": made()})


def test_values_of_rho_are_not_compared_in_closed_pairs():
    with pytest.raises(ValueError, match=r"differ in rho alone.*no data compare values of rho"):
        bm.compare({"zero": made(), "some": made(rho=0.3, priors_on="structural")})


# --- convergence, figures -------------------------------------------------------------------
def test_diagnose_has_every_parameter_worst_first():
    table = made().diagnose()
    assert {"r_hat", "ess_bulk", "ess_tail"} == set(table.columns)
    assert "outcome_coef[m]" in table.index and table["ess_bulk"].is_monotonic_increasing


def test_path_diagram_shows_the_medians():
    fit = made()
    _, ax = plt.subplots()
    assert fit.plot_paths(ax) is ax
    words = " ".join(text.get_text() for text in ax.texts)
    a = float(fit.posterior["mediator_coef"].sel(mediator_term="treat").median())
    shown = float(re.search(r"a = ([\d.]+)", words).group(1))
    assert shown == pytest.approx(a, abs=0.006)
    assert "ρ = 0.00 (fixed)" in words and "c' = " in words
    plt.close("all")


def test_paths_of_a_factor_whose_reference_is_another_level():
    """a is the difference of the two levels' columns, whatever the coding."""
    data = bm.simulate(90, random_seed=1, truth_size=100).data
    data["arm"] = np.resize(["b none", "a some", "c much"], 90)
    model = bm.MediationModel(
        data, mediator="m ~ arm + x", outcome="y ~ m * arm + x", treatment="arm",
        control="b none", treated="c much",
    )  # fmt: skip
    rng = np.random.default_rng(1)
    beta = rng.normal(size=(20, len(model.designs[0].terms)))
    theta = rng.normal(size=(20, len(model.designs[1].terms)))
    fit = hand_fit(
        model, mediator_coef=beta, mediator_sigma=np.ones(20), outcome_coef=theta,
        outcome_sigma=np.ones(20),
    )  # fmt: skip
    paths = path_draws(fit)
    one, two = (list(design.terms) for design in model.designs)
    at = lambda terms, coef, name: coef[:, terms.index(name)] if name in terms else 0.0
    levels = {level: f"arm[T.{level}]" for level in ("b none", "c much")}
    gap = lambda terms, coef: at(terms, coef, levels["c much"]) - at(terms, coef, levels["b none"])
    np.testing.assert_allclose(paths["a"].to_numpy().ravel(), gap(one, beta))
    np.testing.assert_allclose(paths["c'"].to_numpy().ravel(), gap(two, theta))
    slope = at(two, theta, "m") + at(two, theta, "m:arm[T.c much]")
    np.testing.assert_allclose(paths["b (treated)"].to_numpy().ravel(), slope)


def test_version_and_new_names():
    assert isinstance(pd.__version__, str) and re.fullmatch(r"\d+\.\d+\.\d+", bm.__version__)
    assert isinstance(made().posterior_predictive(draws=5), xr.DataTree)


# --- one label of several, arms, reference levels --------------------------------------------
def arms_data(n=60):
    rng = np.random.default_rng(5)
    arm = np.array(["usual", "app", "coach"])[np.arange(n) % 3]
    m = rng.normal(size=n) + (arm == "coach")
    return pd.DataFrame({"arm": arm, "site": np.where(np.arange(n) < 20, "a", "b"), "m": m,
                         "y": 0.5 * m + rng.normal(size=n)})  # fmt: skip


def arms_fit(**changed):
    kind = {"mediator": "m ~ arm", "outcome": "y ~ m + arm", "treatment": "arm",
            "control": "usual", "treated": "coach"}  # fmt: skip
    model = bm.MediationModel(arms_data(), **{**kind, **changed})
    rng = np.random.default_rng(2)
    near = lambda *center: np.array(center) + 0.05 * rng.normal(size=(100, len(center)))
    sigma = np.abs(near(1.0)[:, 0])
    terms = [list(d.terms) for d in model.designs]
    fit = hand_fit(
        model, mediator_coef=near(0.0, 0.1, 1.0), mediator_sigma=sigma, outcome_sigma=sigma,
        outcome_coef=near(*(0.5 if t == "m" else 0.1 for t in terms[1])),
    )  # fmt: skip
    own = {"chain": [0, 1], "draw": np.arange(50), "mediator_term": terms[0],
           "outcome_term": terms[1]}  # fmt: skip
    fit.tree["posterior"] = xr.DataTree(fit.posterior.assign_coords(own))
    settings = {"random_seed": 3, "chains": 2, "draws": 50, "tune": 0}
    fit.tree.attrs["bayesmed"] = json.dumps({**fit.about, "settings": settings})
    return fit


def test_choosing_one_of_several_leaves_them_as_they_are():
    fit = arms_fit()
    several, curve = fit.effects(by="site"), fit.sensitivity([-0.2, 0.2], by="site")
    before, line = repr(several), repr(curve)
    one, other = several.where(by="a"), several.where(by="b")
    curve.where(by="a")
    assert (repr(several), repr(curve)) == (before, line)
    assert "averaged over the 20 rows with site = a" in repr(one)
    assert "the 40 rows with site = b" in repr(other) and "site = a" not in repr(other)
    assert "the 20 rows with site = a" in fit.report(curve.where(by="a"), one)
    assert "site = a minus site = b" in repr(one - other)
    pairs = fit.effects(contrast="pairwise")
    assert "coach against app" in fit.report(effects=pairs.where(contrast="app -> coach"))
    assert "usual against" not in repr(pairs.where(contrast="app -> coach"))


def test_report_counts_every_arm():
    fit = arms_fit()
    told = "(usual: 20, coach: 20; app: 20, which both equations and the averages include)"
    assert told in fit.report()
    assert told in fit.checklist().set_index("item").loc["Sample size", "from the fit"]


def test_the_control_is_the_reference_of_a_treatment_that_is_text():
    assert arms_fit().model.designs[0].terms == ("Intercept", "arm[T.app]", "arm[T.coach]")
    pairs = arms_fit().effects(contrast="pairwise").draws["contrast"].to_numpy().tolist()
    assert pairs == ["usual -> app", "usual -> coach", "app -> coach"]
    assert {"a", "b", "c'"} <= set(arms_fit().table(style="frame")["Path"])
    ordered = arms_data().assign(
        arm=lambda d: pd.Categorical(d["arm"], ["app", "usual", "coach"])
    )  # fmt: skip
    kind = {"mediator": "m ~ arm", "outcome": "y ~ m + arm", "treatment": "arm"}
    model = bm.MediationModel(ordered, **kind, control="usual", treated="coach")
    assert model.designs[0].terms == ("Intercept", "arm[T.usual]", "arm[T.coach]")


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


def test_a_small_probability_or_end_is_not_printed_as_zero():
    assert [probability(p) for p in (0.0005, 0.00099, 0.99951)] == ["< .001", "< .001", "> .999"]
    assert digits_of(-0.068, -0.0003, 1e-6) == 4 and digits_of(-0.068, -0.0003, 1e-3) == 3


def test_a_yes_or_no_response_with_a_continuous_family_is_told():
    data = arms_data().assign(y=lambda d: (d["m"] > 0).astype(float))
    kind = {"mediator": "m ~ arm", "outcome": "y ~ m + arm", "treatment": "arm",
            "control": "usual", "treated": "coach"}  # fmt: skip
    with pytest.warns(UserWarning, match="'y' holds 0 and 1 only.*outcome_family='probit'"):
        bm.MediationModel(data, **kind)


def test_densities_are_not_compared_with_probabilities():
    data = bm.simulate(80, outcome_family="probit", random_seed=1, truth_size=100).data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        linear = bm.MediationModel(data, **KIND)
    with pytest.raises(ValueError, match="'a' gives the outcome a density and 'b' probabilities"):
        bm.compare({"a": bm.MediationFit(made().tree, linear), "b": made("probit")}, "outcome")


def test_latex_has_a_numbered_caption_and_the_size_of_the_document():
    text = arms_fit().effects(by="site").table(style="latex", title="Effects & more")
    assert text.startswith("% \\usepackage{booktabs}\n\\begin{table}")
    assert r"\caption{Effects \& more}" in text and "caption*" not in text
    assert "fontsize" not in text and "l|c" not in text and "\n\n" not in text
    assert "site: a" in text and r"usual $\to$ coach" in text and "->" not in text


# --- what a review of the paragraphs found ---------------------------------------------------
def said(fit, effects=None, **changed):
    """A report of effects whose description is changed."""
    effects = fit.effects() if effects is None else effects
    draws = effects.draws.copy()
    draws.attrs["bayesmed"] = json.dumps({**effects.about, **changed})
    return fit.report(effects=bm.Effects(draws))


def test_levels_called_control_are_not_the_control():
    fit = arms_fit()
    data = fit.model.frame.data.assign(
        arm=lambda d: d["arm"].cat.rename_categories({"usual": "low", "app": "control"}).astype(str)
    )
    kind = {"mediator": "m ~ arm", "outcome": "y ~ m + arm", "treatment": "arm"}
    model = bm.MediationModel(data, **kind, control="low", treated="coach")
    table = bm.MediationFit(fit.tree, model).check(draws=20)
    assert table.index.get_level_values("arm").unique().tolist() == [
        "control", "treated", "level control",
    ]  # fmt: skip
    low = data.loc[data["arm"] == "low", "m"].mean()
    found = table.loc[("mediator", "control", "mean"), "observed"]
    assert found == pytest.approx(low, rel=1e-3)


def test_models_that_censor_differently_are_not_compared():
    plain, censored = made(), made()
    data = censored.tree["constant_data"].to_dataset()
    event = ("obs", np.arange(80) % 2.0)
    censored.tree["constant_data"] = xr.DataTree(data.assign(outcome_event=event))
    with pytest.raises(ValueError, match="'a' and 'b' take other outcomes as censored"):
        bm.compare({"a": plain, "b": censored})


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


def test_tables_along_rho_of_proportions_and_fine_grids():
    fit = made("probit")
    curve = fit.sensitivity([-0.125, 0.0, 0.125], scale="ratio")
    share = curve.table(effect="prop_mediated", every=0.125, style="frame")
    assert share.index.tolist() == ["−.125", ".000", ".125"]
    assert share.iloc[:, -1].tolist() == ["–"] * 3


def test_a_path_of_a_logarithm_is_told():
    draws = {n: xr.DataArray(np.ones((2, 9)), dims=("chain", "draw"))
             for n in ("a", "b (control)", "b (treated)", "c'")}  # fmt: skip
    assert "c' (at log M = 0) = " in path_labels(draws, "0", log_mediator=True)["c'"]
    assert "c' (at M = 0) = " in path_labels(draws, "0")["c'"]


def test_leaving_out_a_row_of_the_mediator_leaves_out_its_outcome():
    """Against plain importance sampling with weights 1 / p(m, y)."""
    fit = made("logit", rho=0.8, size=2000)
    fit.add_log_likelihood()
    own = fit.tree["log_likelihood"].to_dataset().stack(sample=("chain", "draw"))
    m, y = own["mediator"].transpose("sample", ...), own["outcome"].transpose("sample", ...)
    m, y = m.to_numpy(), y.to_numpy()
    density = lambda logw: np.log(
        (np.exp(logw + m - logw.max(0))).sum(0) / np.exp(logw - logw.max(0)).sum(0)
    ).sum()
    right, wrong = density(-m - y), density(-m)
    found = fit.loo().loc["mediator", "elpd"]
    assert abs(right - wrong) > 0.5 and found == pytest.approx(right, abs=0.1)


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
