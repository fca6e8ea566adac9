"""What is printed: one number in one way, and said of what it is."""

import io
import re
import warnings
from dataclasses import replace

import matplotlib
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayesmed as bm
from bayesmed.api.effects import Effects
from bayesmed.api.sensitivity import Sensitivity
from bayesmed.effects.numbers import Printed, chance, percent
from bayesmed.effects.paths import contrast_words, path_draws
from bayesmed.show.plots.paths import path_labels
from bayesmed.system.system import IdentificationWarning

matplotlib.use("Agg")
SHORT = {"method": "laplace", "draws": 250, "chains": 4, "random_seed": 1, "progress": False}
LINEAR = {"mediator": "m ~ t + x", "outcome": "y ~ m + t + x", "treatment": "t"}


def people(n=240):
    rng = np.random.default_rng(3)
    x, t, u = rng.normal(4.0, 1.0, n), np.arange(n) % 2, rng.normal(size=n)
    m = 0.8 * t + 0.4 * x + rng.normal(size=n)
    y = 0.6 * m + 0.3 * t + 0.2 * x + rng.normal(size=n)
    age = np.array(["young", "mid", "old"])[np.arange(n) // 2 % 3]
    return pd.DataFrame({
        "t": t, "x": x, "m": m, "y": y, "z": (y > y.mean()).astype(int), "u": u, "w": np.exp(u),
        "dose": np.array([0.0, 2.0, 10.0])[np.arange(n) % 3],
        "age": pd.Categorical(age, ["young", "mid", "old"]),
    })  # fmt: skip


@pytest.fixture(scope="module")
def data():
    return people()


@pytest.fixture(scope="module")
def linear_fit(data):
    return bm.fit(data, **LINEAR, **SHORT)


@pytest.fixture(scope="module")
def crossed_fit(data):
    """Both equations with an interaction of treatment and x."""
    own = {**LINEAR, "mediator": "m ~ t * x", "outcome": "z ~ m + t * x"}
    return bm.fit(data, **own, outcome_family="probit", **SHORT)


def with_share(effects, share):
    """The same effects, of which this share of the draws is positive."""
    draws = effects.draws.copy(deep=True)
    count = draws["total"].size
    values = np.linspace(0.01, 1.0, count) * np.where(np.arange(count) < share * count, 1.0, -1.0)
    for name in ("acme", "ade", "total"):
        shape = draws["total"].transpose("chain", "draw").shape
        draws[name] = xr.zeros_like(draws[name]) + xr.DataArray(
            values.reshape(shape), dims=("chain", "draw")
        )
    return Effects(draws, po=effects.po)


@pytest.mark.parametrize("size", [400, 1000, 2000, 4000])
def test_a_probability_and_its_complement_add_up_to_one(size):
    for k in range(size // 100, size - size // 100):
        parts = [chance(k / size), chance(1.0 - k / size)]
        assert sum(int(shown.replace(".", "")) for _, shown in parts) == 1000


@pytest.mark.parametrize(("share", "above", "below"), [(0.1645, "164", "836"), (0.8325, "832", "")])
def test_one_rounding_for_print_table_frame_and_paragraph(linear_fit, share, above, below):
    """0.1645 and 0.8325 are ties: print had .164 and .832, the table .165 and .833."""
    draws = xr.concat([linear_fit.effects().draws] * 2, dim="chain").assign_coords(chain=range(8))
    effects = with_share(Effects(draws), share)  # 2000 draws, so that both are shares of them
    table = effects.summary()
    assert float(table.loc["Total effect", "P(>0)"]) == share
    assert f"0.{above}" in table.to_string().split("Total effect")[1].split("\n")[0]
    assert f"0.{above}" in repr(effects).split("Total effect")[1].split("\n")[0]
    assert f"0.{above}" in effects._repr_html_()
    assert effects.table(style="frame").loc["Total effect", "P(> 0)"] == f".{above}"
    told = f"P(< 0) = 0.{below}" if below else f"P(> 0) = 0.{above}"
    assert linear_fit.report(effects=effects).count(told) == 3


def printed_chances(table):
    """Texts in the columns of probabilities."""
    shown = table.in_print()
    return shown[[c for c in shown if re.search(r"P\(|^probability$", str(c))]].to_numpy().ravel()


def test_no_probability_of_draws_is_nought_or_one_in_print(linear_fit):
    sweep = linear_fit.sensitivity([-0.3, 0.0, 0.3])
    tables = [
        linear_fit.coefficients(), linear_fit.effects().summary(direction=True), sweep.summary(),
        sweep.tipping_summary(), sweep.conclusions(), sweep.r_squared().summary(),
        sweep.r_squared().tipping_summary(), linear_fit.benchmarks().summary(),
        linear_fit.benchmarks().strength_summary(sweep),
    ]  # fmt: skip
    for table in tables:
        texts = printed_chances(table)
        assert texts.size
        assert all(re.fullmatch(r"[<>]?0\.\d{3}|NaN", text) for text in texts)
        assert not {"0.000", "1.000"} & set(texts)
    sigma = tables[0].loc[[("mediator", "sigma")]]
    assert float(sigma["P(>0)"].iloc[0]) == 1.0  # the number itself
    with pd.option_context("display.width", 200, "display.max_columns", 20):
        shown = [repr(sigma), sigma.to_string(), sigma.to_markdown(), repr(pd.concat([sigma] * 2))]
        assert "&gt;0.999" in sigma._repr_html_()
    assert all(">0.999" in text for text in shown)
    assert "&gt;0.999" in sigma.to_html()
    whole = pd.read_csv(io.StringIO(tables[0].to_csv()))
    np.testing.assert_array_equal(whole["P(>0)"], tables[0]["P(>0)"])


def test_a_printed_table_has_missing_probabilities_and_twice_the_same_column():
    table = Printed([[0.25, np.nan]], columns=["P(>0)", "P(>0)"])
    assert repr(table).split() == ["P(>0)", "P(>0)", "0", "0.250", "NaN"]


def test_shares_of_draws_are_nought_and_all_only_where_they_are():
    assert [percent(s) for s in (0.0, 1 / 4000, 0.0125, 3999 / 4000, 1.0)] == [
        "0.0%", "less than 0.1%", "1.2%", "more than 99.9%", "100.0%",
    ]  # fmt: skip


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


def test_r_hat_of_rho_star_does_not_fall_for_one_draw_without_a_root(linear_fit):
    sweep = linear_fit.sensitivity([-0.3, 0.0, 0.3])
    whole = sweep.tipping_summary(round_to=None)
    zero = sweep.rho_zero.copy(deep=True)
    zero["rho_zero"][dict(arm=2, chain=1, draw=7)] = np.nan
    gap = Sensitivity(sweep.draws, zero).tipping_summary(round_to=None)
    row = "rho* of ACME (average)"
    for column in ("r_hat", "ess_bulk", "mcse", "median"):
        assert gap.loc[row, column] == pytest.approx(whole.loc[row, column], rel=0.1)
    assert abs(gap.loc[row, "r_hat"] - whole.loc[row, "r_hat"]) < 0.005
    zero["rho_zero"][dict(arm=2, chain=1)] = zero["rho_zero"][dict(arm=2, chain=1)] + 1.0
    apart = Sensitivity(sweep.draws, zero).tipping_summary(round_to=None)
    assert apart.loc[row, "r_hat"] > 1.5  # it sees chains that disagree


def test_figures_have_groups_in_the_order_of_the_tables(crossed_fit):
    effects = crossed_fit.effects(by="age")
    shown = [label.get_text().split(", ")[1] for label in effects.plot().get_yticklabels()]
    table = effects.summary().index.get_level_values(0)
    assert list(dict.fromkeys(shown)) == list(dict.fromkeys(table)) == ["young", "mid", "old"]


@pytest.mark.fit
def test_levels_of_a_treatment_are_in_their_order(data):
    own = {"mediator": "m ~ dose", "outcome": "y ~ m + dose", "treatment": "dose"}
    fit = bm.fit(data, **own, control=2.0, treated=0.0, **SHORT)
    assert list(fit.about["arms"]) == ["2", "0", "10"]
    own = {"mediator": "m ~ age", "outcome": "y ~ m + age", "treatment": "age"}
    more = data.assign(age=pd.Categorical(data["age"].astype(str).replace("mid", "a"),
                                          ["young", "z", "old", "a"]))  # fmt: skip
    fit = bm.fit(more, **own, control="old", treated="a", **SHORT)
    assert list(fit.about["arms"])[:3] == ["old", "a", "young"]
    assert list(fit.check(draws=20).index.get_level_values("arm").unique())[-1] == "young"


@pytest.mark.parametrize("asked", [{"weights": "w"}, {"on": "treated"}, {"average": "population"}])
def test_an_average_that_changes_nothing_is_said_to(linear_fit, crossed_fit, asked):
    told = "which changes nothing here: the effects are the same for every row"
    effects = linear_fit.effects(**asked)
    np.testing.assert_allclose(effects.draws["acme"], linear_fit.effects().draws["acme"], rtol=1e-9)
    assert told in repr(effects)
    assert told in linear_fit.report(effects=effects)
    assert told not in repr(linear_fit.effects())
    other = crossed_fit.effects(scale="ratio", **asked)  # whose base differs between rows
    assert told not in repr(other)
    other = crossed_fit.effects(**asked)
    assert not np.allclose(other.draws["acme"], crossed_fit.effects().draws["acme"])
    assert told not in repr(other)


def test_groups_that_do_not_differ_are_said_not_to(linear_fit):
    effects = linear_fit.effects(by="age")
    assert float(abs(effects.differences().draws["acme"]).max()) < 1e-12
    for shown in (effects, effects.where(by="old")):
        assert "the effects are the same for every row" in repr(shown)


@pytest.mark.fit
def test_an_interaction_of_treatment_and_mediator_makes_rows_differ(data):
    fit = bm.fit(data, **{**LINEAR, "outcome": "y ~ m * t + x"}, **SHORT)
    assert "for every row" not in repr(fit.effects(weights="w"))


def test_latex_has_a_caption_with_and_without_a_title(linear_fit):
    sweep = linear_fit.sensitivity([-0.3, 0.0, 0.3])

    def tables(**title):
        return [
            linear_fit.effects().table(style="latex", **title), linear_fit.table(style="latex", **title),
            sweep.table(every=0.3, style="latex", **title),
            bm.table({"A_1": linear_fit}, style="latex", **title),
        ]  # fmt: skip

    for text, own in zip(tables(), ("of t on y", "of m and y", "ACME", r"A\_1"), strict=True):
        assert text.count(r"\caption{") == 1
        assert own in re.search(r"\\caption\{(.*)\}", text)[1]
        assert r"-\textgreater" not in text  # arrows are arrows
    assert all(r"\caption{My title}" in text for text in tables(title="My title"))
    assert linear_fit.effects().table(style="markdown").startswith("| Effect")


@pytest.mark.fit
def test_a_loaded_fit_standardises(data, tmp_path):
    own = {"mediator": "m ~ u + x", "outcome": "y ~ m + u + x", "treatment": "u"}
    fit = bm.fit(data, **own, control=0.0, treated=2.0, **SHORT)
    fit.save(tmp_path / "f.nc")
    found = bm.load(tmp_path / "f.nc").effects(scale="standardised")
    by_hand = fit.effects().draws["acme"] / 2.0 * data["u"].std() / data["y"].std()
    np.testing.assert_allclose(found.draws["acme"], by_hand, rtol=1e-9)
    assert repr(found).startswith("Mediation effects of u: one sd more on y")
    assert "one standard deviation more of it" in fit.report(effects=found)


def test_a_file_says_how_the_data_differ(data, linear_fit, tmp_path):
    path, prior = tmp_path / "f.nc", {"outcome": {"m": bm.Prior("Normal", mu=0, sigma=1)}}
    linear_fit.save(path)

    def told(frame, **own):
        with pytest.raises(ValueError, match="not the one that") as caught:
            bm.load(path, model=bm.MediationModel(frame, **{**LINEAR, **own}))
        return str(caught.value).split("different: ")[1].split(". Build")[0]

    turned = data.sample(frac=1.0, random_state=1)
    assert "the order of the rows" in told(turned)
    assert "prior" not in told(turned)
    assert told(data.assign(x=2.0 * data["x"], y=data["y"] + 1.0)) == "the values of y, x"
    assert told(data.assign(x=turned["x"].to_numpy())) == "which values stand in one row"
    assert told(data, priors=prior) == "priors of m (outcome)"
    assert told(turned, priors=prior).endswith("priors of m (outcome)")
    assert bm.load(path, model=bm.MediationModel(data.copy(), **LINEAR)).model is not None


def paths_of(fit):
    found = path_draws(fit)
    return found, path_labels(found, "0", False, contrast_words(fit.description))


def test_a_path_that_differs_between_rows_is_labelled(data, crossed_fit):
    paths, labels = paths_of(crossed_fit)
    coef = crossed_fit.posterior["mediator_coef"]
    by_hand = coef.sel(mediator_term="t") + data["x"].mean() * coef.sel(mediator_term="t:x")
    np.testing.assert_allclose(paths["a"], by_hand, rtol=1e-9)
    assert labels["a"].startswith("a (average) = ")
    assert labels["b"].startswith("b = ")
    assert labels["c'"].startswith("c' (average) = ")
    table = crossed_fit.coefficients()["path"]
    assert table["mediator", "t"] == "a where x = 0"
    assert table["outcome", "t"] == "c' where x = 0"
    assert table["outcome", "m"] == "b"


@pytest.mark.fit
@pytest.mark.parametrize(
    ("own", "a", "where"),
    [
        ({"control": 0.0, "treated": 2.5}, "a (0 → 2.5) = ", "a per unit"),
        ({"control": 1.0, "treated": 0.0}, "a (1 → 0) = ", "a per unit"),
        ({"control": 1.0, "treated": 2.0}, "a = ", "a"),
    ],
)
def test_a_path_of_another_contrast_than_one_unit_is_labelled(data, own, a, where):
    model = {"mediator": "m ~ u", "outcome": "y ~ m + u", "treatment": "u"}
    fit = bm.fit(data, **model, **own, **SHORT)
    paths, labels = paths_of(fit)
    step = own["treated"] - own["control"]
    np.testing.assert_allclose(
        paths["a"], step * fit.posterior["mediator_coef"].sel(mediator_term="u"), rtol=1e-9
    )
    assert labels["a"].startswith(a)
    assert fit.coefficients()["path"]["mediator", "u"] == where
    assert fit.plot_paths().texts


@pytest.mark.fit
def test_paths_where_several_things_interact(data):
    own = {**LINEAR, "mediator": "m ~ t * age + x", "outcome": "y ~ m * t * x + age"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IdentificationWarning)  # of t:age, in one formula
        table = bm.fit(data, **own, **SHORT).coefficients()["path"]
    assert table["mediator", "t"] == "a where age is the reference"
    assert table["outcome", "m"] == "b where t = 0, x = 0"
    assert table["outcome", "t"] == "c' where m = 0, x = 0"
    assert table["outcome", "m:t"] == "b x c' where x = 0"
    own = {"mediator": "m ~ u + I(u**2)", "outcome": "y ~ m + u + I(u**2)", "treatment": "u"}
    table = bm.fit(data, **own, control=0.0, treated=1.0, **SHORT).coefficients()["path"]
    assert table["mediator", "u"] == table["outcome", "u"] == ""  # no coefficient is the path
    assert table["outcome", "m"] == "b"


@pytest.mark.fit
@pytest.mark.parametrize("units", [(1e12, 1e-12), (1e-12, 1e12)])
@pytest.mark.parametrize("family", ["gaussian", "probit"])
def test_columns_in_units_far_apart_are_no_matter(data, units, family):
    """No warning of ill-conditioned matrices, and the same effects."""
    outcome = "y" if family == "gaussian" else "z"
    own = {**LINEAR, "outcome": f"{outcome} ~ m + t + x", "outcome_family": family}
    far = data.assign(x=data["x"] * units[0], m=data["m"] * units[1])
    effects = [bm.fit(frame, **own, **SHORT).effects().draws["acme"] for frame in (data, far)]
    np.testing.assert_allclose(effects[1], effects[0], rtol=1e-5, atol=1e-9)


def test_a_proportion_of_ratios_has_no_probability_of_a_direction(crossed_fit):
    table = crossed_fit.effects(scale="ratio").summary(direction=True)
    assert table.loc["Prop. mediated (average)", ["P(>1)", "P(direction)"]].isna().all()
    assert table.loc["ACME (average)", ["P(>1)", "P(direction)"]].notna().all()
