"""Counterfactual means of every pair of families against quadrature, simulation and each other."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, special, stats

from bayesmed.families.catalogue import FAMILIES
from bayesmed.families.family import Family
from bayesmed.means import conditional as given
from bayesmed.means.means import cell_means, mediator_effect
from bayesmed.means.thinning import thinning
from bayesmed.numerics import surface
from tests.support.handmade import hand_draws, hand_rows, pair_of

ARMS = (0, 1)
CUTS, SCORES = np.array([-0.8, 0.3, 1.1]), np.array([0.0, 1.0, 2.5, 3.0])
PARAMETERS = {
    "sigma": 0.7, "nu": 4.5, "shape": 2.4, "phi": 5.0, "alpha": 1.7, "cutpoints": CUTS,
}  # fmt: skip
TRIALS = 6.0
# Slopes in a mediator, large enough to matter, small enough for the moments that must exist.
SLOPE = {"gamma": 0.25, "negative_binomial": 0.15, "poisson": 0.2, "beta": 1.5}
FALLING = {"lognormal"}
LOG_LINK = {"lognormal", "gamma", "weibull", "loglogistic", "poisson", "negative_binomial"}


def rows_and_draws(pair, rho, n=3, size=1, seed=0, **fields):
    """Rows of an intercept and a covariate, with the mediator's slope differing by arm.

    Mediator columns: 1, x, t. Outcome columns: 1, x, t, m, t m.
    """
    rng = np.random.default_rng(seed)
    x, one = rng.normal(0.0, 0.8, n), np.ones(n)
    mediator = np.stack([np.column_stack([one, x, t * one]) for t in ARMS])
    base = np.stack([np.column_stack([one, x, t * one, 0 * one, 0 * one]) for t in ARMS])
    slope = np.stack([np.column_stack([0 * one] * 3 + [one, t * one]) for t in ARMS])
    families = pair_of(*pair)
    design = {"base": base, "slope": slope}
    if families["mediator"].kind == "ordered":
        design = {"by_level": np.stack([base + m * slope for m in range(4)], axis=1)}
    if pair[1] == "binomial":
        fields = {"columns": {"trials": np.full(n, TRIALS)}, **fields}
    if "ordered" in pair[1]:
        fields = {"columns": {"scores": SCORES}, **fields}
    g = SLOPE.get(pair[0], 0.5) * (1.0 if pair[1] in LOG_LINK else 2.0)
    if pair[0] in FALLING:
        g = -0.3
    coefs = np.array([0.2, 0.5, 0.4, g, -0.4 * g if g > 0 else 0.4 * g])
    jitter = rng.normal(0.0, 0.05, (size, 8)) * (np.arange(size) > 0)[:, None]
    first = np.array([0.3, 0.4, 0.5]) + jitter[:, :3], own(pair[0], size)
    second = coefs * (1.0 + jitter[:, 3:]), own(pair[1], size)
    draws = hand_draws(first, second, np.full(size, rho))
    return hand_rows(families, mediator, **design, **fields), draws


def own(name, size):
    """Parameters of a family, the same in every draw."""
    known = PARAMETERS | ({"sigma": 0.4} if name == "loglogistic" else {})
    values = {key: np.asarray(known[key]) for key in FAMILIES[name].parameters}
    return {key: np.repeat(value[..., None], size, axis=-1) for key, value in values.items()}


# --- an oracle: adaptive quadrature over the mediator's score -------------------------------


def outcome_given(family, eta, e, rho, parameters):
    """E[Y | eta, e_m = e]: a trapezoid over the outcome's score, or a sum over its thresholds."""
    k = np.sqrt(1.0 - rho**2)
    if family.kind == "continuous":
        z = np.linspace(-14.0, 14.0, 71)
        values = family.value(rho * e + k * z[:, None], eta, parameters)
        return (z[1] - z[0]) * (stats.norm._pdf(z)[:, None] * values).sum(axis=0)
    if family.kind == "count":
        y = np.arange(TRIALS if family.name == "binomial" else 300.0)[:, None]
        return special.ndtr((rho * e - family.score(y, eta, parameters)) / k).sum(axis=0)
    scores = SCORES if family.kind == "ordered" else np.arange(2.0)
    above = [
        special.ndtr((rho * e - family.score(float(y), eta, parameters)) / k)
        for y in range(len(scores) - 1)
    ]
    return scores[0] + sum(rise * one for rise, one in zip(np.diff(scores), above, strict=True))


