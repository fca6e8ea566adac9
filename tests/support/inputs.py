"""Models of the forty rows of ``small``, and refusals that say what they must."""

import pytest

import bayesmed as bm

N = 40
SIMPLE = {"mediator": "m ~ t + x", "outcome": "y ~ m + t + x", "treatment": "t"}
NORMAL = bm.Prior("Normal", mu=0, sigma=1)


def build(data, **arguments):
    return bm.MediationModel(data, **{**SIMPLE, **arguments})


def refused(call, *fragments, error=ValueError):
    """The error is the package's own (no subclass from a library below) and says each fragment."""
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    assert type(caught.value) is error, f"{type(caught.value).__name__}: {message}"
    for fragment in fragments:
        assert fragment in message, message
    return message


def bad(data, *fragments, error=ValueError, **arguments):
    return refused(lambda: build(data, **arguments), *fragments, error=error)
