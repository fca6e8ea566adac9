"""Families of a user's own: written as in a notebook, checked, and put into a model."""

import gc
from dataclasses import replace

import numpy as np
import pytest
from scipy import special as sp
from scipy import stats

import bayesmed as bm
from bayesmed.families import check as family_checks
from bayesmed.families.catalogue import FAMILIES
from bayesmed.families.check import check_family
from bayesmed.numerics import special
from bayesmed.system import copula
from tests.support.inputs import bad, refused
from tests.support.models import quiet_model

pytestmark = pytest.mark.filterwarnings("error")


# A skewed error: P(Y <= y) = exp(-exp(-(y - eta) / sigma)).


def gumbel_score(y, eta, parameters):
    log_cdf = -special.exp(-(y - eta) / parameters["sigma"])
    return special.score_of_logs(log_cdf, special.log1mexp(log_cdf))


def gumbel_log_density(y, eta, parameters):
    w = (y - eta) / parameters["sigma"]
    return -w - special.exp(-w) - special.log(parameters["sigma"])


GUMBEL = bm.Family(
    name="gumbel",
    kind="continuous",
    score=gumbel_score,
    value=lambda e, eta, parameters: eta - parameters["sigma"] * np.log(-sp.log_ndtr(e)),
    mean=lambda eta, parameters: eta + np.euler_gamma * parameters["sigma"],
    log_density=gumbel_log_density,
    parameters={"sigma": lambda working: bm.Prior("HalfNormal", sigma=2 * working.std())},
    valid=np.isfinite,
    domain="finite numbers",
    link="identity",
    working=lambda y: y,
    scale="sigma",
    exponential_moment=lambda slope, eta, parameters: slope * parameters["sigma"] < 1.0,
)

# A count of failures before a success, of mean exp(eta).


def geometric_score(y, eta, parameters):
    log_above = -special.maximum(y + 1.0, 0.5) * special.log1p(special.exp(-eta))
    inside = special.score_of_logs(special.log1mexp(log_above), log_above)
    return special.where(y < 0.0, -1e8, inside)


GEOMETRIC = bm.Family(
    name="geometric",
    kind="count",
    score=geometric_score,
    value=lambda e, eta, parameters: np.maximum(
        np.ceil(sp.log_ndtr(-e) / -np.log1p(np.exp(-eta)) - 1.0), 0.0
    ),
    mean=lambda eta, parameters: np.exp(eta),
    log_density=lambda y, eta, parameters: special.log_expit(-eta) + y * special.log_expit(eta),
    valid=lambda y: (y >= 0) & (y == np.floor(y)),
    domain="whole numbers from 0",
    link="log",
    working=lambda y: np.log(y + 0.5),
    exponential_moment=lambda slope, eta, parameters: slope < np.log1p(np.exp(-eta)),
)

# A yes or no of which P(Y = 1) = 1 - exp(-exp(eta)).


def cloglog_score(y, eta, parameters):
    log_no = -special.exp(eta)
    cut = special.score_of_logs(log_no, special.log1mexp(log_no))
    return special.where(y < 0, -1e8, special.where(y < 1, cut, 1e8))


CLOGLOG = bm.Family(
    name="cloglog",
    kind="binary",
    score=cloglog_score,
    value=lambda e, eta, parameters: np.where(e > cloglog_score(0.0, eta, {}), 1.0, 0.0),
    mean=lambda eta, parameters: -np.expm1(-np.exp(eta)),
    valid=lambda y: (y == 0) | (y == 1),
    domain="0 and 1",
    link="complementary log-log",
    coefficient_scale=2.0,
)
OWN = {family.name: family for family in (GUMBEL, GEOMETRIC, CLOGLOG)}
COLUMN = {"gumbel": "m", "geometric": "c", "cloglog": "d"}
each = pytest.mark.parametrize("name", OWN)


@pytest.fixture
def own_data(small):
    rng = np.random.default_rng(6)
    return small.assign(
        c=rng.geometric(0.3, 40) - 1, z=rng.gumbel(size=40), b=rng.integers(0, 2, 40)
    )


@each
def test_a_family_is_checked_once(name):
    called = []

    def counted(y, eta, parameters):
        called.append(y)
        return OWN[name].score(y, eta, parameters)

    family = replace(OWN[name], score=counted)
    check_family(family)
    count = len(called)
    check_family(family)
    assert len(called) == count > 0


