"""Treatment and mediator where a counterfactual cannot move them: refused, with what to write."""

import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesmed as bm

QUICK: dict[str, Any] = {
    "method": "laplace", "draws": 1000, "chains": 2, "random_seed": 1, "progress": False
}  # fmt: skip
FORMULAS: dict[str, Any] = {"mediator": "m ~ t + x", "outcome": "y ~ m + t + x", "treatment": "t"}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 400
    t, x = np.arange(n) % 2, rng.normal(size=n)
    m = rng.poisson(np.exp(1.0 + 0.6 * t)) + 1
    y = 0.6 * m + 0.3 * t + 0.2 * x + rng.normal(size=n)
    found = pd.DataFrame({"t": t, "x": x, "m": m, "y": y, "wins": rng.binomial(m, 0.4)})
    return found.assign(
        c=rng.poisson(0.5 * m), b=rng.integers(0, 2, n), dose=rng.uniform(1.0, 4.0, n),
        sex=rng.choice(["f", "m"], n), twin=m, log_m=np.log(m), arm=t, years=1.0 + 2.0 * t,
    )  # fmt: skip


@pytest.mark.parametrize("column", ["m", "twin", "t", "arm"])
@pytest.mark.parametrize(
    ("response", "family", "key", "mend"),
    [
        ("wins", "binomial", "trials", "no family whose number of trials"),
        ("c", "poisson", "exposure", "Put its logarithm into the formula"),
        ("y", "gaussian", "offset", "Leave it out"),
    ],
)
def test_outcome_data(
    frame: pd.DataFrame, column: str, response: str, family: str, key: str, mend: str
) -> None:
    role = "mediator" if column in ("m", "twin") else "treatment"
    with pytest.raises(
        ValueError, match=rf"outcome_data\['{key}'\] = '{column}' is the {role}.*{mend}"
    ):
        bm.MediationModel(
            frame, **{**FORMULAS, "outcome": f"{response} ~ m + t + x"}, outcome_family=family,
            outcome_data={key: column},
        )  # fmt: skip


