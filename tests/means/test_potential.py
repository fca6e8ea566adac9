"""Counterfactual means, the closed map, curves and tipping points against quadrature."""

import itertools
import tracemalloc
import warnings
from functools import cache

import numpy as np
import pytest
from scipy import integrate, interpolate, optimize, special, stats

import bayesmed as bm
from bayesmed.means.along_rho import Regression, curve_cells
from bayesmed.means.means import cell_means
from bayesmed.means.tipping import roots_on_grid, tipping_points
from bayesmed.posterior import blocks
from bayesmed.sensitivity.grid import DEFAULT_GRID
from tests.support.handmade import hand_draws
from tests.support.models import quiet_model

ARMS = (0, 1)
CELLS = list(itertools.product(ARMS, ARMS))
BASIC = ("gaussian", "probit", "logit")  # the others: tests/means/test_means.py
PAIRS = list(itertools.product(BASIC, BASIC))
CLOSED = [("gaussian", "gaussian"), ("gaussian", "probit")]
SPLINE = "bs(m, df=4, extrapolation='extend')"

pairs = pytest.mark.parametrize("pair", PAIRS, ids="-".join)
closed_pairs = pytest.mark.parametrize("pair", CLOSED, ids="-".join)


@cache
def simulated(pair, n=40):
    data = bm.simulate(
        n, mediator_family=pair[0], outcome_family=pair[1], random_seed=4, truth_size=1000
    ).data
    rng = np.random.default_rng(5)
    data["g"] = rng.permutation(np.arange(n) % 3)
    data["g"] = data["g"].map({0: "a", 1: "b", 2: "c"}).astype("category")
    return data.rename(columns={"treat": "t"})


def build(pair, mediator="m ~ t + x", outcome="y ~ m + t + x", **arguments):
    data = arguments.pop("data", None)
    return quiet_model(
        simulated(pair) if data is None else data, mediator=mediator, outcome=outcome,
        treatment=arguments.pop("treatment", "t"),
        mediator_family=pair[0], outcome_family=pair[1], **arguments,
    )  # fmt: skip


def scales(family, rng, size):
    return {"sigma": rng.uniform(0.6, 1.4, size)} if family == "gaussian" else {}


def random_draws(model, rho, size=3, seed=0):
    rng, names = np.random.default_rng(seed), [family.name for family in model.families.values()]
    sizes = [len(design.terms) for design in model.designs]
    equations = [
        (rng.normal(0.0, 0.7, (size, width)), scales(name, rng, size))
        for width, name in zip(sizes, names, strict=True)
    ]
    return hand_draws(*equations, np.full(size, float(rho)))


# --- the structural model, written out ------------------------------------------------------


def spline_knot(model):
    return model.frame.data["m"].quantile(0.5)


def spline_columns(model, m):
    """The B-splines of m, whose polynomials at the ends go on outside."""
    values = model.frame.data["m"]
    knots = np.repeat([values.min(), spline_knot(model), values.max()], [4, 1, 4])
    return interpolate.BSpline(knots, np.eye(5), 3, extrapolate=True)(m)[..., 1:]


def predictor(model, equation, coef, t):
    """Linear predictor as a function of m, each design column read from its name.

    Returns coefficients of 1, m and m squared, each (obs, S), and the function.
    """
    data = model.frame.data
    known = {"Intercept": 1.0, "t": t, "C(t)[T.0]": 1 - t, "C(t)[T.1]": t, "x": data.get("x")}
    known |= {f"g[T.{level}]": data.get("g") == level for level in "bc"}
    powers = {"m": 1, "C(m)[T.1.0]": 1, "I(m ** 2)": 2, "I(m**2)": 2}
    parts, splines = np.zeros((3, len(data), len(coef))), []
    for term, own in zip(model.designs[equation].terms, coef.T, strict=True):
        row, power = np.ones(len(data)), 0
        for factor in term.split(":"):
            if factor.startswith("bs("):
                splines.append(own)
            elif factor in powers:
                power += powers[factor]
            else:
                row = row * np.asarray(known[factor], dtype=float)
        if not term.startswith("bs("):
            parts[power] += row[:, None] * own

    def at(m):
        eta = parts[0] + parts[1] * m + parts[2] * m * m
        return eta + (spline_columns(model, m) * np.array(splines).T).sum(-1) if splines else eta

    return parts, at


