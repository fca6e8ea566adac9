"""Columns made by hand of the treatment or the mediator: rounded, centred, without their moderator."""

import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesmed as bm
from tests.support.reference import REFERENCE

GARCIA = pd.read_csv(REFERENCE / "garcia.csv")
BOTH: dict[str, Any] = {
    "mediator": "respappr ~ prot2 + sexism + int", "treatment": "prot2",
    "outcome": "liking ~ respappr + prot2 + sexism + int",
}  # fmt: skip
ALONE: dict[str, Any] = {
    "mediator": "respappr ~ prot2 + int", "outcome": "liking ~ respappr + prot2 + int",
    "treatment": "prot2",
}  # fmt: skip
Made = Callable[[pd.DataFrame], Any]


def z(column: pd.Series) -> pd.Series:
    return (column - column.mean()) / column.std()


def test_a_product_whose_moderator_stands_in_no_formula() -> None:
    made = GARCIA.assign(int=GARCIA["prot2"] * GARCIA["sexism"])
    with pytest.raises(
        ValueError, match=r"'int' is computed.*'sexism'; .*Write prot2 \* sexism in"
    ):
        bm.MediationModel(made, **ALONE)
    for level, column in ((0, made["int"]), (1, made["sexism"] - made["int"])):
        nowhere = made.assign(int=column).drop(columns="sexism")
        with pytest.warns(UserWarning, match=rf"'int' is 0 in every row with prot2 = {level} and"):
            bm.MediationModel(nowhere, **ALONE)
    third = GARCIA.assign(int=(GARCIA["protest"] == 1) * GARCIA["sexism"]).drop(columns="sexism")
    with pytest.warns(UserWarning, match="'int' is 0 in every row with protest = 0 and varies"):
        bm.MediationModel(
            third, mediator="respappr ~ C(protest) + int", control=0, treated=2,
            outcome="liking ~ respappr + C(protest) + int", treatment="protest",
        )  # fmt: skip


def test_ordinary_columns_that_are_constant_in_an_arm() -> None:
    """Difference in differences, and a value that is rare in either arm."""
    rng = np.random.default_rng(5)
    group, post = rng.integers(0, 2, 400), rng.integers(0, 2, 400)
    data = pd.DataFrame({"group": group, "post": post, "t": group * post})
    data["visits"] = np.where((data["t"] == 1) & (np.cumsum(data["t"]) <= 5), 2 + group.cumsum(), 0)
    data["m"] = data["t"] + data["group"] + rng.normal(size=400)
    data["y"] = data["m"] + data["post"] + rng.normal(size=400)
    assert (data.loc[data["t"] == 0, "visits"] == 0).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bm.MediationModel(
            data, mediator="m ~ t + group + post + visits",
            outcome="y ~ m + t + group + post + visits", treatment="t",
        )  # fmt: skip


@pytest.mark.parametrize("decimals", [1, 2, 3, 4, 15])
def test_rounded_products(decimals: int) -> None:
    treatment = z(GARCIA["prot2"]) * z(GARCIA["sexism"])
    with pytest.raises(ValueError, match=r"'int'.*prot2"):
        bm.MediationModel(GARCIA.assign(int=treatment.round(decimals)), **BOTH)
    mediator = z(GARCIA["respappr"]) * z(GARCIA["sexism"])
    with pytest.raises(ValueError, match=r"'int' is computed.*Write respappr:sexism"):
        bm.MediationModel(GARCIA.assign(int=mediator.round(decimals)), **BOTH)


@pytest.mark.each(4)
@pytest.mark.parametrize(
    "made",
    [
        lambda d: (d["prot2"] - 0.5) * d["sexism"],
        lambda d: (2 * d["prot2"] - 1) * d["sexism"],
        lambda d: (d["prot2"] - d["prot2"].mean()) * d["sexism"],
        lambda d: (z(d["prot2"]) * z(d["sexism"])).round(3),
        lambda d: d["prot2"] * d["sexism"],
        lambda d: (1 - d["prot2"]) * d["sexism"],
        lambda d: (d["prot2"] * d["sexism"]).astype("float32"),  # as Stata keeps it
        lambda d: (z(d["prot2"]) * z(d["sexism"])).astype("float32"),
    ],
)
def test_the_product_is_named(made: Made) -> None:
    """Whichever column comes first in the alphabet."""
    for name in ("int", "zint"):
        formulas = {key: text.replace("int", name) for key, text in BOTH.items()}
        with pytest.raises(
            ValueError, match=rf"'{name}' is computed.*'prot2' and 'sexism';.*Write prot2:sexism"
        ):
            bm.MediationModel(GARCIA.assign(**{name: made(GARCIA)}), **formulas)


def test_where_either_may_be_the_product_both_are_named() -> None:
    rng = np.random.default_rng(3)
    made = GARCIA.assign(prot2=rng.permutation(np.arange(len(GARCIA)) % 2))
    made["sexism"] = rng.normal(size=len(made)).round(2)
    made["int"] = (2 * made["prot2"] - 1) * made["sexism"]
    with pytest.raises(ValueError, match=r"'int' from it|'sexism' from it.*write prot2 \* x"):
        bm.MediationModel(made, **BOTH)


