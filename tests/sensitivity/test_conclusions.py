"""Probability statements along rho, against closed forms of normal curves and counted draws."""

import json

import numpy as np
import pytest
import xarray as xr
from scipy import integrate, optimize
from scipy.special import ndtr, ndtri

import bayesmed as bm
from bayesmed.sensitivity.claims import Claim, choose_effect, every_effect, null_value
from bayesmed.sensitivity.conclusions import (
    conclusions_table,
    extent,
    probability_curve,
    probability_within,
)
from tests.support.handmade import told
from tests.support.models import SETTINGS

SIZE = (4, 1000)
COUNT = 4000
#: Mean, slope in rho / sqrt(1 - rho^2) and sd of each effect's normal curve.
CURVES = {"acme": (0.21, 0.35, 0.08), "ade": (-0.06, -0.35, 0.1), "total": (0.15, 0.0, 0.06)}
GRID = np.array([-0.9, -0.5, -0.2, 0.0, 0.2, 0.5, 0.9])


def x_of(rho):
    return rho / np.sqrt(1 - rho**2)


def normal_draws(mean, sd, rng):
    """Even quantiles of a normal distribution, so that shares are right to half a draw."""
    points = ndtri((np.arange(COUNT) + 0.5) / COUNT)
    return mean + sd * rng.permutation(points).reshape(SIZE)


def curves(grid=GRID, scale=None, shift=0.0, **about):
    """A sensitivity Dataset whose draws at different rho are not paired."""
    rng, data = np.random.default_rng(4), {}
    for name, (mean, slope, sd) in CURVES.items():
        along = [normal_draws(shift + mean - slope * x, sd, rng) for x in x_of(grid)]
        if name == "total":
            data[name] = (("rho", "chain", "draw"), np.array(along))
        else:
            data[name] = (("rho", "arm", "chain", "draw"), np.repeat(along, 3, 0).reshape(-1, 3, *SIZE))  # fmt: skip
    if scale is not None:
        about["scale"] = scale
    coords = {"rho": grid, "arm": ["control", "treated", "average"]}
    return xr.Dataset(data, coords, told(**about))


def sensitivity(draws):
    return bm.Sensitivity(draws, xr.Dataset())


def share_above(effect, rho, null=0.0):
    mean, slope, sd = CURVES[effect]
    return ndtr((mean - slope * x_of(rho) - null) / sd)


@pytest.mark.parametrize("effect", ["acme", "ade", "total"])
def test_probabilities_of_normal_curves(effect):
    sens = sensitivity(curves())
    above = sens.probability(effect)["probability"]
    np.testing.assert_allclose(above, share_above(effect, GRID), atol=0.5 / COUNT + 1e-12)
    below = sens.probability(effect, direction="negative")["probability"]
    np.testing.assert_allclose(above + below, 1.0)
    mean, slope, sd = CURVES[effect]
    centre, rope = mean - slope * x_of(GRID), (-0.05, 0.1)
    inside = ndtr((rope[1] - centre) / sd) - ndtr((rope[0] - centre) / sd)
    found = sens.probability(effect, direction="inside", rope=rope)["probability"]
    np.testing.assert_allclose(found, inside, atol=1.0 / COUNT)
    outside = sens.probability(effect, direction="outside", rope=rope)["probability"]
    np.testing.assert_allclose(outside, 1.0 - found)
    upper = sens.probability(effect, direction="outside", rope=(-np.inf, 0.1))["probability"]
    np.testing.assert_allclose(upper, ndtr((centre - 0.1) / sd), atol=0.5 / COUNT + 1e-12)


def test_error_of_a_probability_is_that_of_a_share():
    """For independent draws sqrt(p (1 - p) / S); ArviZ estimates S to some per cent."""
    curve = sensitivity(curves()).probability("total")
    p = share_above("total", GRID)
    np.testing.assert_allclose(curve["mcse"], np.sqrt(p * (1 - p) / COUNT), rtol=0.25)
    sure = sensitivity(curves()).probability("acme")["mcse"].sel(rho=-0.9)
    assert float(sure) == 0.0


