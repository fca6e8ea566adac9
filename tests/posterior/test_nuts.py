"""Samplers and their settings."""

import numpy as np
import pytest

from bayesmed.posterior import draw as drawing
from bayesmed.posterior import nuts as sampling
from bayesmed.posterior.nuts import keep_complete
from tests.support.inputs import build, refused


@pytest.mark.parametrize("sampler", ["stan", None])
def test_unknown_sampler(small, sampler):
    model = build(small)
    refused(
        lambda: model.fit(sampler=sampler), f"sampler={sampler!r}", "'nutpie', 'pymc', 'numpyro'"
    )


def test_sampler_that_is_not_installed(small, monkeypatch):
    monkeypatch.setattr(sampling.importlib.util, "find_spec", lambda name: None)
    model = build(small)
    refused(lambda: model.fit(sampler="numpyro"), "'numpyro'", "install", error=ImportError)


@pytest.mark.each(4)
@pytest.mark.parametrize(
    ("name", "value"),
    [("draws", 0), ("draws", -1), ("draws", 1.5), ("draws", "100"), ("draws", None), ("draws", True),
     ("tune", -1), ("chains", 0), ("random_seed", -1), ("random_seed", 1.5), ("random_seed", True)],
)  # fmt: skip
def test_bad_settings(small, monkeypatch, name, value):
    monkeypatch.setattr(drawing, "run_sampler", lambda *_: pytest.fail("sampling began"))
    model = build(small)
    refused(lambda: model.fit(**{name: value}), name, "whole number", repr(value))


def test_interrupted_run_keeps_common_draws():
    points = np.full((3, 400, 2), np.nan)
    points[0], points[1, :150], points[2, :20] = 1.0, 2.0, 3.0
    kept, stats = keep_complete(points, {"diverging": np.zeros((3, 400), bool)})
    assert kept.shape == (2, 150, 2)
    assert np.isfinite(kept).all()
    assert stats["diverging"].shape == (2, 150)
    with pytest.raises(RuntimeError, match="interrupted too early"):
        keep_complete(points[2:], {})