def mean_over_scores(first, eta_m, parameters, given, knots=()):
    """Mean of ``given(e, m)`` over the mediator's score, by row; split where it is not smooth."""

    def at(e, m):
        return stats.norm._pdf(e) * given(e, m)

    def between(low, high, m=None):
        width = high - low

        def value(u):
            e = low + width * u
            return width * at(e, first.value(e, eta_m, parameters) if m is None else m)

        return integrate.quad_vec(value, 0.0, 1.0, 1e-11, 1e-9, norm="max")[0]

    end = np.full(eta_m.shape, 9.0)
    if first.kind == "continuous":
        inside = [np.clip(first.score(m, eta_m, parameters), -9.0, 9.0) for m in knots]
        edges = [-end, *inside, end]
        return sum(between(low, high) for low, high in itertools.pairwise(edges))
    last = {"binary": 1, "ordered": 3}.get(first.kind, 80)
    ends = [
        np.clip(first.score(float(m), eta_m, parameters), -9.0, 9.0) for m in range(-1, last + 1)
    ]
    steps = [step for step in enumerate(itertools.pairwise(ends)) if np.ptp(step[1]) > 0.0]
    return sum(between(low, high, m) for m, (low, high) in steps)


def truth(pair, rows, draws, eta=None, knots=(), by_row=False):
    """The four cells of the first draw by quadrature, with nothing of the engine.

    ``eta(t, m)`` is the outcome's linear predictor where the design is not affine in m.
    """
    first, second = (FAMILIES[name] for name in pair)
    rho, cells = draws.rho[0], []
    offset_m, offset_y = (
        0.0 if one.offset is None else one.offset for one in rows.equations.values()
    )
    for t in ARMS:
        for s in ARMS:
            eta_m = rows.mediator.design[s] @ draws.mediator.coef[0] + offset_m
            own = first_draw(rows, draws, "mediator", s)
            theirs = first_draw(rows, draws, "outcome", t)

            def given(e, m):
                at = affine_eta(rows, draws, t, m) if eta is None else eta(t, m)
                return outcome_given(second, at + offset_y, e, rho, theirs)

            cells.append(mean_over_scores(first, eta_m, own, given, knots))
    cells = np.reshape(cells, (2, 2, -1))
    return cells if by_row else cells.mean(axis=-1)


def first_draw(rows, draws, equation, arm):
    """Parameters of the first draw by row."""
    own = draws.equations[equation]
    found = {k: v[..., 0] for k, v in own.parameters.items()}
    if own.sigma_coef is not None:
        found["sigma"] = np.exp(rows.equations[equation].sigma[arm] @ own.sigma_coef[0])
    return found | dict(rows.equations[equation].columns)


def affine_eta(rows, draws, t, m):
    coef, rows = draws.outcome.coef[0], rows.outcome
    if rows.by_level is not None:
        return rows.by_level[t][int(m)] @ coef
    m = np.log(m) if rows.log_mediator else m
    return rows.base[t] @ coef + (rows.slope[t] @ coef) * m


def assert_truth(pair, rows, draws, **options):
    expected = truth(pair, rows, draws, **options)
    found = cell_means(draws, rows)[..., 0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7 * np.abs(expected).max())


PAIRS = [
    ("gaussian", "logit"), ("gaussian", "ordered_probit"), ("gaussian", "lognormal"),
    ("gaussian", "gamma"), ("gaussian", "poisson"), ("gaussian", "beta"),
    ("student_t", "binomial"), ("student_t", "tobit"), ("student_t", "probit"),
    ("lognormal", "logit"), ("lognormal", "weibull"), ("gamma", "probit"),
    ("gamma", "lognormal"), ("beta", "poisson"), ("beta", "student_t"),
    ("probit", "negative_binomial"), ("probit", "loglogistic"), ("logit", "beta"),
    ("ordered_probit", "ordered_logit"), ("ordered_logit", "gamma"), ("poisson", "logit"),
    ("poisson", "weibull"), ("negative_binomial", "probit"), ("negative_binomial", "gaussian"),
]  # fmt: skip
pairs = pytest.mark.parametrize("pair", PAIRS, ids="-".join)


def test_every_family_is_in_some_pair():
    mediators = {name for name, family in FAMILIES.items() if not family.outcome_only}
    assert {first for first, _ in PAIRS} == mediators
    assert {second for _, second in PAIRS} == set(FAMILIES)