def test_a_ratio_has_its_null_at_one():
    draws = curves(scale="ratio", shift=1.0)
    assert null_value(draws, "acme") == 1.0
    found = sensitivity(draws).probability("acme")
    np.testing.assert_allclose(found["probability"], share_above("acme", GRID), atol=1.0 / COUNT)
    assert json.loads(found.attrs["bayesmed"])["claim"] == "ACME (average) > 1"
    with pytest.raises(ValueError, match="does not hold 1"):
        sensitivity(draws).probability("acme", direction="outside", rope=(-0.1, 0.1))
    # A component of an excess ratio says so itself.
    draws["acme"].attrs["scale"] = "difference"
    assert null_value(draws, "acme") == 0.0
    # Shares, and parts of the excess, are none at 0 whatever the scale.
    for part in ("prop_mediated", "share_pnie", "int_ref", "int_med", "pnie", "excess_cde"):
        assert null_value(draws.assign({part: draws["ade"]}), part) == 0.0
    assert null_value(draws.assign(cde=draws["ade"]), "cde") == 1.0
    with pytest.raises(ValueError, match="scale 'furlong'"):
        null_value(curves(scale="furlong"), "ade")


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(
    "grid", [GRID, np.array([-0.9, -0.35, 0.6, 0.9]), np.linspace(-0.9, 0.9, 37)]
)
def test_radius_of_a_normal_curve(level, grid):
    """Phi((a - b x) / s) = level at x = (a - s Phi^-1(level)) / b, on any grid around it."""
    mean, slope, sd = CURVES["acme"]
    x = (mean - sd * ndtri(level)) / slope
    exact = x / np.sqrt(1 + x * x)
    found = extent(curves(grid), Claim("acme"), level)
    # Even quantiles: the margin that decides is half a draw away.
    half = sd * 0.5 / COUNT / np.exp(-0.5 * ndtri(level) ** 2) * np.sqrt(2 * np.pi)
    assert found.high == pytest.approx(exact, abs=1.1 * half / slope)
    assert np.isnan(found.low)
    assert found.r == found.high
    assert found.interval == (-0.9, found.high)
    # The error of the quantile, sqrt(p (1 - p) / S) / density, over the slope in rho.
    density = np.exp(-0.5 * ndtri(level) ** 2) / np.sqrt(2 * np.pi) / sd
    error = np.sqrt(level * (1 - level) / COUNT) / density / slope * (1 - exact**2) ** 1.5
    assert found.mcse_r == pytest.approx(error, rel=0.3)


def test_worst_case_is_what_the_sentence_says():
    """Within r every rho has the probability, just beyond it one has not."""
    draws = curves(np.linspace(-0.9, 0.9, 37))
    r = extent(draws, Claim("acme"), 0.95).r
    assert probability_within(draws, Claim("acme"), r - 1e-6).worst >= 0.95
    beyond = probability_within(draws, Claim("acme"), r + 1e-6)
    assert beyond.worst < 0.95
    assert beyond.worst_rho == pytest.approx(r + 1e-6)
    assert beyond.averaged > beyond.worst + 0.03


@pytest.mark.parametrize("effect", ["acme", "ade", "total"])
@pytest.mark.parametrize("r", [0.0, 0.15, 0.5, 0.77])
def test_average_and_worst_over_an_interval(effect, r):
    draws = curves(np.linspace(-0.9, 0.9, 37))
    found = probability_within(draws, Claim(effect), r)
    ends = share_above(effect, np.array([-r, r]))
    assert found.worst == pytest.approx(ends.min(), abs=0.6 / COUNT)
    if found.worst > 0:  # where no draw is left the nearest such rho is named
        assert abs(found.worst_rho) == (pytest.approx(r) if effect != "total" else 0.0)
    mean = share_above(effect, 0.0)
    if r > 0:
        mean = integrate.quad(lambda rho: share_above(effect, rho), -r, r)[0] / (2 * r)
    assert found.averaged == pytest.approx(mean, abs=1.0 / COUNT)
    assert found.worst_mcse == pytest.approx(np.sqrt(found.worst * (1 - found.worst) / COUNT), rel=0.3, abs=1e-12)  # fmt: skip


def test_claims_that_do_not_hold_at_zero_or_hold_everywhere():
    draws = curves()
    never = extent(draws, Claim("ade"), 0.95)
    assert (never.r, never.low, never.high) == (0.0, 0.0, 0.0)
    assert "does not hold at 95%: its probability at rho = 0 is 0.274" in str(never)
    always = extent(draws, Claim("total"), 0.95)
    assert np.isnan(always.r)
    assert str(always) == (
        "Total effect > 0 holds at 95% for all |rho| up to 0.9, the end of the grid."
    )
    sure = Claim("total", direction="inside", rope=(-10.0, 10.0))
    assert "at the worst, at rho = 0, it is above 0.999" in str(
        probability_within(draws, sure, 0.5)
    )


