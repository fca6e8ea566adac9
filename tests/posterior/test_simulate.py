"""Data simulated from a posterior follow the structural model."""

import numpy as np

from tests.support.made import made


def test_simulated_data_follow_the_structural_model():
    """Means by arm of M and Y from the coefficients, at rho = 0.5 the correlation of residuals too."""
    fit = made(n=4000, size=40, rho=0.5, priors_on="structural")
    tree = fit.posterior_predictive(draws=40, random_seed=3)
    sim = tree["posterior_predictive"]
    data, post = fit.model.frame.data, fit.posterior
    beta = post["mediator_coef"].to_numpy().reshape(40, 3)
    eta = beta @ fit.model.designs[0].matrix.T
    e_m = (sim["mediator"].to_numpy()[0] - eta) / post["mediator_sigma"].to_numpy().ravel()[:, None]
    assert abs(e_m.mean()) < 0.02 and abs(e_m.std() - 1.0) < 0.02
    coef = post["outcome_coef"].to_numpy().reshape(40, 4)
    terms = fit.model.designs[1].terms
    parts = {
        "Intercept": 1.0,
        "m": sim["mediator"].to_numpy()[0],
        "treat": data["treat"].to_numpy(),
        "x": data["x"].to_numpy(),
    }
    mean = sum(coef[:, [terms.index(name)]] * value for name, value in parts.items())
    e_y = (sim["outcome"].to_numpy()[0] - mean) / post["outcome_sigma"].to_numpy().ravel()[:, None]
    assert abs(np.corrcoef(e_m.ravel(), e_y.ravel())[0, 1] - 0.5) < 0.01
    assert "posterior_predictive" in fit.tree.children