@pytest.mark.each
@pairs
@pytest.mark.parametrize(
    "rho", [-0.6, *(pytest.param(r, marks=pytest.mark.slow) for r in (0.0, 0.9))]
)
def test_cells_are_those_of_adaptive_quadrature(pair, rho):
    assert_truth(pair, *rows_and_draws(pair, rho, n=2))


@pytest.mark.each(4)
@pytest.mark.parametrize("outcome", ["gamma", "poisson", "weibull"])
@pytest.mark.parametrize(("mediator", "intercept", "slope"), [
    ("gamma", 0.3, 0.5), ("negative_binomial", 0.3, 0.3), ("negative_binomial", 2.0, -0.4),
    ("poisson", 0.3, 0.8), ("poisson", 7.0, -0.01), ("poisson", 7.0, 0.01),
])  # fmt: skip
def test_a_log_link_without_confounding_takes_the_mediators_moment(
    mediator, intercept, slope, outcome
):
    """E[exp(base + g M)] by the moment generating functions, near where they end and far out."""
    pair = (mediator, outcome)
    rows, draws = rows_and_draws(pair, 0.0)
    draws.mediator.coef[:, 0], draws.outcome.coef[:, 3:] = intercept, [slope, 0.0]
    found = cell_means(draws, rows)[..., 0]
    shape, alpha = PARAMETERS["shape"], PARAMETERS["alpha"]
    constant = special.gamma(1.0 + PARAMETERS["sigma"]) if outcome == "weibull" else 1.0
    for t, s in itertools.product(ARMS, ARMS):
        mean = np.exp(rows.mediator.design[s] @ draws.mediator.coef[0])
        moment = {
            "gamma": lambda mean: (1.0 - slope * mean / shape) ** -shape,
            "negative_binomial": lambda mean: (1.0 - np.expm1(slope) * mean / alpha) ** -alpha,
            "poisson": lambda mean: np.exp(mean * np.expm1(slope)),
        }[mediator](mean)
        expected = constant * (np.exp(rows.outcome.base[t] @ draws.outcome.coef[0]) * moment).mean()
        assert found[t, s] == pytest.approx(expected, rel=2e-9)


# --- brute force: people simulated from the structural model --------------------------------


def counted(distribution, u, last, *first):
    """Quantiles of a count whose last parameter has few values, by its distribution function."""
    last, out = np.broadcast_to(last, u.shape), np.empty(u.shape)
    for value in np.unique(last):
        own = last == value
        out[own] = np.searchsorted(distribution.cdf(np.arange(400), *first, value), u[own])
    return out


def drawn(name, u, eta):
    """The quantile of a family, by SciPy alone."""
    p, mean = PARAMETERS, np.exp(np.minimum(eta, 20.0))
    sigma = 0.4 if name == "loglogistic" else p["sigma"]
    ordered = lambda cdf: np.sum([u > cdf(cut - eta) for cut in CUTS], axis=0)
    quantiles = {
        "gaussian": lambda: stats.norm.ppf(u, eta, sigma),
        "tobit": lambda: stats.norm.ppf(u, eta, sigma),
        "student_t": lambda: stats.t.ppf(u, p["nu"], eta, sigma),
        "lognormal": lambda: stats.lognorm.ppf(u, sigma, scale=mean),
        "gamma": lambda: stats.gamma.ppf(u, p["shape"], scale=mean / p["shape"]),
        "weibull": lambda: stats.weibull_min.ppf(u, 1.0 / sigma, scale=mean),
        "loglogistic": lambda: stats.fisk.ppf(u, 1.0 / sigma, scale=mean),
        "beta": lambda: stats.beta.ppf(
            u, p["phi"] * special.expit(eta), p["phi"] * special.expit(-eta)
        ),
        "probit": lambda: 1.0 * (u > stats.norm.cdf(-eta)),
        "logit": lambda: 1.0 * (u > stats.logistic.cdf(-eta)),
        "ordered_probit": lambda: ordered(stats.norm.cdf),
        "ordered_logit": lambda: ordered(stats.logistic.cdf),
        "poisson": lambda: counted(stats.poisson, u, mean),
        "negative_binomial": lambda: counted(
            stats.nbinom, u, p["alpha"] / (p["alpha"] + mean), p["alpha"]
        ),
        "binomial": lambda: stats.binom.ppf(u, TRIALS, special.expit(eta)),
    }
    return quantiles[name]()


