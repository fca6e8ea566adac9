"""The nine basic pairs, simulated, and draws at random: what counterfactual means are tested with."""

import itertools
from functools import cache

import numpy as np
import pytest
from scipy import integrate, interpolate, special, stats

import bayesmed as bm
from bayesmed.means.along_rho import Regression
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


def build_pair(pair, mediator="m ~ t + x", outcome="y ~ m + t + x", **arguments):
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
    model = build_pair(pair, *FORMULAS[formulas])
    assert model.identification.map is not None
    return model


def regression_of(model, seed=3, size=3):
    """Random draws at rho = 0 with the map."""
    draws = random_draws(model, 0.0, size, seed)
    return Regression(draws, model.identification.map)