def test_the_gumbel_family_is_scipys():
    truth, p = stats.gumbel_r(0.4, 1.3), {"sigma": np.asarray(1.3)}
    e = np.linspace(-8.0, 8.0, 33)
    y = GUMBEL.value(e, 0.4, p)
    np.testing.assert_allclose(y[e < 0], truth.ppf(stats.norm.cdf(e[e < 0])), rtol=1e-12)
    np.testing.assert_allclose(GUMBEL.score(y, 0.4, p), e, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(GUMBEL.log_density(y, 0.4, p), truth.logpdf(y), rtol=1e-12)
    assert GUMBEL.mean(0.4, p) == pytest.approx(truth.mean())


@each
@pytest.mark.parametrize("equation", ["mediator", "outcome"])
def test_a_model_takes_it(own_data, name, equation):
    column, family = COLUMN[name], OWN[name]
    given = {"mediator": f"{column} ~ t + x", "outcome": f"y ~ {column} + t + x"}
    if equation == "outcome":
        given = {"mediator": "z ~ t + x", "outcome": f"{column} ~ z + t + x"}
    model = quiet_model(own_data, **given, treatment="t", **{f"{equation}_family": family})
    assert model.families[equation] is family
    assert model.identification.map is None and name in model.identification.reason
    table = model.prior_summary()
    own = table[table["equation"] == equation]
    terms = ["Intercept", *(["z"] if equation == "outcome" else []), "t", "x"]
    assert own["parameter"].tolist() == [*terms, *family.parameters]
    assert set(table["source"]) == {"default"}
    if name == "gumbel":
        assert own["prior"].iloc[-1].startswith('Prior("HalfNormal", sigma=')
    if name == "cloglog":
        assert model.priors_in_use[equation]["Intercept"] == bm.Prior("Normal", mu=0.0, sigma=2.0)


def test_both_equations_and_a_regression_of_sigma(own_data):
    model = quiet_model(
        own_data, mediator="m ~ t + x", outcome="z ~ m + t + x", treatment="t",
        mediator_family=GUMBEL, outcome_family=GUMBEL, outcome_sigma="~ t", rho=0.3,
        outcome_data={"offset": "x"},
    )  # fmt: skip
    assert set(model.priors_in_use["outcome_sigma"]) == {"Intercept", "t"}
    assert "sigma" in model.priors_in_use["mediator"]


def test_its_likelihood_follows():
    """The Gaussian copula of two Gumbel margins, from SciPy's densities."""
    m, y, rho = np.array([-0.8, 0.3, 2.5]), np.array([1.0, -1.5, 0.2]), -0.45
    margins = stats.gumbel_r(0.2, 0.7), stats.gumbel_r(-0.1, 1.4)
    e = [stats.norm.ppf(margin.cdf(values)) for margin, values in zip(margins, (m, y), strict=True)]
    joint = stats.multivariate_normal(cov=[[1.0, rho], [rho, 1.0]]).logpdf(np.stack(e, axis=1))
    truth = joint + margins[0].logpdf(m) + margins[1].logpdf(y) - stats.norm.logpdf(e).sum(axis=0)
    first = copula.margin(GUMBEL, m, 0.2, {"sigma": 0.7})
    second = copula.margin(GUMBEL, y, -0.1, {"sigma": 1.4})
    found = copula.log_marginal(first) + copula.log_conditional(first, second, rho)
    np.testing.assert_allclose(found, truth, rtol=1e-10)


def test_an_outcome_of_its_own_that_cannot_be_a_mediator(own_data):
    outcome_only = replace(GUMBEL, name="late", outcome_only=True)
    bad(own_data, "The late family is for outcomes", mediator_family=outcome_only)
    quiet_model(
        own_data, mediator="m ~ t", outcome="z ~ m + t", treatment="t", outcome_family=outcome_only
    )


# A piece that is missing.


@pytest.mark.parametrize("piece", ["score", "value", "mean", "valid", "log_density"])
@pytest.mark.parametrize("given", [None, 3])
def test_a_missing_piece(piece, given):
    for family in (GUMBEL, GEOMETRIC):
        refused(lambda f=family: replace(f, **{piece: given}), f"Family('{family.name}')", family.kind,
                f"needs {piece}", f"{given!r} was given", error=TypeError)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "fragments"),
    [
        ({"kind": "real"}, ["kind='real'", "'continuous', 'binary', 'ordered' or 'count'"]),
        ({"working": None}, ["working", "coefficient_scale"]),
        ({"parameters": {"sigma": bm.Prior("HalfNormal", sigma=1)}}, ["parameters['sigma']", "function", "HalfNormal"]),
    ],
)  # fmt: skip
def test_a_family_that_says_too_little(changes, fragments):
    refused(lambda: replace(GUMBEL, **changes), "Family('gumbel')", *fragments, error=TypeError)


