"""Families by name."""

import pytest

from tests.support.inputs import bad


@pytest.mark.parametrize("family", ["poissonian", "Gaussian", None, ["gaussian"]])
def test_unknown_family(small, family):
    for equation in ("mediator", "outcome"):
        bad(small, f"{equation}_family={family!r}", "'gamma', 'gaussian'",
            **{f"{equation}_family": family})  # fmt: skip