@pytest.mark.parametrize("pair", [
    ("gaussian", "gamma"), ("student_t", "ordered_logit"), ("gamma", "logit"),
    ("lognormal", "tobit"), pytest.param(("beta", "weibull"), marks=pytest.mark.slow),
    ("probit", "poisson"), ("ordered_logit", "negative_binomial"),
    ("poisson", "loglogistic"),
], ids="-".join)  # fmt: skip
def test_cells_are_those_of_simulated_people(pair):
    count, rho = 400_000, 0.5
    rows, draws = rows_and_draws(pair, rho, n=1)
    found = cell_means(draws, rows)[..., 0]
    e_m, z = np.random.default_rng(3).standard_normal((2, count))
    u_m, u_y = special.ndtr(e_m), special.ndtr(rho * e_m + np.sqrt(1.0 - rho**2) * z)
    (a, b, c), coef, x = (
        draws.mediator.coef[0],
        draws.outcome.coef[0],
        rows.mediator.design[0, 0, 1],
    )
    for s in ARMS:
        m = drawn(pair[0], u_m, a + b * x + c * s)
        for t in ARMS:
            y = drawn(
                pair[1], u_y, coef[0] + coef[1] * x + coef[2] * t + (coef[3] + coef[4] * t) * m
            )
            y = SCORES[y] if "ordered" in pair[1] else y
            assert abs(found[t, s] - y.mean()) < 5.0 * y.std() / np.sqrt(count), (t, s)


# --- functions of the mediator --------------------------------------------------------------

KNOT = 0.4
FUNCTIONS = {
    "square": (lambda m: np.stack([m, m * m], axis=-1), ()),
    "log": (lambda m: np.stack([np.log(m), 1.0 / (1.0 + m)], axis=-1), ()),
    "spline": (lambda m: np.stack([m, np.maximum(m - KNOT, 0.0) ** 2], axis=-1), (KNOT,)),
}


def through_functions(pair, name, rho, by_covariate=False, n=3, **arguments):
    """The same rows with two functions of the mediator in place of m and t m."""
    function, knots = FUNCTIONS[name]
    rows, draws = rows_and_draws(pair, rho, n=n, **arguments)
    weights = rows.mediator.design[0, :, 1] if by_covariate else np.ones(n)
    base = rows.outcome.base.copy()

    def rows_at(arm, m, part=slice(None)):
        own, m = base[arm][part], np.asarray(m, dtype=float)
        design = np.repeat(own[:, None], len(m), axis=1)
        design[..., 3:] = function(m)
        design[..., 4] *= weights[part][:, None]
        return design

    draws.outcome.coef[:, 3:] = [0.4, -0.3]

    def eta(t, m):
        values = function(m) * np.column_stack([np.ones(n), weights])
        return base[t][:, :3] @ draws.outcome.coef[0, :3] + values @ draws.outcome.coef[0, 3:]

    fields = {"base": None, "slope": None, "rows_at": rows_at, "knots": knots}
    return rows.changed("outcome", **fields), draws, eta


@pytest.mark.each
@pytest.mark.parametrize("by_covariate", [False, True])
@pytest.mark.parametrize(("mediator", "name"), [
    ("gaussian", "square"), ("gaussian", "spline"), ("gamma", "log"), ("student_t", "spline"),
    ("poisson", "square"),
])  # fmt: skip
@pytest.mark.parametrize("outcome", ["gaussian", "logit"])
def test_functions_of_the_mediator(mediator, name, outcome, by_covariate):
    pair = (mediator, outcome)
    rows, draws, eta = through_functions(pair, name, 0.5, by_covariate)
    assert_truth(
        pair, rows, draws, eta=lambda t, m: eta(t, np.broadcast_to(m, 3)), knots=rows.outcome.knots
    )


