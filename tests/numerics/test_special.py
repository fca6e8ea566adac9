"""Special functions: arrays equal tensors, both tails."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import special as sp
from scipy import stats

from bayesmed.numerics import special
from tests.support.tensors import evaluate

TAILS = np.concatenate([np.linspace(-30.0, 30.0, 121), [-1.0, -1e-9, 1e-9, 1.0]])
POSITIVE = np.geomspace(1e-13, 1e13, 61)
LOWER_TAIL = np.log(0.5 * sp.erfcx(30.0 / np.sqrt(2.0))) - 450.0

FUNCTIONS = {
    "exp": (special.exp, np.exp, TAILS),
    "log": (special.log, np.log, POSITIVE),
    "sqrt": (special.sqrt, np.sqrt, POSITIVE),
    "ndtr": (special.ndtr, lambda x: 0.5 * sp.erfc(-x / np.sqrt(2.0)), TAILS),
    "log_ndtr": (special.log_ndtr, stats.norm.logcdf, TAILS),
    "expit": (special.expit, lambda x: np.exp(-np.logaddexp(0.0, -x)), TAILS),
    "log_expit": (special.log_expit, lambda x: -np.logaddexp(0.0, -x), TAILS),
    "ndtri_expit": (special.ndtri_expit, lambda x: -stats.norm.isf(sp.expit(x)), np.minimum(TAILS, 5)),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arrays_and_tensors_equal_scipy(name):
    function, truth, x = FUNCTIONS[name]
    np.testing.assert_allclose(function(x), truth(x), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(evaluate(function, x), truth(x), rtol=1e-12, atol=1e-15)


def test_maximum_and_where():
    a, b = np.array([1.0, -2.0, 3.0]), np.array([0.0, 5.0, 3.0])
    for larger in (special.maximum, lambda a, b: special.where(a > b, a, b)):
        np.testing.assert_array_equal(larger(a, b), [1.0, 5.0, 3.0])
        np.testing.assert_array_equal(evaluate(larger, a, b), [1.0, 5.0, 3.0])


def test_is_tensor():
    assert special.is_tensor(1.0, pt.scalar()) and not special.is_tensor(1.0, np.ones(2))


def test_log_ndtr_keeps_its_digits_in_both_tails():
    x = np.array([-30.0, 8.0, 30.0])
    truth = [LOWER_TAIL, -stats.norm.sf(8.0), -stats.norm.sf(30.0)]
    np.testing.assert_allclose(special.log_ndtr(x), truth, rtol=1e-12)
    np.testing.assert_allclose(evaluate(special.log_ndtr, x), truth, rtol=1e-12)


def test_ndtri_expit_is_odd_and_inverts_in_the_tails():
    for score in (special.ndtri_expit(TAILS), evaluate(special.ndtri_expit, TAILS)):
        np.testing.assert_allclose(
            stats.norm.logsf(np.abs(score)), -np.logaddexp(0.0, np.abs(TAILS)), rtol=1e-12
        )
        np.testing.assert_array_equal(np.sign(score), np.sign(TAILS))
    np.testing.assert_array_equal(special.ndtri_expit(-TAILS), -special.ndtri_expit(TAILS))


def test_gradients_in_both_tails():
    def slope(function):
        return lambda x: pytensor.grad(function(x).sum(), x)

    hazard = np.exp(stats.norm.logpdf(TAILS) - stats.norm.logcdf(TAILS))
    np.testing.assert_allclose(evaluate(slope(special.log_ndtr), TAILS), hazard, rtol=1e-10)
    logistic = sp.log_expit(TAILS) + sp.log_expit(-TAILS)
    density = np.exp(logistic - stats.norm.logpdf(special.ndtri_expit(TAILS)))
    np.testing.assert_allclose(evaluate(slope(special.ndtri_expit), TAILS), density, rtol=1e-10)
