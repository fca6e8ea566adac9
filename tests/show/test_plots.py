"""What the figures about rho show, read from their artists."""

import json
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

import bayesmed as bm
from bayesmed.sensitivity.claims import Claim
from bayesmed.sensitivity.conclusions import extent, probability_curve
from bayesmed.show.plots import plot_effects, plot_probability, plot_rho, plot_rho_zero
from bayesmed.show.plots.paths import path_labels
from tests.support.figures import GRID, curve, effects, even, rho, tipping
from tests.support.made import made


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def test_probability_line_passes_the_grid_and_the_shade_is_where_it_holds():
    ax = plot_probability(curve())
    x, y = ax.lines[0].get_data()
    known = probability_curve(curve(), Claim())["probability"]
    np.testing.assert_allclose(np.interp(GRID, x, y), known)
    shade = ax.patches[0].get_bbox()
    found = extent(curve(), Claim(), 0.95)
    assert (shade.x0, shade.x1) == pytest.approx(found.interval)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts[0] == "ACME (average) > 0"
    assert texts[2].startswith("holds for ρ from −0.90 to 0.2")


def test_nothing_is_shaded_where_the_claim_does_not_hold():
    ax = plot_probability(curve(), direction="negative")
    assert not ax.patches
    assert "does not hold at ρ = 0" in [t.get_text() for t in ax.get_legend().get_texts()]
    positive = curve().sel(rho=GRID[GRID > 0.05])
    assert not plot_probability(positive).patches, "a grid without zero has no interval around it"


def test_area_of_the_tipping_point_is_the_share_with_a_root():
    for end in (1.0, 0.5):
        draws = tipping(end)
        share = float((draws["roots"].sel(arm="average") > 0).mean())
        x, y = plot_rho_zero(draws).lines[0].get_data()
        # A kernel estimate; ArviZ corrects it at the ends of the draws.
        assert np.trapezoid(y, x) == pytest.approx(share, abs=0.01)


def test_share_without_a_root_is_said_and_no_interval_of_a_cut_posterior_drawn():
    whole, cut = plot_rho_zero(tipping()), plot_rho_zero(tipping(0.5))
    assert [text.get_text() for text in whole.texts] == [""] or not whole.texts
    # P(tanh(N(0.5, 0.12)) > 0.5) = Phi((0.5 - 0.5493) / 0.12) = 0.3406
    assert cut.texts[0].get_text() == "no root between −0.5 and 0.5: 34.1% of draws"
    assert len(whole.lines) == len(cut.lines) + 3
    none = tipping()
    none["rho_zero"][:] = np.nan
    none["roots"][:] = 0
    assert "100.0%" in plot_rho_zero(none).texts[0].get_text()
    none["roots"][:] = 2
    assert "several" in plot_rho_zero(none).texts[0].get_text()


def test_densities_of_rho_integrate_to_one_and_say_what_the_data_do():
    ax = plot_rho(rho(np.tanh(even(0.0, 0.4))))
    for line in ax.lines:
        assert np.trapezoid(*line.get_data()[::-1]) == pytest.approx(1.0, abs=0.01)
    assert "the data say nothing" in ax.get_xlabel()
    structural = plot_rho(rho(np.tanh(even(0.2, 0.3)), priors_on="structural"))
    assert "not by the data" in structural.get_xlabel()
    assert "no evidence" in plot_rho(rho(np.tanh(even(0.2, 0.3)), closed=None)).get_xlabel()


@pytest.mark.each(4)
@pytest.mark.parametrize("family", [*bm.FAMILIES, "gumbel"])
def test_effects_on_every_outcome_are_drawn_and_named(family):
    """Also on a log link, and on a family of one's own that only the model knows."""
    draws = effects()
    about = {**json.loads(draws.attrs["bayesmed"]), "families": ["gaussian", family]}
    draws.attrs["bayesmed"] = json.dumps(about)
    label = plot_effects(draws).get_xlabel()
    assert ("P(cong_mesg = 1)" in label) == (family in ("probit", "logit"))


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


def test_a_path_of_a_logarithm_is_told():
    draws = {n: xr.DataArray(np.ones((2, 9)), dims=("chain", "draw"))
             for n in ("a", "b (control)", "b (treated)", "c'")}  # fmt: skip
    assert "c' (at log M = 0) = " in path_labels(draws, "0", log_mediator=True)["c'"]
    assert "c' (at M = 0) = " in path_labels(draws, "0")["c'"]


def test_figures_have_groups_in_the_order_of_the_tables(crossed_fit):
    effects = crossed_fit.effects(by="age")
    shown = [label.get_text().split(", ")[1] for label in effects.plot().get_yticklabels()]
    table = effects.summary().index.get_level_values(0)
    assert list(dict.fromkeys(shown)) == list(dict.fromkeys(table)) == ["young", "mid", "old"]