def test_binary_families_need_no_density():
    assert CLOGLOG.log_density is None


# Pieces that disagree.


def without_scale(y, eta, parameters):
    w = (y - eta) / parameters["sigma"]
    return -w - special.exp(-w)


def with_scipy(y, eta, parameters):
    return sp.ndtri_exp(-np.exp(-(y - eta) / parameters["sigma"]))


def infinite_slope(y, eta, parameters):
    """At eta = 0.2, one of the values that are tried."""
    return gumbel_score(y, eta, parameters) + 0.0 * special.sqrt(abs(eta - 0.2))


def other_on_tensors(y, eta, parameters):
    return gumbel_score(y, eta, parameters) + (0.01 if special.is_tensor(y) else 0.0)


HALF = lambda working: bm.Prior("HalfNormal", sigma=1)
WRONG = {
    "score": (GUMBEL, {"score": lambda y, eta, p: (y - eta) / p["sigma"]}, ["score(value(e)) should return e", "up to"]),
    "value": (GUMBEL, {"value": lambda e, eta, p: eta + p["sigma"] * e}, ["score(value(e)) should return e"]),
    "nan": (GUMBEL, {"score": lambda y, eta, p: np.nan * (y + eta)}, ["score(value(e)) should return e"]),
    "density": (GUMBEL, {"log_density": without_scale}, ["log_density should be the logarithm", "Phi(score(y))"]),
    "support": (GUMBEL, {"valid": lambda y: y > 0.0, "domain": "positive numbers"}, ["value(e) gives -", "outside the support", "positive numbers"]),
    "infinite": (GUMBEL, {"value": lambda e, eta, p: np.where(e > 2, np.inf, e + eta)}, ["value(e) gives inf at e = 2.3"]),
    "shape": (GUMBEL, {"value": lambda e, eta, p: np.zeros(3)}, ["shape (6, 3)", "but has (3,)"]),
    "mean": (GUMBEL, {"mean": lambda eta, p: eta}, ["mean(eta) is", "the mean of value(e)"]),
    "additive": (GUMBEL, {"additive": True}, ["additive=True"]),
    "multiplicative": (GUMBEL, {"multiplicative": True}, ["multiplicative=True"]),
    "latent free": (GUMBEL, {"latent": "free"}, ["latent='free'", "(y - eta) / sigma"]),
    "latent unit": (CLOGLOG, {"latent": "unit"}, ["latent='unit'"]),
    "conditional": (GUMBEL, {"conditional": lambda e, eta, rho, p: eta + rho * e}, ["conditional(e, eta, rho) is", "rho = 0.6"]),
    "working": (GUMBEL, {"working": np.log}, ["working(y) is not finite"]),
    "scipy": (GUMBEL, {"score": with_scipy}, ["score cannot be evaluated on PyTensor tensors", "bayesmed.special"]),
    "tensors": (GUMBEL, {"score": other_on_tensors}, ["score of PyTensor tensors differs"]),
    "slope": (GUMBEL, {"score": infinite_slope}, ["derivative of score by eta is not finite"]),
    "interval": (GEOMETRIC, {"value": lambda e, eta, p: GEOMETRIC.value(e, eta, p) + 1.0}, ["score(y - 1) < e <= score(y)"]),
    "negative": (GEOMETRIC, {"value": lambda e, eta, p: GEOMETRIC.value(e, eta, p) - 1.0}, ["value(e) gives -1", "outside the support"]),
    "mass": (GEOMETRIC, {"log_density": lambda y, eta, p: special.log_expit(-eta) + y * special.log_expit(-eta)}, ["exp(log_density(y)) should be Phi(score(y)) - Phi(score(y - 1))"]),
    "count mean": (GEOMETRIC, {"mean": lambda eta, p: 1.0 + np.exp(eta)}, ["mean(eta) is"]),
    "binary mean": (CLOGLOG, {"mean": lambda eta, p: sp.expit(eta)}, ["mean(eta) is"]),
    "binary value": (CLOGLOG, {"value": lambda e, eta, p: np.where(e > -eta, 1.0, 0.0)}, ["score(y - 1) < e <= score(y)"]),
}  # fmt: skip


@pytest.mark.each(4)
@pytest.mark.parametrize("case", WRONG)
def test_pieces_that_disagree(case):
    family, changes, fragments = WRONG[case]
    wrong = replace(family, name="own", **changes)
    for _ in range(2):  # a family that failed is checked again
        refused(lambda: check_family(wrong), "The pieces of Family('own') disagree", *fragments,
                "checked at parameters", "eta from -0.3 to 0.7", "Mend")  # fmt: skip


# The package's own families.


