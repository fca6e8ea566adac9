"""Tables for papers: the numbers of the summaries, in every style."""

import io
import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayesmed as bm
from bayesmed.api.effects import Effects
from tests.support.made import arms_fit, made


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


def test_latex_has_a_numbered_caption_and_the_size_of_the_document():
    text = arms_fit().effects(by="site").table(style="latex", title="Effects & more")
    assert text.startswith("% \\usepackage{booktabs}\n\\begin{table}")
    assert r"\caption{Effects \& more}" in text and "caption*" not in text
    assert "fontsize" not in text and "l|c" not in text and "\n\n" not in text
    assert "site: a" in text and r"usual $\to$ coach" in text and "->" not in text


def test_tables_along_rho_of_proportions_and_fine_grids():
    fit = made("probit")
    curve = fit.sensitivity([-0.125, 0.0, 0.125], scale="ratio")
    share = curve.table(effect="prop_mediated", every=0.125, style="frame")
    assert share.index.tolist() == ["−.125", ".000", ".125"]
    assert share.iloc[:, -1].tolist() == ["–"] * 3


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
