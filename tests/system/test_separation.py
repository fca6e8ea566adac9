"""What the data leave to the priors: arms without events, cells, spreads, groups, tiny strata.

Whether a likelihood has a finite maximum is checked against a grid or an optimiser that knows
nothing of linear programs.
"""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special

import bayesmed as bm
from bayesmed.system.separation import ends_of, likelihood_notes, unbounded
from tests.support.inputs import both, build
from tests.support.models import FRAMING, JOBS

N = 120
FORMULAS = {"mediator": "m ~ treat + x", "outcome": "y ~ m + treat + x", "treatment": "treat"}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(5)
    treat, x = np.arange(N) % 2, rng.normal(size=N)
    return pd.DataFrame(
        {
            "treat": treat,
            "x": x,
            "m": 0.3 * treat + rng.normal(size=N),
            "g": np.array(["a", "b", "c"])[rng.integers(0, 3, N)],
            "count": rng.poisson(1.0, N),
            "some": rng.integers(0, 2, N),
            "of5": rng.binomial(5, 0.4, N),
            "grade": rng.integers(0, 4, N),
            "time": rng.weibull(1.5, N),
            "event": rng.integers(0, 2, N),
            "score": rng.normal(size=N),
        }
    )


def notes(data, **arguments):
    """The model's notes on its likelihood; all warnings are of these."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return likelihood_notes(bm.MediationModel(data, **{**FORMULAS, **arguments}))


CENSORED = {"outcome_data": {"event": "event"}}
#: Family, column, the value at an end, what the message says of it, further arguments.
ENDS = [
    ("probit", "some", 0, "'y' is 0", {}),
    ("logit", "some", 1, "'y' is 1", {}),
    ("poisson", "count", 0, "'y' is 0", {}),
    ("negative_binomial", "count", 0, "'y' is 0", {}),
    ("binomial", "of5", 0, "'y' is 0", {"outcome_data": {"trials": 5}}),
    ("binomial", "of5", 5, "'y' is all of its trials", {"outcome_data": {"trials": 5}}),
    ("ordered_probit", "grade", 0, "'y' is 0", {}),
    ("ordered_logit", "grade", 3, "'y' is 3", {}),
    ("tobit", "score", -1.0, "'y' is at its lower limit", {"outcome_data": {"lower": -1.0}}),
    ("tobit", "score", 1.0, "'y' is at its upper limit", {"outcome_data": {"upper": 1.0}}),
]


@pytest.mark.each(2)
@pytest.mark.parametrize(("family", "column", "end", "words", "more"), ENDS)
@pytest.mark.parametrize("arm", [0, 1])
def test_nothing_in_one_arm_is_told_of_every_family(data, family, column, end, words, more, arm):
    y = data[column].clip(
        lower=more.get("outcome_data", {}).get("lower"),
        upper=more.get("outcome_data", {}).get("upper"),
    )
    assert notes(data.assign(y=y), outcome_family=family, **more) == []
    empty = y.where(data["treat"] != arm, end)
    (note,) = notes(data.assign(y=empty), outcome_family=family, **more)
    assert note.startswith(
        f"Separation in the outcome equation: {words} in all 60 rows where treat = {arm}. "
    )


@pytest.mark.each(2)
@pytest.mark.parametrize("family", ["weibull", "loglogistic", "lognormal", "gamma"])
def test_no_event_in_one_arm(data, family):
    y = data.assign(y=data["time"])
    assert notes(y, outcome_family=family, **CENSORED) == []
    empty = y.assign(event=y["event"] * y["treat"])
    (note,) = notes(empty, outcome_family=family, **CENSORED)
    assert "'y' is censored in all 60 rows where treat = 0" in note


@pytest.mark.parametrize("family", ["logit", "poisson", "negative_binomial", "ordered_logit"])
def test_a_mediator_without_events_in_one_arm(data, family):
    column = {"logit": "some", "ordered_logit": "grade"}.get(family, "count")
    empty = data.assign(m=data[column] * data["treat"], y=data["score"])
    (note,) = notes(empty, mediator_family=family)
    assert note.startswith("Separation in the mediator equation: 'm' is 0 in all 60 rows where tr")


def test_a_cell_of_an_interaction_and_none_without_it(data):
    """Additive effects are estimated from the other cells; the cell's own is not."""
    cell = (data["treat"] == 1) & (data["g"] == "a")
    empty = data.assign(y=data["count"].where(~cell, 0))
    own = {"mediator": "m ~ treat * g", "outcome": "y ~ m + treat * g"}
    (note,) = notes(empty, outcome_family="poisson", **own)
    assert f"all {cell.sum()} rows where treat = 1 and g = 'a'" in note
    added = {"mediator": "m ~ treat + g", "outcome": "y ~ m + treat + g"}
    assert notes(empty, outcome_family="poisson", **added) == []


