"""One compiled density serves every model of a structure."""

import time
from contextlib import contextmanager

import numpy as np
import pytensor
import pytest

import bayesmed as bm
from bayesmed.families.prior import uncompiled
from bayesmed.posterior import density as compiled
from bayesmed.posterior import kernels
from bayesmed.posterior.graphs import graph_of
from tests.support.models import JOBS_SIGMA, QUICK


def test_refit_at_other_rho_data_or_columns_compiles_nothing(jobs, short_fit):
    before = compiled.compilations
    at_half = bm.MediationModel(jobs, **JOBS_SIGMA).with_rho(0.5).fit(**QUICK)
    half = bm.MediationModel(jobs.iloc[:400], **JOBS_SIGMA)
    half.fit(**QUICK)
    half.with_data(jobs.iloc[400:]).fit(**QUICK)
    fewer = {**JOBS_SIGMA, "mediator": "job_seek ~ treat", "outcome": "depress2 ~ treat + job_seek"}
    bm.MediationModel(jobs, **fewer).fit(**QUICK)
    assert compiled.compilations == before
    # The data say nothing about rho: the regression's draws are the same, the structural not.
    np.testing.assert_array_equal(
        at_half.posterior["outcome_coef_rho0"], short_fit.posterior["outcome_coef_rho0"]
    )
    assert not np.allclose(at_half.posterior["outcome_coef"], short_fit.posterior["outcome_coef"])


def test_a_compilation_that_takes_long_is_told(capsys):
    with compiled.told_if_slow(True, after=0.01):
        time.sleep(0.2)
    assert "Compiling the model" in capsys.readouterr().err
    with compiled.told_if_slow(False, after=0.01):
        time.sleep(0.1)
    with compiled.told_if_slow(True, after=5.0):
        pass
    assert capsys.readouterr().err == ""


# What models with other covariates in one equation assert is not the subject here.
told = pytest.mark.filterwarnings("ignore::UserWarning")
PROBIT = {
    "mediator": "emo ~ treat + age + educ + income", "outcome": "cong_mesg ~ emo + treat + age + educ + income",
    "treatment": "treat", "outcome_family": "probit",
}  # fmt: skip
OTHERS = {
    "interaction": {"outcome": "cong_mesg ~ emo*treat + age + educ + income"},
    "fewer covariates": {"mediator": "emo ~ treat", "outcome": "cong_mesg ~ emo + treat + age"},
    # A mediator of few values and no covariates: equal rows are counted, not repeated.
    "few distinct rows": {"outcome": "cong_mesg ~ emo + treat"},
    "one column": {"mediator": "emo ~ 0 + treat"},
    "factor": {"mediator": "emo ~ treat + C(educ)", "outcome": "cong_mesg ~ C(educ) + emo + treat"},
    "powers": {"outcome": "cong_mesg ~ emo + treat + age + I(age**2) + educ"},
    "numbers of a prior": {"priors": {"mediator": {"treat": bm.Prior("Normal", mu=1, sigma=2)}}},
}


@told
@pytest.mark.fit
@pytest.mark.parametrize("change", OTHERS)
def test_other_formulas_compile_nothing(framing, change):
    compiled.log_density(bm.MediationModel(framing, **PROBIT))
    before = compiled.compilations
    compiled.log_density(bm.MediationModel(framing.iloc[:200], **{**PROBIT, **OTHERS[change]}))
    assert compiled.compilations == before


@told
@pytest.mark.fit
def test_offsets_and_other_priors_are_structures_of_their_own(framing):
    data = framing.assign(size=np.arange(len(framing)) % 3)
    prior = {"mediator": {"sigma": bm.Prior("Exponential", lam=1.0)}}
    for change in ({"outcome_data": {"offset": "size"}}, {"priors": prior}):
        compiled.log_density(bm.MediationModel(data, **{**PROBIT, **change}))
        before = compiled.compilations
        fewer = {**PROBIT, **change, "mediator": "emo ~ treat"}
        compiled.log_density(bm.MediationModel(data.iloc[:200], **fewer))
        assert compiled.compilations == before


@told
@pytest.mark.fit
def test_equations_met_in_other_pairs_compile_nothing(framing):
    data = framing.assign(upset=(framing["emo"] > 7).astype(int))
    change = {"mediator": "upset ~ treat", "outcome": "emo ~ upset + treat + age"}
    compiled.log_density(bm.MediationModel(data, **PROBIT))
    compiled.log_density(
        bm.MediationModel(
            data, **change, treatment="treat", mediator_family="probit", outcome_family="gaussian"
        )
    )
    before = compiled.compilations
    plain = {"mediator": "emo ~ treat", "outcome": "age ~ emo + treat", "treatment": "treat"}
    compiled.log_density(bm.MediationModel(data, **plain))
    assert compiled.compilations == before


@pytest.mark.fit
@pytest.mark.parametrize("rho", [0.0, 0.4, bm.Prior("Uniform", lower=-0.5, upper=0.5)])
@pytest.mark.parametrize("priors_on", ["regression", "structural"])
def test_value_and_gradient_are_those_of_the_graph(jobs, rho, priors_on):
    model = bm.MediationModel(jobs.iloc[:60], **JOBS_SIGMA, rho=rho, priors_on=priors_on)
    density, graph = compiled.log_density(model), graph_of(model)
    points = density.start + np.random.default_rng(1).normal(
        scale=0.1, size=(3, density.start.size)
    )
    values, gradients = density.batch(points)
    if rho == 0.4:
        np.testing.assert_allclose(density.values(points), values, rtol=1e-13)
    logp = graph.logp(jacobian=True)
    wanted = [logp, *pytensor.gradient.grad(logp, graph.value_vars)]
    function = pytensor.function(graph.value_vars, wanted, mode=uncompiled())
    for point, value, gradient in zip(points, values, gradients, strict=True):
        parts = np.split(point, compiled._sizes(graph)[1:-1])
        shaped = (p if v.ndim else p[0] for p, v in zip(parts, graph.value_vars, strict=True))
        own, *slopes = function(*shaped)
        np.testing.assert_allclose(value, own, rtol=1e-10)
        np.testing.assert_allclose(
            gradient, np.concatenate([np.ravel(s) for s in slopes]), rtol=1e-8, atol=1e-8
        )


def test_what_is_on_disk_is_neither_made_nor_compiled(monkeypatch, tmp_path):
    for place in ("pytensor.link.numba.cache", "bayesmed.posterior.kernels"):
        monkeypatch.setattr(f"{place}.NUMBA_CACHE_PATH", tmp_path)
    done = []

    @contextmanager
    def compiling():
        done.append("compiled")
        yield

    def make():
        done.append("made")
        return lambda x, scale, sizes: (np.sum(x * scale), scale + 0.0 * x), "a scaled sum"

    scale, x = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    for structure, wanted in (
        ("one", ["made", "compiled"]),
        ("one", []),
        ("another of the same kernel", ["made"]),
        (None, ["made"]),
    ):
        done.clear()
        function = kernels.compiled((1, 1), True, structure, make, compiling())
        assert done == wanted
        joined = kernels.Joined([(function, 2, [scale, np.array([0, 2])])] * 2)
        value, gradient = joined.at(np.concatenate([x, x]))
        assert value == 22.0
        np.testing.assert_array_equal(gradient, [1.0, 2.0, 1.0, 2.0])
