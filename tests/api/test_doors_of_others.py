"""Words of other packages, arguments by place, questions to the wrong object; what tables then show."""

import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesmed as bm
from bayesmed.posterior.convergence import Convergence
from tests.support.reference import REFERENCE

QUICK: dict[str, Any] = {
    "method": "laplace", "draws": 400, "chains": 2, "random_seed": 1, "progress": False
}  # fmt: skip
FORMULAS: dict[str, Any] = {"mediator": "m ~ t + x", "outcome": "y ~ m + t + x", "treatment": "t"}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 200
    t, x, sex = np.arange(n) % 2, rng.normal(size=n), rng.choice(["f", "m"], n)
    m = 0.5 * t + 0.3 * x + rng.normal(size=n)
    y = 0.6 * m + 0.3 * t + rng.normal(size=n)
    return pd.DataFrame({"t": t, "x": x, "sex": sex, "m": m, "y": y, "arm": np.arange(n) % 3})


@pytest.fixture(scope="module")
def fit(frame: pd.DataFrame) -> bm.MediationFit:
    return bm.fit(frame, **FORMULAS, **QUICK)


@pytest.fixture(scope="module")
def moderated(frame: pd.DataFrame) -> bm.MediationFit:
    return bm.fit(
        frame, mediator="m ~ C(arm) * sex", outcome="y ~ m * sex + C(arm) * sex", treatment="arm",
        control=0, treated=1, **QUICK,
    )  # fmt: skip


@pytest.mark.each(4)
@pytest.mark.parametrize(
    ("word", "here"),
    [
        ("treat", "treatment="), ("iterations", "draws="), ("iter", "draws="), ("warmup", "tune="),
        ("family_outcome", "outcome_family="), ("model_m", "mediator_family="),
        ("weight", "weights='column'"), ("link", "mediator_family="), ("ci", "ci_prob="),
        ("interaction", "'y ~ m * treat'"), ("missing", "left out and counted"),
        ("treat_value", "control= and treated="), ("formula", "mediator='m ~ terms'"),
    ],
)  # fmt: skip
def test_words_of_other_packages(frame: pd.DataFrame, word: str, here: str) -> None:
    given: dict[str, Any] = {word: 1}
    said = rf"There is no argument {word}=\. .*{re.escape(here)}"
    with pytest.raises(TypeError, match=said):
        bm.fit(frame, **FORMULAS, **QUICK, **given)
    with pytest.raises(TypeError, match=said):
        bm.MediationModel(frame, **FORMULAS, **given)
    with pytest.raises(TypeError, match=said):
        bm.MediationModel(frame, **FORMULAS).fit(**given)


def test_the_list_starts_with_what_a_model_needs(frame: pd.DataFrame) -> None:
    with pytest.raises(TypeError, match=r"It takes mediator, outcome, treatment, control"):
        bm.fit(frame, **FORMULAS, qqqq=1)


def test_arguments_by_place(frame: pd.DataFrame) -> None:
    for door in ("MediationModel", "fit"):
        with pytest.raises(TypeError, match=rf"^{door}\(\) takes data by place.*such as mediator="):
            getattr(bm, door)(frame, "m ~ t", "y ~ m + t", "t")
    with pytest.raises(TypeError, match=r"^fit\(\) takes nothing by place.*such as draws="):
        bm.MediationModel(frame, **FORMULAS).fit(1000)  # type: ignore[misc]


@pytest.mark.fit
def test_what_a_fit_answers(frame: pd.DataFrame, fit: bm.MediationFit) -> None:
    model = bm.MediationModel(frame, **FORMULAS)
    for name in ("effects", "sensitivity", "coefficients", "save"):
        assert not hasattr(model, name)
        with pytest.raises(AttributeError, match=rf"of the fit.*fit = model.fit\(\).*fit.{name}"):
            getattr(model, name)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        model.nothing  # noqa: B018
    assert copy.copy(model).treatment == "t"
    for report in (fit.report, fit.checklist):
        with pytest.raises(TypeError, match=r"effects=fit\.effects\(\)"):
            report(fit.effects())  # type: ignore[arg-type, operator]
    with pytest.raises(TypeError, match=r"bm\.compare\(\{'first': fit.*list was given"):
        bm.compare([fit, fit])  # type: ignore[arg-type]