def test_sentences_name_the_radius_each_side_and_the_end_of_the_grid():
    text = str(extent(curves(), Claim("acme"), 0.95))
    # (0.2 - 0.08 * 1.6449) / 0.35 = 0.1955; 0.1955 / sqrt(1 + 0.1955^2) = 0.2189
    assert text == (
        "ACME (average) > 0 holds at 95% for |rho| <= 0.218: for negative rho to -0.9, the end of "
        "the grid; for positive rho to 0.218."
    )
    half = str(extent(curves(np.array([0.0, 0.2, 0.5])), Claim("acme"), 0.95))
    assert half.endswith("at rho = 0: the grid has no negative rho; for positive rho to 0.218.")
    short = extent(curves(np.array([-0.1, 0.0, 0.2, 0.5])), Claim("acme"), 0.95)
    assert np.isnan(short.r)
    assert "for |rho| <= 0.1: for negative rho to -0.1, the end of the grid" in str(short)


def test_first_failure_counts_where_a_curve_turns():
    """A claim that fails at 0.2 and is true again further out reaches to 0.2 only."""
    draws = curves()
    turned = draws["total"].copy()
    turned.loc[{"rho": 0.2}] -= 1.0
    found = extent(draws.assign(total=turned), Claim("total"), 0.95)
    assert 0.0 < found.high < 0.2
    assert np.isnan(found.low)
    within = probability_within(draws.assign(total=turned), Claim("total"), 0.5)
    assert (within.worst, within.worst_rho) == (0.0, 0.2)


@pytest.mark.slow
def test_probability_is_that_of_a_refit_at_its_rho(jobs_fit):
    """Closed pair: the curve and a fit at that rho have the same draws, so the same count."""
    rho = -0.13
    again = jobs_fit.model.with_rho(rho).fit(**{**SETTINGS, "draws": 4000})
    curve = jobs_fit.sensitivity([-0.5, rho, 0.0, 0.5])
    effects = again.effects().draws
    for effect in ("acme", "ade", "total"):
        drawn = choose_effect(effects, effect).to_numpy()
        found = curve.probability(effect)["probability"].sel(rho=rho)
        assert float(found) == np.mean(drawn > 0)
        outside = curve.probability(effect, direction="outside", rope=(-0.01, 0.01))
        share = np.mean((drawn < -0.01) | (drawn > 0.01))
        assert float(outside["probability"].sel(rho=rho)) == share
    assert 0.02 < np.mean(choose_effect(effects, "acme") > 0) < 0.98, "a test of something"


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_interpolation_on_the_default_grid(level):
    """A curve that is no line in x, and whose spread changes: the root of Phi(m / s) = level."""
    grid = np.round(np.linspace(-0.9, 0.9, 37), 10)

    def curve(rho):
        return 0.2 - 0.5 * rho - 0.9 * rho**2, 0.05 * (1 + rho**2)

    rng, draws = np.random.default_rng(1), curves(grid)
    bent = np.array([normal_draws(*curve(rho), rng) for rho in grid])
    found = extent(draws.assign(total=(("rho", "chain", "draw"), bent)), Claim("total"), level)
    for end, side in ((found.low, (-0.9, -0.4)), (found.high, (0.0, 0.9))):

        def gap(rho):
            mean, sd = curve(rho)
            return mean / sd - ndtri(level)

        # The error of a line over a step of 0.05, here, and half a draw.
        assert end == pytest.approx(optimize.brentq(gap, *side), abs=2e-3)


def test_table_of_conclusions():
    draws = curves()
    table = sensitivity(draws).conclusions(0.95)
    assert table.index.tolist() == [
        "ACME (control)", "ACME (treated)", "ADE (control)", "ADE (treated)", "Total effect",
        "ACME (average)", "ADE (average)",
    ]  # fmt: skip
    row = table.loc["ADE (average)"]
    assert row["claim"] == "< 0"
    assert row["probability"] == pytest.approx(1 - share_above("ade", 0.0), abs=6e-4)
    assert table.loc["ACME (average)", "high"] == 0.218
    assert np.isnan(table.loc["ACME (average)", "low"])
    assert table["sentence"].map(len).min() > 40
    # At the fit's own rho, between values of the grid, where ACME is negative.
    at = conclusions_table(curves(rho_fixed=0.6), round_to=None).loc["ACME (average)"]
    assert (at["claim"], at["rho"]) == ("< 0", 0.6)
    assert at["probability"] == pytest.approx(1 - share_above("acme", 0.6), abs=1 / COUNT)
    assert "does not hold" in at["sentence"]
    assert conclusions_table(curves(rho_fixed=None))["rho"].tolist() == [0.0] * 7


