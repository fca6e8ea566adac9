"""Comparison of models by leaving out rows."""

import warnings

import numpy as np
import pytest
import xarray as xr

import bayesmed as bm
from tests.support.made import KIND, made


def test_loo_of_parts_against_its_definition():
    """Two Gaussian regressions at rho = 0: elpd by importance weights, from the densities themselves."""
    from scipy import special, stats

    fit = made(n=60, size=400)
    table = fit.loo()
    post = fit.posterior
    beta, sigma = (
        post["mediator_coef"].to_numpy().reshape(400, 3),
        post["mediator_sigma"].to_numpy().ravel(),
    )
    log = stats.norm.logpdf(
        fit.model.equations["mediator"].response.values,
        beta @ fit.model.designs[0].matrix.T,
        sigma[:, None],
    )
    plain = (np.log(400) - special.logsumexp(-log, axis=0)).sum()  # unsmoothed
    assert abs(table.loc["mediator", "elpd"] - plain) < 0.3
    assert table.loc["joint", "elpd"] == pytest.approx(
        table.loc["mediator", "elpd"] + table.loc["outcome", "elpd"], abs=1.0
    )


def test_comparison_of_models():
    fit = made(n=200)
    worse = made(n=200)
    worse.tree["posterior"]["outcome_coef"][..., worse.model.designs[1].terms.index("m")] = 0.0
    table = bm.compare({"worse": worse, "fit": fit}, equation="outcome")
    assert table.index[0] == "fit"
    with pytest.raises(ValueError, match="at least two"):
        bm.compare({"fit": fit})
    with pytest.raises(ValueError, match="equation="):
        bm.compare({"a": fit, "b": worse}, equation="both")
    with pytest.raises(ValueError, match=r"200 rows and 'b' 80"):
        bm.compare({"a": fit, "b": made()})


def test_values_of_rho_are_not_compared_in_closed_pairs():
    with pytest.raises(ValueError, match=r"differ in rho alone.*no data compare values of rho"):
        bm.compare({"zero": made(), "some": made(rho=0.3, priors_on="structural")})


def test_densities_are_not_compared_with_probabilities():
    data = bm.simulate(80, outcome_family="probit", random_seed=1, truth_size=100).data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        linear = bm.MediationModel(data, **KIND)
    with pytest.raises(ValueError, match="'a' gives the outcome a density and 'b' probabilities"):
        bm.compare({"a": bm.MediationFit(made().tree, linear), "b": made("probit")}, "outcome")


def test_models_that_censor_differently_are_not_compared():
    plain, censored = made(), made()
    data = censored.tree["constant_data"].to_dataset()
    event = ("obs", np.arange(80) % 2.0)
    censored.tree["constant_data"] = xr.DataTree(data.assign(outcome_event=event))
    with pytest.raises(ValueError, match="'a' and 'b' take other outcomes as censored"):
        bm.compare({"a": plain, "b": censored})


def test_leaving_out_a_row_of_the_mediator_leaves_out_its_outcome():
    """Against plain importance sampling with weights 1 / p(m, y)."""
    fit = made("logit", rho=0.8, size=2000)
    fit.add_log_likelihood()
    own = fit.tree["log_likelihood"].to_dataset().stack(sample=("chain", "draw"))
    m, y = own["mediator"].transpose("sample", ...), own["outcome"].transpose("sample", ...)
    m, y = m.to_numpy(), y.to_numpy()
    density = lambda logw: np.log(
        (np.exp(logw + m - logw.max(0))).sum(0) / np.exp(logw - logw.max(0)).sum(0)
    ).sum()
    right, wrong = density(-m - y), density(-m)
    found = fit.loo().loc["mediator", "elpd"]
    assert abs(right - wrong) > 0.5 and found == pytest.approx(right, abs=0.1)
