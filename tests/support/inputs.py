"""Models of the forty rows of ``small``, and refusals that say what they must."""

import numpy as np
import pytest

import bayesmed as bm

N = 40
SIMPLE = {"mediator": "m ~ t + x", "outcome": "y ~ m + t + x", "treatment": "t"}
NORMAL = bm.Prior("Normal", mu=0, sigma=1)
FACTOR = {"mediator": "m ~ g + x", "outcome": "y ~ m + g + x", "treatment": "g"}
EVEN = np.arange(N) % 2 == 0
PERIOD = np.arange(N) % 3


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


def both(terms):
    """The same covariates in both equations."""
    return {"mediator": f"m ~ {terms}", "outcome": f"y ~ m + {terms}"}


def positive(data):
    return data.assign(x=data["x"].abs() + 0.1, m=data["m"].abs() + 0.1)


def assert_same(model, other):
    """Same columns, rows, responses, contrast and counterfactual rows."""
    for one, two, equation in zip(
        model.designs, other.designs, ("mediator", "outcome"), strict=True
    ):
        assert [term.replace("`", "") for term in one.terms] == list(two.terms)
        np.testing.assert_array_equal(one.matrix, two.matrix)
        np.testing.assert_array_equal(
            model.equations[equation].response.values, other.equations[equation].response.values
        )
    assert_same_rows(model.counterfactuals, other.counterfactuals)
    assert (model.contrast.control, model.contrast.treated) == (
        other.contrast.control,
        other.contrast.treated,
    )


def assert_same_rows(one, two):
    np.testing.assert_array_equal(one.mediator.design, two.mediator.design)
    np.testing.assert_array_equal(one.outcome.base, two.outcome.base)
    np.testing.assert_array_equal(one.outcome.slope, two.outcome.slope)
