"""A covariate that the treatment changes is a mediator: what is asked, and what is printed."""

import warnings

import numpy as np
import pandas as pd
import pytest

import bayesmed as bm
from bayesmed.system.covariates import associated

LAPLACE = {"method": "laplace", "draws": 500, "chains": 2, "random_seed": 1, "progress": False}
#: Slopes of two parallel mediators on the treatment, of the outcome on them, and the direct effect.
A, B, DIRECT = (0.5, 0.6), (0.4, 0.5), 0.1


@pytest.fixture(scope="module")
def parallel():
    rng = np.random.default_rng(1)
    n = 4000
    x, treat = rng.normal(size=n), rng.integers(0, 2, n)
    m1 = A[0] * treat + 0.3 * x + rng.normal(size=n)
    m2 = A[1] * treat + 0.2 * x + rng.normal(size=n)
    y = B[0] * m1 + B[1] * m2 + DIRECT * treat + 0.2 * x + rng.normal(size=n)
    g = np.array(["a", "b", "c"])[rng.integers(0, 3, n)]
    return pd.DataFrame({"treat": treat, "x": x, "m1": m1, "m2": m2, "y": y, "g": g})


def fitted(data, mediator, outcome):
    """The fit, and what was said."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fit = bm.fit(
            data,
            mediator=f"m1 ~ {mediator}",
            outcome=f"y ~ {outcome}",
            treatment="treat",
            **LAPLACE,
        )
    return fit, [str(w.message) for w in told if w.category is bm.IdentificationWarning]


def total(fit):
    return float(fit.effects().draws["total"].median())


@pytest.mark.fit
def test_without_the_other_mediator_the_total_is_the_total(parallel):
    fit, told = fitted(parallel, "treat + x", "m1 + treat + x")
    assert told == [] and abs(total(fit) - (A[0] * B[0] + A[1] * B[1] + DIRECT)) < 0.12
    assert "They hold x fixed: should the treatment change it, that is a mediator" in fit.report()
    assert "associated" not in fit.report()


@pytest.mark.fit
@pytest.mark.parametrize(
    ("mediator", "warned"), [("treat + x", True), ("treat + x + m2", False)], ids=["one", "both"]
)
def test_another_mediator_as_covariate_has_no_total_effect(parallel, mediator, warned):
    """What goes through it is in neither: the total is that of the other paths, and this is said."""
    fit, told = fitted(parallel, mediator, "m1 + treat + x + m2")
    assert abs(total(fit) - (A[0] * B[0] + DIRECT)) < 0.12
    report = fit.report()
    assert "They hold x, m2 fixed: should the treatment change any of these, that is a" in report
    assert "no figure here, the total effect included, has what passes through it" in report
    assert "the treatment is associated with m2." in report
    assert len(told) == warned
    if warned:
        assert told[0].startswith(
            "['m2'] stand in the outcome equation only. Does the treatment cha"
        )
        assert "associated with ['m2'], and not with the other covariates" in told[0]
        assert "the total among them, hold it as observed" in told[0]
        assert "recommend" not in told[0]


@pytest.mark.fit
def test_another_mediator_in_the_mediator_equation_alone(parallel):
    fit, (told,) = fitted(parallel, "treat + x + m2", "m1 + treat + x")
    assert "exclusion restriction" in told and "Does the treatment change any of them?" in told
    assert "the effect through the mediator holds it as observed and lacks" in told
    assert "The mediator's model alone holds m2 fixed" in fit.report()
    assert "They hold x fixed" in fit.report()


@pytest.mark.fit
def test_no_covariates_no_word(parallel):
    fit, told = fitted(parallel, "treat", "m1 + treat")
    assert told == [] and "fixed: should" not in fit.report() and "associated" not in fit.report()


def model(data, covariates, **arguments):
    own = {"treatment": "treat", **arguments}
    return bm.MediationModel(
        data, mediator=f"m1 ~ treat + {covariates}", outcome=f"y ~ m1 + treat + {covariates}", **own
    )


def test_association_with_the_treatment_is_found_for_every_kind(parallel):
    rng = np.random.default_rng(2)
    n = len(parallel)
    moved = np.where(rng.random(n) < 0.1 + 0.2 * parallel["treat"], "b", parallel["g"])
    data = parallel.assign(
        moved=moved,
        dose=parallel["treat"] + rng.normal(size=n),
        arm=np.where(parallel["treat"] == 1, "new", "old"),
        echo=parallel["m2"] + rng.normal(size=n),
    )
    assert associated(model(data, "x + g")) == []
    assert associated(model(data, "x + g + m2")) == ["m2"]
    assert associated(model(data, "x + moved")) == ["moved"]
    # Given m2 its echo tells nothing more of the treatment.
    assert associated(model(data, "echo + m2")) == ["m2"]
    text = data.drop(columns="treat").rename(columns={"arm": "treat"})
    levels = {"control": "old", "treated": "new"}
    assert associated(model(text, "x + m2", **levels)) == ["m2"]
    graded = data.drop(columns="treat").rename(columns={"dose": "treat"})
    assert associated(model(graded, "x + m2", control=0, treated=1)) == ["m2"]


def test_a_covariate_that_is_the_treatment_but_for_rounding_does_not_break(parallel):
    few = parallel.iloc[:40].assign(z=lambda frame: frame["treat"] + 1e-3 * frame["x"])
    assert associated(model(few, "z")) == ["z"]


# Categories.


@pytest.fixture
def modes(parallel):
    return parallel.iloc[:60].assign(
        two=lambda d: np.where(d["g"] == "a", "yes", "no"),
        order=lambda d: pd.Categorical(d["g"], ordered=True),
    )


def refusal(data, **arguments):
    own = {"mediator": "m1 ~ treat", "outcome": "y ~ m1 + treat", "treatment": "treat", **arguments}
    with pytest.raises(ValueError) as caught:
        bm.MediationModel(data, **own)
    return str(caught.value)


def test_a_nominal_mediator_gets_no_recoding(modes):
    told = refusal(modes, mediator="g ~ treat", outcome="y ~ g + treat")
    assert "There is no model for a mediator of three or more categories without an order" in told
    assert "Only where they have an order of their own" in told and "astype" not in told
    told = refusal(
        modes, mediator="g ~ treat", outcome="y ~ g + treat", mediator_family="ordered_probit"
    )
    assert "Where they have none, no ordered_probit model holds" in told


def test_other_categories_get_what_is_right_for_them(modes):
    told = refusal(modes, mediator="two ~ treat", outcome="y ~ two + treat")
    assert "df['two'].map({'no': 0, 'yes': 1})" in told and "mediator_family='probit'" in told
    told = refusal(modes, mediator="order ~ treat", outcome="y ~ order + treat")
    assert "It has an order: take mediator_family='ordered_probit'" in told
    told = refusal(modes, outcome="g ~ m1 + treat")
    assert "probability of a level against all others" in told and "(df['g'] == 'c')" in told
    many = modes.assign(g=[f"level {k}" for k in range(len(modes))])
    assert "(60 in all)" in refusal(many, outcome="g ~ m1 + treat")
    assert len(refusal(many, outcome="g ~ m1 + treat")) < 700