def test_further_dimensions_and_variables():
    """Any variable with draws serves, and its other dimensions are chosen by where=."""
    women, men = curves(), curves()
    men["acme"] = men["acme"] + 0.3
    cde = women["total"].expand_dims(m=[1.0, 2.0])
    women, men = women.assign(cde=cde), men.assign(cde=cde)
    both = xr.concat([women, men], xr.DataArray(["female", "male"], dims="by", name="by"))
    both = both.assign(pareto_k=("rho", np.zeros(len(GRID))), how=("rho", ["exact map"] * 7))
    both.attrs = women.attrs
    sens = sensitivity(both)
    found = sens.probability("acme", where={"by": "male"})
    np.testing.assert_array_equal(
        found["probability"], probability_curve(men, Claim("acme"))["probability"]
    )
    name = json.loads(found.attrs["bayesmed"])["claim"]
    assert name == "ACME (average, by = male) > 0"
    chosen = sens.holds(effect="cde", where={"by": "female", "m": 2.0})
    assert chosen.claim == "CDE (by = female, m = 2.0) > 0"
    with pytest.raises(ValueError, match=r"further dimensions \{'by': \['female', 'male'\]\}"):
        sens.probability("acme")
    with pytest.raises(ValueError, match=r"choose one of \['female', 'male'\]"):
        sens.probability("acme", where={"by": "child"})
    with pytest.raises(ValueError, match="names 'age'"):
        sens.probability("acme", where={"age": 3})
    with pytest.raises(TypeError, match="where="):
        sens.probability("acme", where="female")
    rows = [row for row in every_effect(both) if row[0] == "cde"]
    assert len(rows) == 4
    assert len(sens.conclusions()) == 2 * 7 + 4
    assert len(sens.conclusions(where={"by": "male"})) == 7 + 2


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"rope": (0.1, -0.1), "direction": "outside"}, ValueError, "wrong way round"),
        ({"rope": (0.1, 0.1), "direction": "outside"}, ValueError, "wrong way round"),
        ({"rope": 0.1, "direction": "outside"}, TypeError, "two numbers"),
        ({"rope": (0.1,), "direction": "inside"}, TypeError, "two numbers"),
        ({"rope": (-0.1, 0.0, 0.1), "direction": "inside"}, TypeError, "two numbers"),
        ({"rope": (np.nan, 0.1), "direction": "inside"}, TypeError, "two numbers"),
        ({"rope": "12", "direction": "inside"}, TypeError, "two numbers"),
        ({"rope": (-np.inf, np.inf), "direction": "inside"}, ValueError, "every effect"),
        ({"rope": (0.1, 0.2), "direction": "inside"}, ValueError, "does not hold 0"),
        ({"direction": "outside"}, ValueError, "needs rope="),
        ({"rope": (-0.1, 0.1)}, ValueError, "no use with direction='positive'"),
        ({"direction": "up"}, ValueError, "choose one of"),
        ({"effect": "pareto_k"}, ValueError, "choose one of"),
        ({"arm": "both"}, ValueError, "choose one of"),
    ],
)
def test_errors_say_what_was_wrong(options, error, match):
    with pytest.raises(error, match=match):
        sensitivity(curves()).probability(**options)


def test_errors_of_levels_radii_grids_and_draws():
    draws = curves()
    for level in (0.0, 1.0, 95, True, "high"):
        with pytest.raises(ValueError, match="level must be"):
            extent(draws, Claim(), level)
    for r in (-0.1, 1.0, True, "wide"):
        with pytest.raises(ValueError, match="r must be"):
            probability_within(draws, Claim(), r)
    with pytest.raises(ValueError, match="beyond the grid"):
        probability_within(draws, Claim(), 0.95)
    with pytest.raises(ValueError, match="needs one with 0"):
        extent(curves(np.array([0.2, 0.5])), Claim())
    draws["acme"][0, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        probability_curve(draws, Claim(arm="control"))


def test_without_a_direction_the_likelier_sign_is_claimed(jobs_fit):
    curve = jobs_fit.sensitivity([-0.2, 0.0, 0.2])
    positive = float((curve.draws["acme"].sel(rho=0.0, arm="average") > 0).mean())
    found, other = curve.holds(), curve.holds(direction="positive")
    assert found.at_zero == pytest.approx(max(positive, 1.0 - positive))
    assert other.at_zero == pytest.approx(positive)
    assert ("< 0" in found.claim) == (positive < 0.5)