@pytest.mark.parametrize(
    ("argument", "key", "column"),
    [
        ("outcome_data", "offset", "log_m"),
        ("outcome_data", "offset", "y"),
        ("mediator_data", "offset", "t"),
        ("mediator_data", "offset", "y"),
    ],
)
def test_further_data_columns(frame: pd.DataFrame, argument: str, key: str, column: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{argument}[{key!r}] = {column!r} is the")):
        bm.MediationModel(frame, **FORMULAS, **{argument: {key: column}})


def test_censoring(frame: pd.DataFrame) -> None:
    for family, key, column in (("tobit", "lower", "t"), ("gamma", "event", "t")):
        with pytest.raises(ValueError, match=r"is the treatment.*which outcomes were hidden"):
            bm.MediationModel(
                frame.assign(y=np.exp(frame["y"] / 4)), **FORMULAS, outcome_family=family,
                outcome_data={key: column},
            )  # fmt: skip


def test_an_exposure_that_differs_by_arm_is_none_of_these(frame: pd.DataFrame) -> None:
    bm.MediationModel(
        frame, **{**FORMULAS, "outcome": "c ~ m + t + x"}, outcome_family="poisson",
        outcome_data={"exposure": "years"},
    )  # fmt: skip


@pytest.mark.fit
def test_without_the_offset_the_effect_is_that_of_least_squares(frame: pd.DataFrame) -> None:
    """What the message says of an offset: the coefficient in the formula takes it up."""
    rng = np.random.default_rng(5)
    data = frame.assign(m=0.8 * frame["t"] + rng.normal(size=len(frame)))
    data["y"] = data["m"] + 0.3 * data["t"] + rng.normal(size=len(frame))
    ones = np.ones(len(data))
    a = np.linalg.lstsq(np.column_stack([ones, data["t"], data["x"]]), data["m"])[0][1]
    b = np.linalg.lstsq(np.column_stack([ones, data["m"], data["t"], data["x"]]), data["y"])[0][1]
    found = bm.fit(data, **FORMULAS, **QUICK).effects().draws["acme"]
    assert float(found.sel(arm="average").mean()) == pytest.approx(a * b, abs=0.02)


@pytest.mark.fit
def test_the_logarithm_in_place_of_an_exposure() -> None:
    """Counts in proportion to the mediator: E[C(t, M(t'))] = 0.5 E[M(t')], M log-normal."""
    rng = np.random.default_rng(2)
    t = np.arange(3000) % 2
    m = np.exp(0.5 + 0.4 * t + 0.5 * rng.normal(size=3000))
    data = pd.DataFrame({"t": t, "m": m, "c": rng.poisson(0.5 * m)})
    found = bm.fit(
        data, mediator="m ~ t", outcome="c ~ log(m) + t", treatment="t",
        mediator_family="lognormal", outcome_family="poisson",
        priors={"outcome": {"log(m)": bm.Prior("Normal", mu=1, sigma=0.001)}}, **QUICK,
    ).effects().draws["acme"].sel(arm="average")  # fmt: skip
    truth = 0.5 * np.exp(0.5 + 0.125) * np.expm1(0.4)
    assert abs(float(found.mean()) - truth) < 3.0 * float(found.std())
    assert float(found.std()) < 0.1 * truth


@pytest.mark.fit
def test_questions(frame: pd.DataFrame) -> None:
    data = frame.assign(
        m=frame["m"] + np.linspace(0, 0.1, len(frame)),
        cut=pd.cut(frame["m"], [0, 3, 6, 99]).astype(str),
    )
    fit = bm.fit(data, **FORMULAS, **QUICK)
    for asked, message in (
        ({"at": {"m": 1.0}}, "'m' is the mediator; m= sets its value"),
        ({"at": {"t": 1}}, r"'t' is the treatment; contrast=\(control, treated\)"),
        ({"at": {"y": 1.0}}, "'y' is the outcome"),
        ({"by": "m"}, "by='m' is the mediator, which the treatment moves.*ask for m="),
        ({"by": "y"}, "by='y' is the outcome, which the treatment moves"),
        ({"weights": "m"}, "weights='m' is the mediator"),
        ({"weights": "y"}, "weights='y' is the outcome"),
        ({"weights": "t"}, "weights='t' is the treatment; on='treated'"),
    ):
        with pytest.raises(ValueError, match=message):
            fit.effects(**asked)
    with pytest.warns(UserWarning, match="groups of by='cut' are ranges of the mediator 'm'"):
        fit.effects(by="cut")
    fit.effects(by="sex")  # without a word
    by_arm = fit.effects(by="t").draws
    for level, on in ((0.0, "untreated"), (1.0, "treated")):
        own = fit.effects(on=on).draws  # type: ignore[arg-type]
        np.testing.assert_allclose(by_arm["acme"].sel(by=level), own["acme"])


def centred(column: pd.Series) -> pd.Series:
    return column - column.mean()


@pytest.mark.each(4)
@pytest.mark.parametrize(
    ("made", "instead"),
    [
        (lambda d: d["m"] ** 2, "I(m**2)"),
        (lambda d: centred(d["m"]) ** 2, "I(m**2)"),
        (lambda d: d["m"] ** 3, "I(m**3)"),
        (lambda d: np.log(d["m"]), "log(m)"),
        (lambda d: np.sqrt(d["m"]), "np.sqrt(m)"),
        (lambda d: d["m"] * d["t"], "m:t"),
        (lambda d: centred(d["m"]) * centred(d["t"]), "m:t"),
        (lambda d: centred(d["m"]) / d["m"].std() * centred(d["x"]) / d["x"].std(), "m:x"),
        (lambda d: d["t"] * d["x"], "t:x"),
        (lambda d: centred(d["t"]) * centred(d["x"]), "'x'"),
        (lambda d: d["t"] * d["b"], "t:b"),
        (lambda d: d["t"] * (d["sex"] == "f"), "t:sex"),
    ],
)
def test_columns_made_of_treatment_or_mediator(
    frame: pd.DataFrame, made: Any, instead: str
) -> None:
    """Held at its observed value such a column would leave out the effect through it."""
    formulas = {
        "mediator": "m ~ t + x + b + sex", "outcome": "y ~ m + t + x + b + sex + made",
        "treatment": "t",
    }  # fmt: skip
    with pytest.raises(ValueError, match=f"made.*{re.escape(instead)}|{re.escape(instead)}.*made"):
        bm.MediationModel(frame.assign(made=made(frame)), **formulas)


@pytest.mark.parametrize(
    "cut", [lambda m: (m > 3) * 1.0, lambda m: pd.cut(m, [0, 2, 4, 99]).astype(str)]
)
def test_ranges_of_the_mediator_are_asked_about(frame: pd.DataFrame, cut: Any) -> None:
    formulas = {**FORMULAS, "outcome": "y ~ m + t + x + made", "mediator": "m ~ t + x + made"}
    with pytest.warns(UserWarning, match="'made' are ranges of the mediator 'm'.*group of its own"):
        bm.MediationModel(frame.assign(made=cut(frame["m"])), **formulas)


def test_a_site_and_a_rare_dummy_are_covariates() -> None:
    """A site that moves the mediator by more than its spread is the strongest confounder."""
    rng = np.random.default_rng(2)
    t, s, x = np.arange(200) % 2, np.arange(200) // 100, rng.normal(size=200)
    m = 20.0 * s + 0.4 * t + rng.normal(size=200)
    data = pd.DataFrame({"t": t, "s": s, "m": m, "x": x, "y": m + 3.0 * s + rng.normal(size=200)})
    formulas = {"mediator": "m ~ t + s", "outcome": "y ~ m + t + s", "treatment": "t"}
    with pytest.warns(UserWarning, match="The values of 's' are ranges of the mediator 'm'"):
        bm.MediationModel(data, **formulas)
    for row in (m.argmin(), m.argmax()):
        rare = data.assign(s=np.arange(200) == row).astype({"s": float})
        bm.MediationModel(rare, **formulas)  # without a word


def test_in_the_mediator_equation_and_for_doses(frame: pd.DataFrame) -> None:
    with pytest.raises(
        ValueError, match=r"'tx' is computed from the treatment 't' and 'x';.*Write t:x"
    ):
        bm.MediationModel(
            frame.assign(tx=frame["t"] * frame["x"]), **{**FORMULAS, "mediator": "m ~ t + x + tx"}
        )
    with pytest.raises(ValueError, match=r"'square' is computed from the treatment 'dose'"):
        bm.MediationModel(
            frame.assign(square=frame["dose"] ** 2), mediator="m ~ dose + square",
            outcome="y ~ m + dose + square", treatment="dose", control=1.5, treated=3.0,
        )  # fmt: skip


@pytest.mark.parametrize(
    "made",
    [
        lambda d: d["x"] ** 2,
        lambda d: 12.0 * d["x"] + np.random.default_rng(1).normal(size=len(d)),
        lambda d: (
            d["b"] + d["t"] - 2 * d["b"] * d["t"]
        ),  # the period of a cross-over, b the sequence
        lambda d: d["m"] + 0.01 * np.random.default_rng(1).normal(size=len(d)),  # another measure
        lambda d: d["b"] * d["x"],
    ],
)
def test_other_columns_are_left_alone(frame: pd.DataFrame, made: Any) -> None:
    formulas = {
        "mediator": "m ~ t + x + b + made", "outcome": "y ~ m + t + x + b + made", "treatment": "t"
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bm.MediationModel(frame.assign(made=made(frame)), **formulas)
