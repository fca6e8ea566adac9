"""What the examples in docstrings start from: ``-p tests.support.doctests --doctest-modules bayesmed``."""

import matplotlib
import pytest

import bayesmed as bm

matplotlib.use("Agg")


@pytest.fixture(scope="session")
def example_fit():
    data = bm.simulate(200, random_seed=1, truth_size=1000).data
    model = bm.MediationModel(
        data, mediator="m ~ treat + x", outcome="y ~ m + treat + x", treatment="treat"
    )
    return data, model, model.fit(method="laplace", draws=250, random_seed=1, progress=False)


@pytest.fixture(autouse=True)
def names(doctest_namespace, example_fit):
    data, model, fit = example_fit
    doctest_namespace.update(bm=bm, df=data, model=model, fit=fit, effects=fit.effects())
