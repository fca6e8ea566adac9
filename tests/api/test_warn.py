"""Warnings name the line of the caller, through whichever door it came in."""

import inspect
import itertools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesmed as bm
from bayesmed.api import many
from bayesmed.posterior.transport import Transport

QUICK: dict[str, Any] = {
    "method": "laplace", "draws": 400, "chains": 2, "random_seed": 1, "progress": False
}  # fmt: skip
PLAIN: dict[str, Any] = {"mediator": "m ~ t", "outcome": "y ~ m + t + x", "treatment": "t"}


BOTH = {**PLAIN, "mediator": "m ~ t + x"}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    t, x = np.arange(120) % 2, rng.normal(size=120)
    m = 0.5 * t + rng.normal(size=120)
    return pd.DataFrame({"t": t, "x": x, "m": m, "y": 0.5 * m + x + rng.normal(size=120)})


@pytest.fixture(scope="module")
def fit(frame: pd.DataFrame) -> bm.MediationFit:
    return bm.fit(frame, **BOTH, **QUICK)


def lines_of(call: Callable[[], Any]) -> set[int]:
    """Lines of this file that the warnings of a call name, counted from where ``call`` stands."""
    first = inspect.getsourcelines(call)[1]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    assert caught
    assert {one.filename for one in caught} == {__file__}, [str(one) for one in caught]
    return {one.lineno - first for one in caught}


@pytest.mark.fit
def test_models_and_fits(frame: pd.DataFrame) -> None:
    assert lines_of(lambda: bm.MediationModel(frame, **PLAIN)) == {0}
    assert lines_of(lambda: bm.fit(frame, **PLAIN, **QUICK)) == {0}
    holed = frame.assign(x=frame["x"].where(frame["x"] < 1.5))
    assert lines_of(lambda: bm.fit(holed, **BOTH, **QUICK)) == {0}
    assert lines_of(lambda: bm.fit(holed, **BOTH, moments=True, **QUICK)) == {0}


def test_a_function_of_the_user(frame: pd.DataFrame) -> None:
    def mine() -> None:
        bm.MediationModel(frame, **PLAIN)

    assert lines_of(mine) == {1}


@pytest.mark.fit
def test_sampling_that_does_not_converge(frame: pd.DataFrame) -> None:
    model = bm.MediationModel(frame, **BOTH)
    short = {**QUICK, "method": "nuts", "draws": 10, "tune": 5}
    assert lines_of(lambda: model.fit(**short)) == {0}
    assert lines_of(lambda: bm.fit(frame, **BOTH, **short)) == {0}


@pytest.mark.fit
def test_questions(fit: bm.MediationFit) -> None:
    assert lines_of(lambda: fit.effects(m=99.0)) == {0}
    assert lines_of(lambda: fit.effects(at={"x": 99.0})) == {0}
    assert lines_of(lambda: fit.sensitivity([0.0, 0.3], at={"x": 99.0}, progress=False)) == {0}


@pytest.mark.fit
def test_a_sweep(frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stops a sweep is told from within a context manager and a progress bar."""
    free = {**BOTH, "mediator_family": "student_t"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = bm.fit(frame, **free, **QUICK)
    taken = itertools.count()
    real = Transport.to

    def interrupted(*given: Any) -> Any:
        if next(taken) == 1:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(Transport, "to", interrupted)
    assert lines_of(lambda: found.sensitivity([-0.1, 0.1, 0.2], progress=False)) == {0}


@pytest.mark.fit
def test_many_fits_that_stop(frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = itertools.count()
    real = many.fit_one

    def interrupted(*given: Any) -> Any:
        if next(taken) == 1:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(many, "fit_one", interrupted)
    assert lines_of(lambda: bm.fit_many([frame, frame], **BOTH, **QUICK)) == {0}