@pytest.mark.each
@pytest.mark.parametrize("outcome", ["gaussian", "logit"])
@pytest.mark.parametrize("mediator", ["gaussian", "poisson"])
def test_a_function_of_the_mediator_and_a_covariate_that_is_no_product(mediator, outcome):
    pair = (mediator, outcome)
    rows, draws = rows_and_draws(pair, 0.5)
    base, x = rows.outcome.base.copy(), rows.mediator.design[0, :, 1]

    def rows_at(arm, m, part=slice(None)):
        design = np.repeat(base[arm][part][:, None], len(m), axis=1)
        design[..., 3], design[..., 4] = m, np.tanh(m * x[part][:, None])
        return design

    def eta(t, m):
        return base[t][:, :3] @ draws.outcome.coef[0, :3] + 0.2 * m - 0.5 * np.tanh(m * x)

    draws.outcome.coef[:, 3:] = [0.2, -0.5]
    functions = rows.changed("outcome", base=None, slope=None, rows_at=rows_at)
    assert_truth(pair, functions, draws, eta=eta)


@pytest.mark.parametrize("outcome", ["gaussian", "logit", "gamma"])
def test_functions_of_many_rows_are_interpolated(outcome, monkeypatch):
    pair = ("gaussian", outcome)
    rows, draws, _ = through_functions(pair, "spline", 0.5, n=300, size=2)
    assert_same_row_by_row(pair, rows, draws, monkeypatch)


def test_a_log_normal_mediator_in_its_logarithm_is_gaussian():
    for second in ("gaussian", "logit", "gamma"):
        pair = ("lognormal", second)
        rows, draws = rows_and_draws(pair, 0.5)
        rows = rows.changed("outcome", log_mediator=True)
        assert_truth(pair, rows, draws)
        plain = rows.changed("outcome", log_mediator=False)
        same = cell_means(draws, plain.changed("mediator", family=FAMILIES["gaussian"]))
        np.testing.assert_array_equal(cell_means(draws, rows), same)


# --- offsets, data columns, regressions of sigma --------------------------------------------


@pytest.mark.each
@pytest.mark.parametrize("pair", [
    ("gaussian", "tobit"), ("gaussian", "probit"), ("poisson", "lognormal"), ("probit", "logit"),
    ("ordered_probit", "student_t"), ("beta", "binomial"),
], ids="-".join)  # fmt: skip
def test_offsets_are_added_to_the_linear_predictors(pair):
    own, offset = {"offset": np.array([0.2, -0.4, 0.0])}, np.array([0.5, 0.1, -0.3])
    assert_truth(pair, *rows_and_draws(pair, -0.4, own=own, offset=offset))


@pytest.mark.parametrize("pair", [
    ("gaussian", "probit"), ("gaussian", "lognormal"), ("gaussian", "loglogistic"),
    ("student_t", "logit"), ("lognormal", "weibull"), ("probit", "weibull"),
], ids="-".join)  # fmt: skip
def test_regressions_of_sigma(pair):
    rows, draws = rows_and_draws(pair, 0.5)
    for key, own in draws.equations.items():
        if own.parameters.pop("sigma", None) is not None:
            rows = rows.changed(key, sigma=rows.mediator.design)
            draws = draws.changed(key, sigma_coef=np.array([[-0.9, 0.3, 0.2]]))
    assert_truth(pair, rows, draws)


@pytest.mark.parametrize(
    "mediator", ["gaussian", pytest.param("poisson", marks=pytest.mark.slow), "logit"]
)
def test_trials_differ_between_rows(mediator):
    pair = (mediator, "binomial")
    rows, draws = rows_and_draws(pair, 0.5, columns={"trials": np.array([1.0, 3.0, 6.0])})
    assert_truth(pair, rows, draws)


def test_an_ordered_mediator_is_a_factor_of_the_outcome():
    for second in ("gaussian", "probit", "gamma"):
        pair = ("ordered_probit", second)
        rows, draws = rows_and_draws(pair, 0.5)
        jumps = np.array([0.0, 0.7, -0.2, 0.4])
        rows.outcome.by_level[..., 3:] *= 0.0
        rows.outcome.by_level[..., 3] += jumps[:, None]
        assert_truth(pair, rows, draws)


def test_the_effect_on_an_ordered_mediator_is_of_its_scores():
    own = {"columns": {"scores": SCORES}}
    rows, draws = rows_and_draws(("ordered_logit", "gaussian"), 0.0, own=own)
    found = mediator_effect(draws, rows)
    by_arm = []
    for s in ARMS:
        eta = rows.mediator.design[s] @ draws.mediator.coef[0]
        above = 1.0 - stats.logistic.cdf(CUTS[:, None] - eta)
        by_arm.append((SCORES[0] + np.diff(SCORES) @ above).mean())
    assert found[0] == pytest.approx(by_arm[1] - by_arm[0], abs=1e-12)