PIECES = ["score", "value", "mean", "log_density", "conditional"]
OWN_PIECES = [(n, piece) for n, f in FAMILIES.items() for piece in PIECES if getattr(f, piece)]


@pytest.mark.each(3)
@pytest.mark.parametrize("name", FAMILIES)
def test_the_packages_own_families_pass(name):
    check_family(replace(FAMILIES[name], name="own"))


@pytest.mark.each(4)
@pytest.mark.parametrize(("name", "piece"), OWN_PIECES)
def test_a_piece_that_is_off_is_found_in_any_of_them(name, piece):
    right = getattr(FAMILIES[name], piece)
    more = 1.0 if piece == "value" and FAMILIES[name].discrete else 0.01
    wrong = replace(FAMILIES[name], name="own", **{piece: lambda *given: right(*given) + more})
    refused(lambda: check_family(wrong), "Family('own')")


def test_a_wrong_family_is_refused_by_a_model(own_data):
    wrong = replace(GUMBEL, name="own", mean=lambda eta, parameters: eta)
    for equation in ("mediator", "outcome"):
        bad(own_data, "Family('own')", "mean(eta)", **{f"{equation}_family": wrong})


def test_a_family_that_is_gone_is_not_remembered():
    """Python gives a new object the id of one that is gone; its checks must not pass to it."""
    before = len(family_checks._CHECKED)
    family = replace(GUMBEL, name="own")
    check_family(family)
    assert len(family_checks._CHECKED) == before + 1
    del family
    gc.collect()
    assert len(family_checks._CHECKED) == before


@pytest.mark.parametrize("piece", ["score", "value", "mean", "log_density", "valid", "working"])
def test_a_piece_that_fails(piece):
    def fails(*arguments):
        return {}["scale"]

    wrong = replace(GUMBEL, name="own", **{piece: fails})
    refused(lambda: check_family(wrong), f"{piece} of Family('own') cannot be evaluated on arrays",
            "KeyError: 'scale'", "a mapping with ['sigma']")  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "fragments"),
    [
        ({"parameters": {"sigma": lambda working: 1.0}}, ["parameters['sigma']", "return a bm.Prior", "1.0"]),
        ({"parameters": {"sigma": lambda working: bm.Prior("Normal", mu=0, sigma=1)}},
         ["parameters['sigma']", 'Prior("Normal"', "below 0", "lower={'sigma': ...}"]),
        ({"parameters": {"sigma": HALF}, "lower": {"sigma": 0.5}}, ["parameters['sigma']", "below 0.5"]),
        ({"scale": "tau"}, ["['tau']", "parameters ['sigma']"]),
        ({"lower": {"nu": 2.0}}, ["['nu']", "parameters ['sigma']"]),
        ({"latent": "free", "parameters": {}, "scale": None}, ["['sigma']", "latent"]),
    ],
)  # fmt: skip
def test_parameters_that_do_not_fit(changes, fragments):
    wrong = replace(GUMBEL, name="own", **changes)
    refused(lambda: check_family(wrong), "Family('own')", *fragments)


def test_a_parameter_that_may_be_negative(own_data):
    """A shift of the location, whose prior lies on both sides of zero."""
    moved = lambda eta, p: eta + p["shift"]
    shifted = replace(
        GUMBEL, name="shifted",
        score=lambda y, eta, p: GUMBEL.score(y, moved(eta, p), p),
        value=lambda e, eta, p: GUMBEL.value(e, moved(eta, p), p),
        mean=lambda eta, p: GUMBEL.mean(moved(eta, p), p),
        log_density=lambda y, eta, p: GUMBEL.log_density(y, moved(eta, p), p),
        parameters={**GUMBEL.parameters, "shift": lambda y: bm.Prior("Normal", mu=0.1, sigma=0.2)},
        lower={"shift": -np.inf},
    )  # fmt: skip
    prior = bm.Prior("Normal", mu=-1.0, sigma=0.1)
    model = quiet_model(
        own_data, mediator="m ~ t", outcome="z ~ m + t", treatment="t", outcome_family=shifted,
        priors={"outcome": {"shift": prior}},
    )  # fmt: skip
    assert model.priors_in_use["outcome"]["shift"] == prior


def test_a_mean_that_does_not_exist_is_not_checked():
    wrong = {"name": "own", "mean": lambda eta, parameters: eta}
    check_family(replace(GUMBEL, **wrong, tail=lambda parameters: 1.0 + parameters["sigma"]))
    here = replace(GUMBEL, **wrong, tail=lambda parameters: 0.0 * parameters["sigma"])
    refused(lambda: check_family(here), "mean(eta) is")
