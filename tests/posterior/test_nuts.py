"""Samplers and their settings."""

import pytest

from bayesmed.posterior import draw as drawing
from bayesmed.posterior import nuts as sampling
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


@pytest.mark.parametrize(
    ("name", "value"),
    [("draws", 0), ("draws", -1), ("draws", 1.5), ("draws", "100"), ("draws", None), ("draws", True),
     ("tune", -1), ("chains", 0), ("random_seed", -1), ("random_seed", 1.5), ("random_seed", True)],
)  # fmt: skip
def test_bad_settings(small, monkeypatch, name, value):
    monkeypatch.setattr(drawing, "run_sampler", lambda *_: pytest.fail("sampling began"))
    model = build(small)
    refused(lambda: model.fit(**{name: value}), name, "whole number", repr(value))