def test_an_exposure_and_a_covariate_do_not_hide_it(data):
    """Numbers as numbers: only rows beyond the largest x have none, and all have an exposure."""
    empty = data.assign(y=data["count"].where(data["x"] < 0.0, 0), days=10)
    plain = notes(empty, outcome_family="poisson", outcome_data={"exposure": "days"})
    assert plain == []  # a slope of x explains few events, not none
    level = data.assign(y=data["count"].where(data["g"] != "b", 0), days=10)
    (note,) = notes(
        level, mediator="m ~ treat + g", outcome="y ~ m + treat + g", outcome_family="poisson",
        outcome_data={"exposure": "days"},
    )  # fmt: skip
    assert "where g = 'b'" in note


def test_many_levels_are_counted_and_not_listed(data):
    strata = data.assign(site=np.arange(N) // 6, y=data["some"])
    strata.loc[strata["site"] % 2 == 0, "y"] = 0
    found = notes(
        strata, mediator="m ~ treat + C(site)", outcome="y ~ m + treat + C(site)",
        outcome_family="logit",
    )  # fmt: skip
    assert "where site = 0, 2, 4, ... (10 in all)" in found[0]
    assert max(map(len, found)) < 500


@pytest.mark.parametrize("family", ["poisson", "logit"])
def test_the_direction_exists_where_the_likelihood_has_no_maximum(family):
    """Against a ridge that goes to zero: only without a maximum the coefficients go on growing."""
    seen = set()
    for seed in range(25):
        rng = np.random.default_rng(seed)
        n = 14
        small = pd.DataFrame({"treat": np.arange(n) % 2, "x": np.resize([-1, 0, 1], n)})
        small["m"] = rng.normal(size=n)
        small["y"] = np.minimum(
            rng.poisson(0.6 if family == "logit" else 0.25, n), 1 if family == "logit" else 9
        )
        if small["y"].nunique() == 1:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = bm.MediationModel(small, **FORMULAS, outcome_family=family)
        design, response = model.designs[1], model.equations["outcome"].response
        ends = ends_of(model.families["outcome"], response, "y")
        found = unbounded(design, model.families["outcome"], response, ends) is not None
        growth = np.abs(
            _maximum(design.matrix, response.values, family, 1e-7)
            - _maximum(design.matrix, response.values, family, 1e-4)
        ).max()
        assert found == (growth > 1.0), (seed, growth)
        seen.add(found)
    assert seen == {True, False}


def _maximum(columns, y, family, ridge):
    """Coefficients of a regression with a ridge, by Newton's method."""

    def parts(b):
        eta = columns @ b
        if family == "poisson":
            mean = weight = np.exp(eta)
            value = mean.sum() - y @ eta
        else:
            mean = special.expit(eta)
            weight, value = mean * (1.0 - mean), np.logaddexp(0.0, eta).sum() - y @ eta
        value += 0.5 * ridge * b @ b
        slope = columns.T @ (mean - y) + ridge * b
        return value, slope, columns.T @ (weight[:, None] * columns) + ridge * np.eye(len(b))

    found = optimize.minimize(
        lambda b: parts(b)[0], np.zeros(columns.shape[1]), jac=lambda b: parts(b)[1],
        hess=lambda b: parts(b)[2], method="trust-exact", options={"gtol": 1e-11, "maxiter": 500},
    )  # fmt: skip
    return found.x


@pytest.mark.parametrize("family", ["ordered_probit", "ordered_logit"])
def test_ordered_categories_that_meet_in_one(data, family):
    """0, 1 in one arm and 1, 2 in the other: effect and upper cutpoint grow together without end."""
    grade = data["grade"].clip(upper=1) + data["treat"]
    (note,) = notes(data.assign(y=grade), outcome_family=family)
    assert "['treat'] predict 'y' without error" in note
    grade[1] = 0  # one row of the treated in the lowest category bounds it
    grade[0] = 2
    assert notes(data.assign(y=grade), outcome_family=family) == []


# One value in an arm.


@pytest.mark.parametrize("family", ["gaussian", "student_t", "poisson"])
def test_a_mediator_with_one_value_in_an_arm(data, family):
    value = 3
    once = data.assign(m=data["count"].where(data["treat"] == 1, value), y=data["score"])
    (note,) = notes(once, mediator_family=family)
    assert note.startswith(
        "The mediator 'm' is 3 in all 60 rows where treat = 0, and takes no other"
    )
    once.loc[0, "m"] = 4
    assert notes(once, mediator_family=family) == []


def test_an_outcome_with_one_value_in_an_arm(data):
    once = data.assign(y=data["score"].where(data["treat"] == 0, 2.5))
    (note,) = notes(once)
    assert note.startswith(
        "The outcome 'y' is 2.5 in all 60 rows where treat = 1, and takes no oth"
    )


def test_sigma_by_arm_of_a_constant_arm_is_refused_at_once(data):
    once = data.assign(m=data["count"].where(data["treat"] == 1, 0), y=data["score"])
    with pytest.raises(
        ValueError, match=r"'m' does not vary in all 60 rows where treat = 0, so th"
    ):
        bm.MediationModel(once, **FORMULAS, mediator_sigma="~ treat")
    line = data.assign(y=data["score"].where(data["treat"] == 1, 3.0 + 2.0 * data["x"]))
    with pytest.raises(ValueError, match=r"gives 'y' without error in all 60 rows where treat = 0"):
        bm.MediationModel(line, **FORMULAS, outcome_sigma="~ treat + x")
    cell = (data["treat"] == 0) & (data["g"] == "b")
    some = data.assign(y=data["score"].where(~cell, 7.0))
    both = {"mediator": "m ~ treat * g", "outcome": "y ~ m + treat * g", "treatment": "treat"}
    with pytest.raises(ValueError, match=rf"all {cell.sum()} rows where treat = 0 and g = 'b'"):
        bm.MediationModel(some, **both, outcome_sigma="~ treat * g")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bm.MediationModel(some, **both, outcome_sigma="~ treat + g")  # others tell the spread


# Factors of very small groups.


def pairs(count, rng):
    pair = np.repeat(np.arange(count), 2)
    level = np.repeat(rng.normal(0.0, 1.5, count), 2)
    treat = np.tile([0, 1], count)
    m = 0.6 * treat + 0.5 * level + rng.normal(size=2 * count)
    y = (rng.random(2 * count) < special.expit(-0.3 + 0.5 * treat + 0.5 * m + level)).astype(int)
    return pd.DataFrame({"pair": pair, "treat": treat, "m": m, "y": y})


MATCHED = {
    "mediator": "m ~ treat + C(pair)",
    "outcome": "y ~ m + treat + C(pair)",
    "treatment": "treat",
}


def test_matched_pairs_with_a_binary_outcome_are_told():
    data = pairs(30, np.random.default_rng(3))
    found = notes(data, **MATCHED, outcome_family="logit")
    assert any("C(pair) gives the outcome equation" in note for note in found)
    assert any("30 levels, from 2.0 rows each" in note for note in found)
    assert not any("mediator equation" in note for note in found)
    # A Gaussian or Poisson equation has no such bias, and few large groups none to speak of.
    assert notes(data, **MATCHED) == []
    counts = notes(data.assign(y=data["y"] + 1), **MATCHED, outcome_family="poisson")
    assert counts == []
    large = data.assign(pair=data["pair"] % 6)
    assert not any("incidental" in n for n in notes(large, **MATCHED, outcome_family="logit"))


@pytest.mark.slow
def test_the_advice_for_matched_pairs_gives_the_differences_within_pairs():
    """Least squares of the differences within pairs, by hand."""
    data = pairs(25, np.random.default_rng(4))
    with pytest.warns(UserWarning, match="holds 0 and 1 only"):
        model = bm.MediationModel(data, **MATCHED)
    flat = {
        equation: {name: bm.Prior("HalfFlat" if name == "sigma" else "Flat") for name in own}
        for equation, own in model.priors_in_use.items()
    }
    with pytest.warns(UserWarning, match="holds 0 and 1 only"):
        model = bm.MediationModel(data, **MATCHED, priors=flat)
    fit = model.fit(method="laplace", draws=500, chains=2, random_seed=1, progress=False)
    wide = data.pivot(index="pair", columns="treat")
    dm, dy = wide["m"][1] - wide["m"][0], wide["y"][1] - wide["y"][0]
    slope = np.cov(dm, dy)[0, 1] / dm.var()
    draws = fit.effects().draws
    for name, truth in (("acme", slope * dm.mean()), ("total", dy.mean())):
        own = draws[name].sel(arm="average") if name == "acme" else draws[name]
        assert abs(float(own.mean()) - truth) < 0.15 * float(own.std())  # of 1000 draws


# Groups with one arm.


@pytest.fixture(scope="module")
def fitted(data):
    groups = data.assign(
        y=data["score"],
        site=np.where(data.index < 10, "c", np.where(data.index < 15, "d", "e")),
        half=np.where(data["x"] > 0.0, "high", "low"),
    )
    groups.loc[groups["site"] != "e", "treat"] = 0
    model = bm.MediationModel(groups, **FORMULAS)
    return model.fit(method="laplace", draws=500, chains=2, random_seed=1, progress=False)


@pytest.mark.fit
def test_groups_with_one_arm_are_named(fitted):
    with pytest.warns(UserWarning, match=r"by='site': .*'c', 'd' with treat = 0 only") as told:
        found = fitted.effects(by="site")
    assert len(told) == 1 and told[0].filename == __file__
    assert found.draws["by"].values.tolist() == ["c", "d", "e"]


@pytest.mark.fit
def test_groups_with_both_arms_and_the_treatment_itself_are_not(fitted):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted.effects(by="half")
        fitted.effects(by="treat")


# Rows that are read part by part.


@pytest.mark.each(2)
@pytest.mark.parametrize("late", [None, 9_000, 9_001])
def test_rows_in_parts_are_judged_by_all_of_them(late, monkeypatch):
    """The first rows have no event in either arm, or none in one; the last may have one."""
    from bayesmed.data import chunks as parts
    from bayesmed.posterior.moments import _head_model, scan
    from bayesmed.system.separation import notes_of_parts

    monkeypatch.setattr(parts, "ROWS", 2_000)
    rng = np.random.default_rng(1)
    n = 10_000
    rows = pd.DataFrame({"treat": np.arange(n) % 2, "x": rng.normal(size=n)})
    rows["m"] = 0.3 * rows["treat"] + rng.normal(size=n)
    rows["y"] = rng.poisson(0.2, n) * rows["treat"]
    if late is not None:
        rows.loc[late, "y"] = 2
    wanted = ["treat", "m", "y", "x"]
    opened = parts.parts_of(rows)
    found = scan(opened, wanted, "treat")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        head = _head_model(found, {**FORMULAS, "outcome_family": "poisson"})
    told = notes_of_parts(head, opened, wanted, found.levels)
    if late == 9_000:  # one of the control arm
        assert told == []
    else:
        (note,) = told
        assert note.startswith("Separation in the outcome equation: ['treat'] predict 'y'")


@pytest.mark.parametrize("family", ["probit", "logit"])
def test_separation_names_the_column(small, family):
    data = small.assign(y=(small["x"] > 0).astype(int))
    with pytest.warns(UserWarning, match=r"Separation in the outcome equation: \['x'\] .*'y'"):
        build(data, outcome_family=family)
    data = small.assign(m=(small["x"] > 0).astype(int))
    with pytest.warns(UserWarning, match=r"Separation in the mediator equation: \['x'\] .*'m'"):
        build(data, mediator_family=family)


def test_separation_by_a_level_and_by_a_combination(small):
    data = small.assign(y=np.where(small["g"] == "b", 1, small["d"]))
    with pytest.warns(UserWarning, match=r"Separation .*'y' is 1 in all \d+ rows where g = 'b'\."):
        build(data, outcome_family="probit", **both("t + g"))
    data = small.assign(z=np.random.default_rng(1).normal(size=len(small)))
    data["y"] = (data["x"] + data["z"] > 0).astype(int)
    with pytest.warns(UserWarning, match=r"Separation .*'x', 'z'"):
        build(data, outcome_family="probit", **both("t + x + z"))


def test_no_separation_no_warning(small, framing, jobs):
    build(small, mediator="m ~ t + x", outcome="d ~ m + t + x", outcome_family="logit")
    bm.MediationModel(framing, **FRAMING)
    bm.MediationModel(jobs, **JOBS)