def threshold(family, eta):
    """The score above which a binary response is one."""
    return -eta if family == "probit" else special.ndtri(special.expit(-eta))


def mean_given_score(family, eta, e, draws):
    """E[Y | eta, e_m = e], from e_y = rho e + k z."""
    if family == "gaussian":
        return eta + draws.rho * draws.outcome.parameters["sigma"] * e
    k = np.sqrt(1.0 - draws.rho**2)
    return special.ndtr((draws.rho * e - threshold(family, eta)) / k)


def truth(model, draws, by_row=False):
    """The four cells by adaptive quadrature of E[Y(t, M(t'))] over e_m, (2, 2, S)."""
    first, second = (family.name for family in model.families.values())
    sigma, cells = draws.mediator.parameters.get("sigma"), []
    for t, s in CELLS:
        eta_m = predictor(model, 0, draws.mediator.coef, s)[1](0.0)
        eta = predictor(model, 1, draws.outcome.coef, t)[1]
        # Integrate up and down from where M, or the outcome in it, is not smooth.
        cut = threshold(first, eta_m) if sigma is None else (spline_knot(model) - eta_m) / sigma

        def at(m, e, eta=eta):
            return stats.norm._pdf(e) * mean_given_score(second, eta(m), e, draws)

        def both(u, at=at, eta_m=eta_m, cut=cut):
            if sigma is None:
                values = at(1.0, cut + u) + at(0.0, cut - u)
            else:
                values = sum(at(eta_m + sigma * e, e) for e in (cut + u, cut - u))
            return values if by_row else values.mean(axis=0)

        end = 10.0 + np.abs(cut).max()
        cells.append(
            integrate.quad_vec(both, 0.0, end, 1e-10, 1e-10, norm="max", points=(1.0, 3.0, 6.0))[0]
        )
    return np.reshape(cells, (2, 2, *cells[0].shape))


def closed_truth(model, draws):
    """The same of a Gaussian mediator: in closed form, or by a dense trapezoid for a square."""
    out, sigma = np.empty((2, 2, len(draws))), draws.mediator.parameters["sigma"]
    for t, s in CELLS:
        mean = predictor(model, 0, draws.mediator.coef, s)[1](0.0)
        (base, slope, square), eta = predictor(model, 1, draws.outcome.coef, t)
        if model.families["outcome"].name == "gaussian":
            cell = base + slope * mean + square * (mean**2 + sigma**2)
        elif not square.any():
            step = slope * sigma
            spread = np.sqrt(1.0 + step**2 + 2.0 * step * draws.rho)
            cell = special.ndtr((base + slope * mean) / spread)
        else:
            e = np.linspace(-8.5, 8.5, 1201)[:, None, None]
            given = mean_given_score("probit", eta(mean + sigma * e), e, draws)
            cell = (given * stats.norm._pdf(e)).sum(axis=0) * (17.0 / 1200.0)
        out[t, s] = cell.mean(axis=0)
    return out


def assert_cells(model, draws, atol=1e-8):
    found = cell_means(draws, model.counterfactuals)
    np.testing.assert_allclose(found, truth(model, draws), rtol=0, atol=atol)


# --- counterfactual means -------------------------------------------------------------------


@pytest.mark.parametrize("rho", [-0.7, 0.0, 0.5])
@pairs
def test_cells_of_every_pair(pair, rho):
    for outcome in ("y ~ m + t + x", "y ~ m * t + m:x + g"):
        model = build(pair, "m ~ t * x + g", outcome)
        assert_cells(model, random_draws(model, rho))


@pytest.mark.parametrize("rho", [-0.7, 0.5])
@pytest.mark.parametrize("function", ["I(m**2)", SPLINE])
@pytest.mark.parametrize("outcome", BASIC)
def test_cells_with_functions_of_a_gaussian_mediator(outcome, function, rho):
    plain = "m + " if function != SPLINE else ""
    model = build(("gaussian", outcome), outcome=f"y ~ {plain}{function} + t + g")
    assert_cells(model, random_draws(model, rho))