def test_a_text_treatment() -> None:
    made = GARCIA.assign(int=GARCIA["prot2"] * GARCIA["sexism"])
    made["prot2"] = np.where(made["prot2"] == 1, "yes", "no")
    with pytest.raises(
        ValueError, match="'int' is computed from the treatment 'prot2' and 'sexism'"
    ):
        bm.MediationModel(made, **BOTH, control="no", treated="yes")


@pytest.mark.each(3)
@pytest.mark.parametrize(
    "made",
    [
        lambda d: z(d["prot2"]) * z(d["sexism"]),
        lambda d: (2 * d["prot2"] - 1) * d["sexism"],
        lambda d: (z(d["prot2"]) * z(d["sexism"])).round(2),
        lambda d: d["prot2"] * d["sexism"],
        lambda d: d["sexism"] - d["prot2"],
        lambda d: d["sexism"],
    ],
)
def test_a_product_that_is_not_used_says_nothing(made: Made) -> None:
    """The measured moderator is not the product because a product stands elsewhere in the data."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bm.MediationModel(
            GARCIA.assign(int=made(GARCIA)), mediator="respappr ~ prot2 * sexism",
            outcome="liking ~ respappr + prot2 * sexism", treatment="prot2",
        )  # fmt: skip


@pytest.mark.parametrize("trials", [6, pytest.param(60, marks=pytest.mark.slow)])
def test_coarse_and_related_columns_are_no_rounded_products(trials: int) -> None:
    """Likert items, counts and noisy products, rounded to 0 to 3 decimals, in 20 to 400 rows."""
    rng = np.random.default_rng(4)
    for trial in range(trials):
        n = int(rng.choice([20, 60, 400]))
        t, x = rng.integers(0, 2, n), rng.normal(10.0, 3.0, n).round(1)
        m = 0.5 * t + 0.2 * x + rng.normal(size=n)
        noisy = (t - t.mean()) * (x - x.mean()) + 0.3 * rng.normal(size=n)
        data = pd.DataFrame({
            "t": t, "x": x, "m": m.round(2), "y": m + x + rng.normal(size=n),
            "likert": rng.integers(1, 6, n), "count": rng.poisson(8.0 + t, n),
            "noisy": noisy.round(trial % 4), "again": (m + 0.1 * rng.normal(size=n)).round(1),
        })  # fmt: skip
        rhs = "t + x + likert + count + noisy + again"
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            bm.MediationModel(data, mediator=f"m ~ {rhs}", outcome=f"y ~ m + {rhs}", treatment="t")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda d: d["emo"] ** 2, "a function of the mediator 'emo'.*Write I(emo**2)"),
        (lambda d: (d["emo"] ** 2 / 10).round(1), "Write I(emo**2)"),
        (lambda d: z(d["emo"]) ** 2, "'made'.*Write I(emo**2)"),
        (lambda d: np.log(d["emo"]), "Write log(emo)"),
        (lambda d: np.log(d["emo"]).round(2), "Write log(emo)"),
        (lambda d: np.sqrt(d["emo"]), "Write np.sqrt(emo)"),
        (lambda d: d["emo"] ** 3, "Write I(emo**3)"),
        (lambda d: np.sinh(d["emo"]), "Write the function of the mediator"),
    ],
)
def test_functions_of_a_mediator_of_few_values(made: Made, said: str) -> None:
    data = bm.load_data("framing")
    said = re.escape(said).replace(re.escape(".*"), ".*")
    with pytest.raises(ValueError, match=said):
        bm.MediationModel(
            data.assign(made=made(data)), mediator="emo ~ treat + age", treatment="treat",
            outcome="cong_mesg ~ emo + treat + age + made", outcome_family="probit",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            lambda d: d["emo"] - d["emo"].mean(),
            r"'made' is 'emo' less a number: write center\(emo\)",
        ),
        (lambda d: (d["emo"] - d["emo"].mean()).round(2), r"write center\(emo\)"),
        (lambda d: z(d["emo"]), r"'made' is linear in 'emo': write scale\(emo\)"),
        (lambda d: z(d["emo"]).round(3), r"'made' is linear in 'emo': write scale\(emo\)"),
        (lambda d: 12 - d["emo"], "'made' is linear in 'emo'"),
        (lambda d: d["emo"], "'made' is 'emo' itself: write emo in"),
        (lambda d: d["age"], "Add it"),
    ],
)
def test_a_centred_mediator_alone(made: Made, said: str) -> None:
    data = bm.load_data("framing")
    for outcome in ("cong_mesg ~ made + treat", "cong_mesg ~ made * treat"):
        with pytest.raises(ValueError, match=f"'emo' does not stand in the outcome.*{said}"):
            bm.MediationModel(
                data.assign(made=made(data)), mediator="emo ~ treat", outcome=outcome,
                treatment="treat", outcome_family="probit",
            )  # fmt: skip


def test_a_centred_treatment_alone() -> None:
    data = bm.load_data("framing")
    data["treatc"] = data["treat"] - data["treat"].mean()
    with pytest.raises(ValueError, match=r"'treat' does not.*'treatc' is 'treat' less a number"):
        bm.MediationModel(
            data, mediator="emo ~ treatc", outcome="cong_mesg ~ emo + treat", treatment="treat",
            outcome_family="probit",
        )  # fmt: skip
