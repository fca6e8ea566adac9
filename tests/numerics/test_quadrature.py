"""Rules for sums and integrals."""

import numpy as np
import pytest

from bayesmed.numerics.quadrature import sum_rule


@pytest.mark.parametrize("most", [4, 8, 12, 18])
def test_a_few_terms_make_the_sum_of_all(most):
    for count in (most, 2 * most, 3 * most + 1, 10 * most):
        some, shares = sum_rule(count, most)
        assert len(np.unique(some)) == len(some) <= count
        x = np.arange(count) / count
        for power in range(most):
            np.testing.assert_allclose(shares @ x[some] ** power, (x**power).sum(), rtol=1e-9)