@pytest.mark.parametrize("outcome", BASIC)
@pytest.mark.parametrize("mediator", ["probit", "logit"])
def test_a_binary_mediator_as_a_factor_changes_nothing(mediator, outcome):
    pair = (mediator, outcome)
    factor, number = (build(pair, outcome=f"y ~ {m} * t + x") for m in ("C(m)", "m"))
    draws = random_draws(number, 0.5)
    terms = [term.replace("C(m)[T.1.0]", "m") for term in factor.designs[1].terms]
    assert terms == list(number.designs[1].terms)
    by_factor, by_number = (cell_means(draws, m.counterfactuals) for m in (factor, number))
    np.testing.assert_allclose(by_factor, by_number, rtol=1e-13)
    assert_cells(factor, draws)


@pytest.mark.parametrize("rho", [-0.95, 0.95])
@pairs
def test_cells_where_the_outcome_is_steep_in_the_mediator(pair, rho):
    outcomes = ["y ~ m + t + x", "y ~ m + t + m:x"]
    if pair[0] == "gaussian":
        outcomes.append("y ~ m + I(m**2) + t")
    for outcome in outcomes:
        model = build(pair, outcome=outcome)
        draws = random_draws(model, rho)
        sigma = draws.mediator.parameters.get("sigma", 1.0)
        draws.outcome.coef[:, model.designs[1].terms.index("m")] = 3.0 / sigma
        assert_cells(model, draws)


@pytest.mark.parametrize("pair", [("gaussian", "logit"), ("probit", "probit")], ids="-".join)
def test_cells_where_rho_differs_between_draws(pair):
    model = build(pair)
    draws = random_draws(model, 0.0)
    draws.rho[:] = [-0.8, 0.0, 0.95]
    assert_cells(model, draws)


def test_cells_are_those_of_simulated_people():
    """One brute-force simulation, so that the quadrature above is not alone."""
    model = build(("gaussian", "logit"), outcome="y ~ m * t + x")
    draws, rng = random_draws(model, 0.6, size=1), np.random.default_rng(8)
    e, z = rng.standard_normal((2, 20_000, 40))
    e_y = 0.6 * e + 0.8 * z
    found = cell_means(draws, model.counterfactuals)[..., 0]
    x, (a, b, c) = model.frame.data["x"].to_numpy(), draws.mediator.coef[0]
    order = dict(zip(model.designs[1].terms, draws.outcome.coef[0], strict=True))
    assert model.designs[0].terms == ("Intercept", "t", "x")
    for t, s in CELLS:
        m = a + b * s + c * x + draws.mediator.parameters["sigma"] * e
        eta = (
            order["Intercept"]
            + order["m"] * m
            + order["t"] * t
            + order["m:t"] * m * t
            + order["x"] * x
        )
        y = special.ndtr(e_y) > special.expit(-eta)
        assert found[t, s] == pytest.approx(y.mean(), abs=5.0 * 0.5 / np.sqrt(y.size))


def test_cells_at_a_covariate_value():
    model = build(("gaussian", "probit"), outcome="y ~ m * x + t")
    draws = random_draws(model, 0.4)
    found = cell_means(draws, model.counterfactuals_at({"x": 1.5}))
    same = build(("gaussian", "probit"), outcome="y ~ m * x + t")
    same.frame.data["x"] = 1.5
    np.testing.assert_allclose(found, truth(same, draws), rtol=0, atol=1e-8)


# --- the Bayesian bootstrap and blocks ------------------------------------------------------

KINDS = {
    "gaussian-gaussian": (("gaussian", "gaussian"), "y ~ m + t + x"),
    "gaussian-probit": (("gaussian", "probit"), "y ~ m + t + x"),
    "gaussian-logit": (("gaussian", "logit"), "y ~ m + t + x"),
    "gaussian-logit with X x M": (("gaussian", "logit"), "y ~ m * x + t"),
    "probit-gaussian": (("probit", "gaussian"), "y ~ m + t + x"),
    "probit-logit": (("probit", "logit"), "y ~ m + t + x"),
    "square, gaussian": (("gaussian", "gaussian"), "y ~ m + I(m**2) + t"),
    "square, probit": (("gaussian", "probit"), "y ~ m + I(m**2) + t"),
}
kinds = pytest.mark.parametrize("kind", KINDS)