# --- many rows ------------------------------------------------------------------------------


def assert_same_row_by_row(pair, rows, draws, monkeypatch, bootstrap=None):
    quick = cell_means(draws, rows, bootstrap)
    for module in ("numerics.surface", "means.linear"):
        monkeypatch.setattr(f"bayesmed.{module}._interpolated", lambda *arguments: None)
    slow = cell_means(draws, rows, bootstrap)
    np.testing.assert_allclose(quick, slow, rtol=0, atol=1e-8 * np.abs(slow).max())


@pytest.mark.parametrize("slope_by_row", [pytest.param(False, marks=pytest.mark.slow), True])
@pytest.mark.parametrize("pair", [
    ("gaussian", "logit"), ("student_t", "probit"), ("gaussian", "poisson"),
    pytest.param(("gamma", "weibull"), marks=pytest.mark.slow),
    ("lognormal", "logit"), pytest.param(("poisson", "probit"), marks=pytest.mark.slow),
    ("probit", "logit"), pytest.param(("beta", "gamma"), marks=pytest.mark.slow),
], ids="-".join)  # fmt: skip
def test_interpolation_changes_nothing(pair, slope_by_row, monkeypatch):
    rho = 0.0 if pair in (("gaussian", "poisson"), ("poisson", "probit")) else 0.5
    rows, draws = rows_and_draws(pair, rho, n=2000, size=2)
    if slope_by_row:
        rows.outcome.slope[..., 3] += 0.2 * rows.mediator.design[..., 1]
    used = []
    inner = surface._interpolated
    monkeypatch.setattr(
        surface, "_interpolated", lambda *a: used.append(inner(*a) is not None) or inner(*a)
    )
    assert_same_row_by_row(pair, rows, draws, monkeypatch, bootstrap=7)
    assert any(used) or (slope_by_row and pair[0] == "poisson")


def test_only_dear_integrals_are_thinned():
    found = {}
    for pair in (("gaussian", "logit"), ("poisson", "poisson"), ("gaussian", "gaussian")):
        for rho in (0.0, 0.5):
            rows, draws = rows_and_draws(pair, rho, n=1000)
            many = draws.block(np.zeros(4000, int))
            found[*pair, rho] = thinning(rows, many)
            assert thinning(rows, many) == found[*pair, rho]
    assert found.pop(("poisson", "poisson", 0.5)) > 4
    assert set(found.values()) == {1}


# --- infinite means -------------------------------------------------------------------------


@pytest.mark.parametrize("pair", [
    ("student_t", "gamma"), ("student_t", "poisson"), ("lognormal", "weibull"), ("gamma", "lognormal"),
    ("negative_binomial", "negative_binomial"),
], ids="-".join)  # fmt: skip
@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_an_infinite_mean_is_an_error(pair, rho):
    rows, draws = rows_and_draws(pair, rho, size=4)
    draws.outcome.coef[:, 3:] = [0.0, 0.0]
    draws.outcome.coef[:1, 3] = 6.0
    with pytest.raises(
        ArithmeticError, match=rf"infinite in 25.0% of the draws: a {pair[1]} .*{pair[0]}"
    ):
        cell_means(draws, rows)


def test_an_outcome_without_a_mean_is_an_error():
    rows, draws = rows_and_draws(("gaussian", "loglogistic"), 0.0, size=2)
    draws.outcome.parameters["sigma"][0] = 1.2
    with pytest.raises(ArithmeticError, match=r"50.0% of the draws: the mean of a loglogistic"):
        cell_means(draws, rows)


@pytest.mark.parametrize(
    ("mediator", "rate"),
    [("gamma", 1.0), pytest.param("negative_binomial", 1.0, marks=pytest.mark.slow)],
)
def test_two_tails_that_act_together_make_an_infinite_mean(mediator, rate):
    """u = 0.5 and s = 0.7 at rho = 0.8: (1 - k^2 u)(1 - k^2 s) = 0.613 < rho^2, though both < 1."""
    rows, draws = rows_and_draws((mediator, "loglogistic"), 0.8, size=2)
    draws.mediator.coef[:] = 0.0  # a mean of one
    name, value = {"gamma": ("shape", rate), "negative_binomial": ("alpha", np.expm1(rate))}[
        mediator
    ]
    draws.mediator.parameters[name][:] = value
    draws.outcome.parameters["sigma"][:] = 0.7
    draws.outcome.coef[:, 3:] = [0.5, 0.0]
    with pytest.raises(ArithmeticError, match=r"infinite in 100.0% of the draws"):
        cell_means(draws, rows)
    draws.outcome.coef[:, 3] = 0.2  # u = 0.2: 0.694 > 0.64
    assert np.isfinite(cell_means(draws, rows)).all()


