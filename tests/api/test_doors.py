"""What a function does not know is refused, and the nearest that it knows is named."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesmed as bm
from bayesmed.families.names import names_nearest

QUICK: dict[str, Any] = {
    "method": "laplace", "draws": 400, "chains": 2, "random_seed": 1, "progress": False
}  # fmt: skip
FORMULAS: dict[str, Any] = {"mediator": "m ~ t + x", "outcome": "y ~ m + t + x", "treatment": "t"}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n = 160
    t, x = np.arange(n) % 2, rng.normal(size=n)
    m = 0.5 * t + rng.normal(size=n)
    found = pd.DataFrame({"t": t, "x": x, "m": m, "y": 0.5 * m + x + rng.normal(size=n)})
    return found.assign(
        sex=rng.choice(["f", "m"], n),
        site=rng.choice(["A", "B"], n),
        wave=rng.choice([1.0, 2.0], n),
    )


@pytest.fixture(scope="module")
def fit(frame: pd.DataFrame) -> bm.MediationFit:
    return bm.fit(frame, **FORMULAS, **QUICK)


@pytest.mark.parametrize("method", ["laplace", "nuts"])
@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ({"outcome_familly": "probit"}, "outcome_family"),
        ({"rhos": 0.5}, "rho"),
        ({"prior": {}}, "priors"),
        ({"drws": 10}, "draws"),
        ({"seed": 1}, "random_seed"),
        ({"target_acept": 0.9}, "target_accept"),
        ({"max_treedepth": 5}, "maxdepth"),  # PyMC's name, of which nutpie has another
        ({"moment": True}, "moments"),
    ],
)
def test_fit_refuses_what_it_does_not_know(
    frame: pd.DataFrame, method: str, wrong: dict[str, Any], near: str
) -> None:
    (name,) = wrong
    message = rf"'{name}' \(did you mean '{near}'\?\)"
    settings = {**QUICK, "method": method}
    with pytest.raises(TypeError, match=rf"^fit\(\) has no argument {message}"):
        bm.fit(frame, **FORMULAS, **settings, **wrong)
    with pytest.raises(TypeError, match=r"^fit_many\(\) has no argument '" + name):
        bm.fit_many([frame, frame], **FORMULAS, **settings, **wrong)


@pytest.mark.fit
def test_options_of_each_sampler(frame: pd.DataFrame) -> None:
    model = bm.MediationModel(frame, **FORMULAS)
    for sampler, known, unknown in (
        (
            "nutpie",
            {"target_accept": 0.9, "maxdepth": 8, "adaptation": "low_rank"},
            "max_treedepth",
        ),
        ("pymc", {"target_accept": 0.9, "max_treedepth": 8, "init": "adapt_diag"}, "maxdepth"),
    ):
        model.fit(**QUICK, sampler=sampler, **known)
        with pytest.raises(TypeError, match=rf"fit\(\) has no argument '{unknown}'"):
            model.fit(**QUICK, sampler=sampler, **{unknown: 8})
        with pytest.raises(TypeError, match="has no argument 'save_warmup'"):  # the package's own
            model.fit(**QUICK, sampler=sampler, save_warmup=True)


@pytest.mark.fit
@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("fit.effects(byy='sex')", r"effects\(\) has no argument 'byy' \(did you mean 'by'"),
        ("fit.effects(seed=1)", r"did you mean 'random_seed'"),
        ("fit.sensitivity(grid=[0.0])", r"sensitivity\(\) has no argument 'grid'. It takes rho, "),
        ("fit.sensitivity(average='sample')", r"sensitivity\(\) has no argument 'average'"),
        ("fit.dose_response([1], scal='ratio')", r"dose_response\(\) .*did you mean 'scale'"),
        ("fit.dose_response(contrast=(0, 1))", r"dose_response\(\) has no argument 'contrast'"),
        ("fit.coefficients(prob=0.9)", r"coefficients\(\) .*did you mean 'ci_prob'"),
        ("fit.benchmarks(time=2.0)", r"did you mean 'times'"),
        ("fit.report(sensitivty=None)", r"report\(\) .*did you mean 'sensitivity'"),
        ("effects.summary(cl_prob=0.9)", r"summary\(\) .*did you mean 'ci_prob'"),
        ("effects.table(stlye='latex')", r"table\(\) .*did you mean 'style'"),
        ("effects.plot(name='epi')", r"plot_effects\(\) .*did you mean 'names'"),
        ("curve.plot(colour='red')", r"plot_sensitivity\(\) .*did you mean 'color'"),
        ("curve.plot_curves(effect=['ade'])", r"did you mean 'effects'"),
        ("curve.holds(effct='ade')", r"holds\(\) .*did you mean 'effect'"),
        ("curve.probability_within(0.1, arms='treated')", r"did you mean 'arm'"),
        ("bm.MediationModel(frame, **FORMULAS, rhoo=0.1)", r"MediationModel\(\) .*'rho'"),
        ("bm.MediationModel(frame, **FORMULAS).fit(drws=5)", r"fit\(\) .*did you mean 'draws'"),
        ("bm.simulate(100, interacton=1.0)", r"simulate\(\) .*did you mean 'interaction'"),
        ("bm.load('nothing.nc', modell=None)", r"load\(\) .*did you mean 'model'"),
        ("bm.compare({'a': fit}, equatoin='joint')", r"compare\(\) .*did you mean 'equation'"),
        ("bm.probability(abov=1.0)", r"probability\(\) .*did you mean 'above'"),
        ("bm.fit_many([frame], **FORMULAS, effects={'scal': 'ratio'})", r"did you mean 'scale'"),
    ],
)
def test_the_nearest_argument_is_named(
    fit: bm.MediationFit, frame: pd.DataFrame, call: str, message: str
) -> None:
    names = {"fit": fit, "effects": fit.effects(), "bm": bm, "frame": frame, "FORMULAS": FORMULAS}
    if call.startswith("curve"):
        names["curve"] = fit.sensitivity([-0.1, 0.0, 0.1])
    with pytest.raises(TypeError, match=message):
        eval(call, names)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"priors": {"mediater": {}}}, "Did you mean 'mediator'"),
        ({"priors": {"outcome": {"intercept": bm.Prior("Normal", mu=0, sigma=1)}}}, "'Intercept'"),
        ({"outcome_data": {"ofset": "x"}}, "Did you mean 'offset'"),
        ({"outcome_data": {"offset": "wav"}}, "Did you mean 'wave'"),
        ({"cores": -1}, "cores must be a positive whole number"),
        ({"cores": "all"}, "cores must be a positive whole number"),
        ({"sampler": "nutpy"}, "choose one of"),
        ({"method": "laplas"}, "choose 'nuts' or 'laplace'"),
    ],
)
def test_names_within_arguments(frame: pd.DataFrame, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bm.fit(frame, **{**FORMULAS, **QUICK, **wrong})


@pytest.mark.fit
@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"by": []}, r"by= takes the name of a column, or a list"),
        ({"by": ["sex", 3]}, r"by= takes the name of a column, or a list"),
        ({"by": ["sex", "sitee"]}, "Did you mean 'site'"),
        ({"weights": np.ones(160)}, r"weights= takes the name of a column; ndarray"),
        ({"m": []}, "names no value of the mediator"),
        ({"contrast": []}, "names no pair"),
        ({"at": {"xx": 1.0}}, "Did you mean 'x'"),
        ({"random_seed": "a"}, "random_seed must be a whole number"),
    ],
)
def test_values_of_arguments(fit: bm.MediationFit, asked: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        fit.effects(**asked)


@pytest.mark.fit
def test_intervals_digits_and_doses(fit: bm.MediationFit) -> None:
    effects = fit.effects()
    with pytest.raises(TypeError, match=r"ci_prob must be a number such as 0.95; '0.95'"):
        effects.summary(ci_prob="0.95")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"For 95% write 0.95"):
        effects.summary(ci_prob=95)
    with pytest.raises(ValueError, match="round_to=-1"):
        effects.summary(round_to=-1)
    with pytest.raises(ValueError, match="no dose other than the control"):
        fit.dose_response([0.0])
    with pytest.raises(TypeError, match="values= takes numbers"):
        fit.dose_response(["high"])
    with pytest.raises(ValueError, match=r"there are \['by'\]. Did you mean 'by'"):
        fit.effects(by="sex").where(bye="f")


def test_many_fits_refuse_before_the_first(frame: pd.DataFrame) -> None:
    for wrong, message in (
        ({"by": ["sex", "site"]}, "takes one column"),
        ({"ci_prob": "a"}, "ci_prob must be a number"),
        ({"draws": "many"}, "draws must be a positive whole number"),
        ({"method": "laplas"}, "choose 'nuts' or 'laplace'"),
        ({"effects": "ratio"}, "takes a mapping"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            bm.fit_many(frame, **{**FORMULAS, **QUICK, "by": "sex", **wrong})


def test_a_path_of_another_file(tmp_path: Any, frame: pd.DataFrame) -> None:
    path = tmp_path / "rows.csv"
    frame.to_csv(path)
    with pytest.raises(ValueError, match=r"not a Parquet file or directory.*pd.read_csv"):
        bm.fit(str(path), **FORMULAS)


def test_a_contrast_but_for_rounding(frame: pd.DataFrame) -> None:
    doses = frame.assign(t=np.where(frame["t"] == 1, 0.1 + 0.2, 0.0))
    assert (
        bm.MediationModel(doses, **FORMULAS, control=0, treated=0.3).contrast.treated == 0.1 + 0.2
    )
    with pytest.raises(
        ValueError, match=r"treated=0.31 is not a value of 't', which holds 0.0, 0.3"
    ):
        bm.MediationModel(doses, **FORMULAS, control=0, treated=0.31)


@pytest.mark.fit
def test_effects_by_two_columns_are_those_by_one_of_both(
    frame: pd.DataFrame, fit: bm.MediationFit
) -> None:
    data = frame.assign(both=frame["sex"] + ", " + frame["site"])
    one = bm.fit(data, **FORMULAS, **QUICK).effects(by="both").draws
    two = fit.effects(by=["sex", "site"])
    assert two.draws["by"].to_numpy().tolist() == ["f, A", "f, B", "m, A", "m, B"]
    np.testing.assert_allclose(two.draws["total"], one["total"].sel(by=two.draws["by"].values))
    assert "for each sex, site" in two.about["averaged"]
    group = two.where(by="m, A")
    assert f"the {((data['both']) == 'm, A').sum()} rows with sex, site = m, A" in str(group)
    np.testing.assert_array_equal(
        fit.effects(by=["sex"]).draws["acme"], fit.effects(by="sex").draws["acme"]
    )


@pytest.mark.fit
def test_combinations_without_rows_are_left_out(frame: pd.DataFrame) -> None:
    data = frame[(frame["sex"] == "f") | (frame["wave"] == 1.0)]
    found = bm.fit(data, **FORMULAS, **QUICK).sensitivity([0.0], by=["sex", "wave"])
    assert found.draws["by"].to_numpy().tolist() == ["f, 1", "f, 2", "m, 1"]


def test_errors_of_their_own_are_left_alone() -> None:
    @names_nearest
    def door(*, named: int = 0) -> None:
        raise TypeError("mine")

    with pytest.raises(TypeError, match=r"^mine$"):
        door(named=1)
    with pytest.raises(TypeError, match="missing 1 required"):
        names_nearest(lambda one: one)()