@kinds
@pytest.mark.parametrize("bootstrap", [None, 3])
def test_blocks_do_not_change_the_result(kind, bootstrap, monkeypatch):
    pair, outcome = KINDS[kind]
    model = build(pair, outcome=outcome)
    draws = random_draws(model, 0.5, size=7)
    draws.rho[2] = -0.2
    whole = cell_means(draws, model.counterfactuals, bootstrap)
    again = cell_means(draws, model.counterfactuals, bootstrap)
    np.testing.assert_array_equal(whole, again)
    monkeypatch.setattr(blocks, "_BLOCK", 200)
    parts = cell_means(draws, model.counterfactuals, bootstrap)
    np.testing.assert_allclose(parts, whole, rtol=0, atol=2e-9)


@kinds
def test_bootstrap_weights_are_dirichlet_draws_by_seed(kind):
    """Weights Dirichlet(1, ..., 1), new in each draw: their mean and spread in the cells."""
    pair, outcome = KINDS[kind]
    model, size = build(pair, outcome=outcome), 200
    one = random_draws(model, 0.5, size=1)
    many = one.block(np.zeros(size, int))
    found = cell_means(many, model.counterfactuals, 11)
    other = cell_means(many, model.counterfactuals, 12)
    assert not np.array_equal(found, other)
    sample = truth(model, one)
    error = found.std(axis=-1) / np.sqrt(size)
    assert np.all(np.abs(found.mean(axis=-1) - sample[..., 0]) < 4.5 * error)
    # The variance of a Dirichlet mean is that of the rows over n + 1.
    rows = truth(model, one, by_row=True)[..., 0]
    expected = rows.std(axis=-1) / np.sqrt(rows.shape[-1] + 1.0)
    np.testing.assert_allclose(found.std(axis=-1), expected, rtol=0.25)


