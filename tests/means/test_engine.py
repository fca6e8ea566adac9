"""Counterfactual means by few nodes against adaptive integrals, and what is said of their error."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from bayesmed.families.catalogue import FAMILIES
from bayesmed.means import engine, means
from bayesmed.means.accuracy import TOLERANCE, Effort, settled, spread
from bayesmed.means.engine import Sizes
from bayesmed.means.means import cell_means, is_quick
from tests.means.test_means import LOG_LINK, rows_and_draws

MEDIATORS = [name for name, family in FAMILIES.items() if not family.outcome_only]
# Without those that are linear or infinite, and those whose outcome has counts beyond any sum.
PAIRS = [
    (m, y)
    for m, y in itertools.product(MEDIATORS, FAMILIES)
    if not (FAMILIES[y].additive or (m == "student_t" and y in LOG_LINK))
    and (m, y) not in (("gamma", "poisson"), ("gamma", "negative_binomial"))
]
#: Everyday pairs that must not be left to adaptive integrals.
SERVED = (
    "gaussian-logit", "logit-logit", "probit-probit", "gaussian-poisson", "gaussian-gamma",
    "gaussian-negative_binomial", "gaussian-ordered_logit", "gaussian-weibull", "logit-poisson",
    "negative_binomial-logit", "gaussian-beta", "poisson-logit", "ordered_logit-logit",
)  # fmt: skip
FEW = np.array([0, 20, 47])


def jittered(draws, names=("sigma", "shape", "phi", "alpha", "nu")):
    """Parameters that differ between draws."""
    rng = np.random.default_rng(8)
    for key in ("mediator", "outcome"):
        own = dict(getattr(draws, key).parameters)
        for name in set(own) & set(names):
            own[name] = own[name] * np.exp(rng.normal(0.0, 0.1, len(draws)))
        draws = draws.changed(key, parameters=own)
    return draws


def assert_as_exact(rows, draws, bootstrap=None, served=True):
    effort = Effort()
    if draws.index is None:
        draws = replace(draws, index=np.arange(len(draws)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(means, "over_blocks", lambda *_: [np.zeros((2, 2, len(draws)))])
        found = cell_means(draws, rows, bootstrap, effort)
    if not found.any() and not served:  # a closed form, or left to adaptive integrals
        return
    assert effort.error <= TOLERANCE
    right = cell_means(draws.block(FEW), rows, bootstrap)
    assert np.abs(found[..., FEW] - right).max() < TOLERANCE * spread(found)


@pytest.mark.each
@pytest.mark.parametrize("rho", [0.0, 0.5, -0.85])
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_cells_of_every_pair(pair, rho):
    rows, draws = rows_and_draws(pair, rho, 70, 48, seed=2)
    assert_as_exact(rows, jittered(draws), served="-".join(pair) in SERVED)


@pytest.mark.parametrize("outcome", sorted(LOG_LINK))
def test_an_infinite_mean_is_an_error(outcome):
    rows, draws = rows_and_draws(("student_t", outcome), 0.0, 70, 48)
    with pytest.raises(ArithmeticError, match="is infinite"):
        cell_means(draws, rows, effort=Effort())


def test_a_log_link_may_need_more_values_of_a_count_on_either_side():
    """Values whose probability is negligible carry the mean where the slope is steep."""
    for slope in (1.2, -1.2):
        rows, draws = rows_and_draws(("poisson", "weibull"), 0.0, 3, 48)
        draws.mediator.coef[:, 0] = 7.0  # a mean of 1100, whose sum starts above zero
        draws.outcome.coef[:, 3:] = [slope, 0.0]
        assert not is_quick(draws, rows)


@pytest.mark.parametrize("outcome", ["logit", "beta", "ordered_logit"])
def test_every_mediator_is_quick(outcome):
    for mediator in MEDIATORS:
        rows, draws = rows_and_draws((mediator, outcome), 0.4, 70, 2)
        assert is_quick(draws, rows), mediator


@pytest.mark.parametrize("pair", [("gaussian", "logit"), ("logit", "poisson")])
def test_rho_that_differs_between_draws(pair):
    rows, draws = rows_and_draws(pair, 0.0, 70, 48)
    assert_as_exact(rows, replace(draws, rho=np.linspace(-0.7, 0.6, 48)))


@pytest.mark.parametrize("pair", [("gaussian", "logit"), ("probit", "logit"), ("poisson", "logit")])
def test_weights_of_the_bootstrap(pair):
    assert_as_exact(*rows_and_draws(pair, 0.4, 70, 48), bootstrap=5)


@pytest.mark.parametrize("changed", [("mediator",), ("outcome",), ("mediator", "outcome")])
@pytest.mark.parametrize("pair", [("gaussian", "logit"), ("logit", "poisson")])
def test_rows_that_differ_otherwise_in_each_arm(pair, changed):
    rows, draws = rows_and_draws(pair, 0.4, 70, 48)
    for key in changed:
        base = getattr(rows, key).base.copy()
        base[1, :, 0] += np.random.default_rng(9).normal(0.0, 0.5, 70)
        rows = rows.changed(key, base=base)
    assert_as_exact(rows, draws)


@pytest.mark.parametrize("outcome", ["logit", "negative_binomial", "beta"])
def test_blocks_change_nothing_that_can_be_seen(monkeypatch, outcome):
    """They share the tables of the first where these reach, and have their own elsewhere."""
    rows, draws = rows_and_draws(("gaussian", outcome), 0.4, 70, 48)
    draws = jittered(draws)
    whole = cell_means(draws, rows, effort=Effort())
    monkeypatch.setattr(engine, "_HELD", 500_000)
    parts = cell_means(draws, rows, effort=(effort := Effort()))
    assert effort.error <= TOLERANCE
    assert 0.0 < np.abs(parts - whole).max() < TOLERANCE * spread(whole)


def test_a_column_of_the_mediators_family_tells_rows_apart():
    plain = FAMILIES["poisson"]
    at = lambda eta, p: eta + np.log(p["dose"])
    family = replace(
        plain, name="dosed", takes=("dose",),
        score=lambda y, eta, p: plain.score(y, at(eta, p), p),
        value=lambda e, eta, p: plain.value(e, at(eta, p), p),
        mean=lambda eta, p: plain.mean(at(eta, p), p),
        log_density=lambda y, eta, p: plain.log_density(y, at(eta, p), p),
    )  # fmt: skip
    rows, draws = rows_and_draws(("poisson", "logit"), 0.4, 70, 48)
    design = rows.mediator.design.copy()
    design[..., 1] = 0.3  # one location in all rows
    dose = np.where(np.arange(70) % 2, 1.0, 2.5)
    own = {"family": family, "base": design, "columns": {"dose": dose}}
    assert_as_exact(rows.changed("mediator", **own), draws)


def test_what_was_needed_serves_the_next_call():
    rows, draws = rows_and_draws(("gaussian", "logit"), 0.9, 70, 48)
    effort = Effort(sizes=Sizes(4, 4, 4, 6, 6, 4))
    first = cell_means(draws, rows, effort=effort)
    ((rho, sizes),) = effort.known.items()
    assert rho == pytest.approx(0.9) and sizes.score > 4 and sizes.table > 6
    np.testing.assert_array_equal(cell_means(draws, rows, effort=effort), first)
    assert effort.known == {rho: sizes}


def test_a_larger_rho_needs_no_less():
    effort = Effort(known={0.5: Sizes(score=20), -0.9: Sizes(score=40)})
    assert effort.start(0.3) == (Sizes(score=20), True)
    assert effort.start(0.7) == (Sizes(score=20), False)
    assert effort.start(-0.3) == (Sizes(score=40), True)
    assert Effort(known={0.5: Sizes(score=20)}).start(-0.2) == (Sizes(), False)


def test_a_table_does_not_reach_to_where_counts_are_infinite():
    rows, draws = rows_and_draws(("gaussian", "poisson"), -0.6, 20, 300, seed=4)
    draws = draws.changed("outcome", coef=draws.outcome.coef * 2.0)
    found = cell_means(draws, rows, effort=(effort := Effort()))
    assert effort.known
    few = draws.block(slice(0, 2))
    np.testing.assert_allclose(found[..., :2], cell_means(few, rows), rtol=1e-4)


def test_means_that_no_size_settles_are_left_to_adaptive_integrals():
    rng = np.random.default_rng(3)

    def evaluate(some, sizes):
        return rng.normal(size=(2, 2, 40 if some is None else len(some)))

    effort = Effort()
    assert settled(evaluate, np.zeros(40), effort) is None
    assert np.isnan(effort.error)
    assert not effort.known