@pytest.mark.parametrize(("nu", "power"), [(2.5, 3), (3.5, 4)])
def test_a_moment_that_a_student_t_mediator_lacks_is_an_error(nu, power):
    pair = ("student_t", "gaussian")
    rows, draws = rows_and_draws(pair, 0.0, size=2)
    draws.mediator.parameters["nu"][:] = nu
    at_zero, slope = rows.outcome.base, rows.outcome.slope

    def rows_at(arm, m, part=slice(None)):
        return at_zero[arm][part][:, None, :] + m[:, None] ** power * slope[arm][part][:, None, :]

    functions = rows.changed("outcome", base=None, slope=None, rows_at=rows_at)
    with pytest.raises(ArithmeticError, match="infinite"):
        cell_means(draws, functions)


@pytest.mark.parametrize("outcome", ["gaussian", "gamma"])
def test_a_function_with_too_heavy_a_tail_is_an_error(outcome):
    pair = ("student_t", outcome)
    rows, draws, _ = through_functions(pair, "square", 0.3)
    draws.mediator.parameters["nu"][:] = 1.8
    draws.outcome.coef[:, 4] = 0.3
    with pytest.raises(ArithmeticError, match="student_t"):
        cell_means(draws, rows)


# --- families of a user's own ---------------------------------------------------------------


def test_a_family_of_a_users_own_needs_no_flags():
    """Families stripped of what the engine exploits, against themselves with it."""
    bare = {
        name: replace(
            FAMILIES[name], name=f"my {name}", additive=False, multiplicative=False, latent=None,
            conditional=None, exponential_moment=None, tail=None,
        )
        for name in ("gaussian", "gamma", "probit", "poisson")
    }  # fmt: skip
    for first, second in (
        ("gaussian", "gamma"),
        ("gamma", "probit"),
        ("probit", "gaussian"),
        ("poisson", "gamma"),
    ):
        for rho in (0.0, 0.6):
            rows, draws = rows_and_draws((first, second), rho)
            stripped = rows.changed("mediator", family=bare[first])
            found = cell_means(draws, stripped.changed("outcome", family=bare[second]))
            expected = cell_means(draws, rows)
            np.testing.assert_allclose(found, expected, rtol=2e-8)


def test_a_count_between_whole_numbers_is_not_asked_for():
    """A family whose score is a step function is summed over whole numbers only."""
    known = FAMILIES["poisson"]
    stepped: Family = replace(
        known, name="my count", score=lambda y, eta, own: known.score(np.floor(y), eta, own)
    )
    rows, draws = rows_and_draws(("gaussian", "poisson"), 0.5, n=1)
    draws.outcome.coef[:, 0] = 5.0
    found = cell_means(draws, rows.changed("outcome", family=stepped))
    np.testing.assert_allclose(found, cell_means(draws, rows), rtol=1e-8)


@pytest.mark.parametrize("lowest", [0.0, 40.0])
@pytest.mark.parametrize("name", ["poisson", "negative_binomial", "binomial"])
def test_scores_of_consecutive_counts_are_those_one_by_one(name, lowest):
    rng = np.random.default_rng(3)
    parameters = {"alpha": rng.gamma(6.0, 0.5, 50), "trials": rng.integers(1, 90, (4, 1)) * 1.0}
    family, eta = FAMILIES[name], rng.normal(1.0, 1.5, (4, 50))
    found = given.count_scores(family, lowest, 60, eta, parameters)
    alone = [family.score(lowest + j, eta, parameters) for j in range(60)]
    expected = np.stack([np.broadcast_to(one, eta.shape) for one in alone])
    near = np.abs(expected) < 8.0
    assert near.mean() > 0.05
    np.testing.assert_allclose(found[near], expected[near], rtol=1e-10, atol=1e-12)
    assert (np.abs(found[~near]) > 7.9).all()
    assert (np.sign(found[~near]) == np.sign(expected[~near])).all()