@pytest.mark.parametrize(
    "kind", ["gaussian-gaussian", "gaussian-probit", "gaussian-logit", "probit-gaussian"]
)
def test_many_rows_are_held_in_blocks(kind, monkeypatch):
    pair, outcome = KINDS[kind]
    n, size = 20_000, 20 if "logit" in kind else 200
    model = build(pair, outcome=outcome, data=simulated(pair, n))
    rows, draws = model.counterfactuals, random_draws(model, 0.5, size=size)
    monkeypatch.setattr(blocks, "_BLOCK", 2 * size * n // 100)
    tracemalloc.start()
    found = cell_means(draws, rows, bootstrap=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.isfinite(found).all() and found.shape == (2, 2, size)
    assert peak < 0.8 * 8 * n * size


def test_functions_of_the_mediator_are_held_in_blocks_of_rows(monkeypatch):
    pair, outcome = KINDS["square, probit"]
    model = build(pair, outcome=outcome, data=simulated(pair, 2000))
    rows, draws = model.counterfactuals, random_draws(model, 0.5, size=2)
    monkeypatch.setattr(blocks, "_BLOCK", 200_000)
    tracemalloc.start()
    cell_means(draws, rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6, f"{peak / 2000 / 1e3:.0f} kB per row"


# --- the closed map -------------------------------------------------------------------------

FORMULAS = {
    "plain": ("m ~ t + x", "y ~ m + t + x"),
    "T x M": ("m ~ t + x", "y ~ m * t + x"),
    "X x M": ("m ~ t + x + g", "y ~ t + m * x + m:g + g"),
    "factor and order": ("m ~ g + t + x", "y ~ x + g + t + m"),
    "C(t)": ("m ~ C(t) + g", "y ~ g + m * C(t)"),
    "slope per arm": ("m ~ t + x", "y ~ t + x + m:C(t)"),
    "T x X": ("m ~ t * x", "y ~ t * x + m"),
    "square": ("m ~ t + x", "y ~ m + I(m**2) + t + x"),
    "spline": ("m ~ t + x", f"y ~ t + x + {SPLINE}"),
    "centred": ("m ~ t + x", "y ~ center(m) + t + scale(x)"),
    "no constant": ("m ~ C(t) + x - 1", "y ~ m + t + x"),
}


@cache
def closed_model(pair, formulas):
    model = build(pair, *FORMULAS[formulas])
    assert model.identification.map is not None
    return model


def regression_of(model, seed=3, size=3):
    """Random draws at rho = 0 with the map."""
    draws = random_draws(model, 0.0, size, seed)
    return Regression(draws, model.identification.map)


def row_log_likelihood(model, draws):
    """log p(m, y) of the observed rows, (obs, S)."""
    m, y = (
        model.equations[equation].response.values[:, None] for equation in ("mediator", "outcome")
    )
    mean, sigma = (
        model.designs[0].matrix @ draws.mediator.coef.T,
        draws.mediator.parameters["sigma"],
    )
    eta, k = model.designs[1].matrix @ draws.outcome.coef.T, np.sqrt(1.0 - draws.rho**2)
    e, first = (m - mean) / sigma, stats.norm.logpdf(m, mean, sigma)
    if model.families["outcome"].name == "gaussian":
        s = draws.outcome.parameters["sigma"]
        return first + stats.norm.logpdf(y, eta + draws.rho * s * e, s * k)
    return first + stats.norm.logcdf((2.0 * y - 1.0) * (eta + draws.rho * e) / k)


@pytest.mark.parametrize("formulas", FORMULAS)
@closed_pairs
def test_likelihood_is_constant_along_the_map(pair, formulas):
    model = closed_model(pair, formulas)
    regression = regression_of(model)
    at_zero = row_log_likelihood(model, regression.draws)
    for rho in (-0.97, -0.4, 0.0, 0.2, 0.9):
        mapped = row_log_likelihood(model, regression.at(rho))
        np.testing.assert_allclose(mapped, at_zero, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("formulas", FORMULAS)
@closed_pairs
def test_structural_and_regression_invert_each_other(pair, formulas):
    regression = regression_of(closed_model(pair, formulas))
    beta, sigma = regression.draws.mediator.coef, regression.draws.mediator.parameters["sigma"]
    zero = regression.draws.outcome
    for rho in (np.float64(-0.9), np.array([-0.5, 0.1, 0.8])):
        there = regression.map.structural(zero.coef, zero.parameters, beta, sigma, rho)
        coef, parameters = regression.map.regression(*there, beta, sigma, rho)
        np.testing.assert_allclose(coef, zero.coef, rtol=1e-11, atol=1e-11)
        assert parameters.keys() == zero.parameters.keys()
        for name, value in parameters.items():
            np.testing.assert_allclose(value, zero.parameters[name], rtol=1e-13)


@pytest.mark.parametrize("formulas", ["plain", "T x M", "X x M", "T x X", "square"])
@closed_pairs
def test_total_effect_does_not_depend_on_rho(pair, formulas):
    model = closed_model(pair, formulas)
    regression = regression_of(model)
    cells = [truth(model, regression.at(rho)) for rho in (-0.9, 0.0, 0.6)]
    totals = [cell[1, 1] - cell[0, 0] for cell in cells]
    np.testing.assert_allclose(totals, np.broadcast_to(totals[1], (3, 3)), rtol=0, atol=1e-8)


@pytest.mark.parametrize("formulas", FORMULAS)
@closed_pairs
def test_curve_equals_the_cells_at_mapped_draws(pair, formulas):
    model = closed_model(pair, formulas)
    regression, rows = regression_of(model), model.counterfactuals
    dense = formulas not in ("square", "spline", "centred")
    for rho in (np.linspace(-0.95, 0.95, 41 if dense else 5), np.array([-0.3, 0.0, 0.99])):
        curve = curve_cells(regression, rows, rho)
        each = [cell_means(regression.at(value), rows) for value in rho]
        np.testing.assert_allclose(curve, np.stack(each), rtol=1e-9, atol=1e-9)


# --- tipping points -------------------------------------------------------------------------


def acme(model, regression, rho):
    """ACME of control, treated and average of one draw at rho, by quadrature."""
    cells = closed_truth(model, regression.at(rho))[..., 0]
    by_arm = cells[:, 1] - cells[:, 0]
    return np.array([*by_arm, by_arm.mean()])


def one_draw(regression, i):
    return regression.block(np.array([i]))


@pytest.mark.parametrize(
    "formulas", ["plain", "T x M", "X x M", "T x X", pytest.param("square", marks=pytest.mark.slow)]
)
@closed_pairs
def test_tipping_points_are_roots_of_the_curve(pair, formulas):
    model = closed_model(pair, formulas)
    regression = regression_of(model, size=4)
    rows, scan, tolerance = model.counterfactuals, np.tanh(np.linspace(-3.8, 3.8, 61)), 1e-7
    if pair[1] == "probit" and rows.outcome.base is None:  # between the grid values of its curve
        curve = np.moveaxis(curve_cells(regression, rows, DEFAULT_GRID), 0, 2)
        by_arm = curve[:, 1] - curve[:, 0]
        found, counts = roots_on_grid(DEFAULT_GRID, np.stack([*by_arm, by_arm.mean(axis=0)]))
        scan, tolerance = DEFAULT_GRID, 1e-3
    else:
        found, counts = tipping_points(regression, rows)
    for rho in (-0.8, 0.6):
        mapped = regression.at(rho)
        np.testing.assert_allclose(closed_truth(model, mapped), truth(model, mapped), atol=1e-9)
    for i in range(4):
        single = one_draw(regression, i)
        curve = np.stack([acme(model, single, rho) for rho in scan])
        for arm in range(3):
            value = lambda rho, arm=arm, single=single: acme(model, single, rho)[arm]
            places = np.flatnonzero(curve[:-1, arm] * curve[1:, arm] < 0.0)
            roots = [optimize.brentq(value, scan[j], scan[j + 1], xtol=1e-10) for j in places]
            assert counts[arm, i] == len(roots), (i, arm)
            if roots:
                assert found[arm, i] == pytest.approx(min(roots, key=abs), abs=tolerance), (i, arm)
            else:
                assert np.isnan(found[arm, i])


@closed_pairs
def test_plain_tipping_point_is_the_closed_form(pair):
    model = closed_model(pair, "plain")
    regression = regression_of(model)
    found, counts = tipping_points(regression, model.counterfactuals)
    zero = regression.draws.outcome
    slope = zero.coef[:, model.designs[1].terms.index("m")]
    s = zero.parameters.get("sigma", 1.0)
    x = slope * regression.draws.mediator.parameters["sigma"] / s
    np.testing.assert_allclose(found, np.tile(x / np.sqrt(1.0 + x * x), (3, 1)), rtol=1e-12)
    assert (counts == 1).all()


# --- what is closed and what is not ---------------------------------------------------------


@pytest.mark.parametrize("formulas", [
    ("m ~ t * x", "y ~ m + t + x"),
    ("m ~ t + x + g", "y ~ m + t + x"),
    ("m ~ t + I(x**2)", "y ~ m + t + x"),
])  # fmt: skip
@closed_pairs
def test_a_term_of_the_mediator_alone_identifies_rho(pair, formulas):
    with pytest.warns(bm.IdentificationWarning, match="not closed"):
        model = bm.MediationModel(
            simulated(pair), mediator=formulas[0], outcome=formulas[1], treatment="t",
            mediator_family=pair[0], outcome_family=pair[1],
        )  # fmt: skip
    found = model.identification
    assert found.map is None and found.exclusion and "exclusion" in found.reason
    assert model.prior_scale == "structural"


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair not in CLOSED], ids="-".join)
def test_pairs_with_other_families_are_not_closed(pair):
    found = build(pair).identification
    assert found.map is None and not found.exclusion and pair[0] in found.reason


@closed_pairs
def test_a_mediator_through_functions_alone_is_not_closed(pair):
    found = build(pair, outcome="y ~ I(m**2) + t + x").identification
    assert found.map is None and not found.exclusion and "functional form" in found.reason


@closed_pairs
def test_a_covariate_of_the_outcome_alone_is_closed_with_a_warning(pair):
    with pytest.warns(
        bm.IdentificationWarning, match=r"\['g'\] stand in the outcome equation only"
    ):
        model = bm.MediationModel(
            simulated(pair), mediator="m ~ t + x", outcome="y ~ m + t + x + g", treatment="t",
            mediator_family=pair[0], outcome_family=pair[1],
        )  # fmt: skip
    assert model.identification.map is not None
    assert model.identification.outcome_only == ("g",)


@closed_pairs
def test_equal_covariates_are_closed_without_a_warning(pair):
    for mediator, outcome in FORMULAS.values():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            bm.MediationModel(
                simulated(pair), mediator=mediator, outcome=outcome, treatment="t",
                mediator_family=pair[0], outcome_family=pair[1],
            )  # fmt: skip