def test_numbers_beside_their_limits() -> None:
    """What is printed lies on the side of the limit on which the number lies."""
    above = str(Convergence(1.010004, 399.7, 500.2, 0, 0.2996, ("x.",)))
    assert "R-hat at most 1.010004, ESS at least 399 (bulk) and 500 (tail)" in above
    assert "E-BFMI at least 0.2996" in above
    assert "R-hat at most 1.0031, " in str(Convergence(1.00312, 500.0, 500.0, 0, 0.9, ()))
    assert "R-hat at most nan, ESS at least nan" in str(
        Convergence(np.nan, np.nan, np.nan, 0, np.nan, ("x.",))
    )


@pytest.mark.fit
def test_what_is_zero_by_construction_has_no_sign(fit: bm.MediationFit) -> None:
    gap = fit.effects(at={"x": 1.0}) - fit.effects(at={"x": 0.0})
    table = gap.summary(direction=True)
    assert (table["median"] == 0.0).all()
    assert table[["P(>0)", "P(direction)"]].isna().all(axis=None)
    assert "Both settings give the same effects" in repr(gap)
    assert "<0.001" not in repr(gap)
    assert not fit.effects().summary()["P(>0)"].isna().any()


@pytest.mark.fit
def test_that_moderation_has_a_sign(frame: pd.DataFrame, moderated: bm.MediationFit) -> None:
    gap = moderated.effects(at={"sex": "f"}) - moderated.effects(at={"sex": "m"})
    assert "Both settings" not in repr(gap)
    assert gap.summary()["P(>0)"].notna().all()


@pytest.mark.fit
def test_curves_of_groups_and_contrasts(moderated: bm.MediationFit) -> None:
    """Each block of the table is that of the group alone."""
    for asked, names in (
        ({"by": "sex"}, ["by"]),
        ({"contrast": "pairwise"}, ["contrast"]),
        ({"by": "sex", "contrast": "pairwise"}, ["contrast", "by"]),
    ):
        curve = moderated.sensitivity(rho=[-0.3, 0.0, 0.3], **asked)  # type: ignore[arg-type]
        for table in ("summary", "tipping_summary"):
            whole = getattr(curve, table)(round_to=None)
            assert sorted(whole.index.names[:-1]) == sorted(names)
            first = whole.index[0][: len(names)]
            one = curve.where(**dict(zip(whole.index.names, first, strict=False)))
            pd.testing.assert_frame_equal(
                pd.DataFrame(whole.loc[first if len(names) > 1 else first[0]]),
                pd.DataFrame(getattr(one, table)(round_to=None)),
            )
        assert "rho* of ACME" in repr(curve)
        assert "rho* of ACME" in curve._repr_html_()


def test_a_code_of_arms_is_said_to_be_a_dose() -> None:
    garcia = pd.read_csv(REFERENCE / "garcia.csv")

    def notes(treatment: str, data: pd.DataFrame = garcia) -> str:
        return repr(bm.MediationModel(
            data, mediator=f"respappr ~ {treatment}", outcome=f"liking ~ respappr + {treatment}",
            treatment="protest", control=0, treated=2,
        ))  # fmt: skip

    assert "'protest' (0, 1, 2) is taken as a dose; write C(protest)" in notes("protest")
    assert "dose" not in notes("C(protest)")


@pytest.mark.fit
def test_values_that_are_nearly_right(frame: pd.DataFrame, fit: bm.MediationFit) -> None:
    for asked, near in (
        ({"scale": "standardized"}, "standardised"), ({"scale": "OR"}, "odds_ratio"),
        ({"scale": "RR"}, "ratio"), ({"on": "Treated"}, "treated"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=rf"Did you mean '{near}'"):
            fit.effects(**asked)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Did you mean 'laplace'"):
        bm.MediationModel(frame, **FORMULAS).fit(method="Laplace")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"takes the name of a column; Series was given\."):
        fit.effects(weights=frame["x"])  # type: ignore[arg-type]


@pytest.mark.fit
def test_saving_into_no_folder(fit: bm.MediationFit, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no such folder") as found:
        fit.save(tmp_path / "results" / "fit.nc")
    assert ".bayesmed-" not in str(found.value)


@pytest.mark.fit
def test_rows_with_missing_values_in_a_report(frame: pd.DataFrame) -> None:
    holed = frame.assign(y=frame["y"].where(frame.index >= 5))
    with pytest.warns(UserWarning, match="5 of 200 rows dropped"):
        fit = bm.fit(holed, **FORMULAS, **QUICK)
    said = "n = 195 participants (0: 97, 1: 98), 5 of 200 rows having missing values, fitting"
    assert said in fit.report()
