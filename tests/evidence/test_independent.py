"""Effects against tests/evidence/truth.py and its simulated people, which share no code with the package."""

import warnings

import numpy as np
import pandas as pd
import pytest

import bayesmed as bm
from tests.evidence import truth
from tests.evidence.sbc import CLOSED, PAIRS, world_of
from tests.support.handmade import hand_fit

SIZE = 2


def fit_at(world):
    """A fit whose draws are all the world's own parameters."""
    data = pd.DataFrame({"treat": world.treat, "x": world.x, "m": world.m, "y": world.y})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = bm.MediationModel(
            data, mediator="m ~ treat + x", outcome="y ~ m + treat + x", treatment="treat",
            mediator_family=world.families[0], outcome_family=world.families[1], rho=world.rho,
        )  # fmt: skip
    arrays = {}
    for equation, design, own in zip(
        ("mediator", "outcome"), model.designs, (world.mediator, world.outcome), strict=True
    ):
        arrays[f"{equation}_coef"] = [own[term] for term in design.terms]
        arrays |= {f"{equation}_{n}": own[n] for n in ("sigma", "alpha", "cutpoints") if n in own}
    fit = hand_fit(
        model, **{name: np.repeat(np.asarray(v)[None], SIZE, 0) for name, v in arrays.items()
                  if name != "mediator_cutpoints"},
    )  # fmt: skip
    if "mediator_cutpoints" in arrays:
        cuts = np.broadcast_to(arrays["mediator_cutpoints"], (2, SIZE // 2, 2)).copy()
        posterior = fit.posterior.assign(mediator_cutpoints=(("chain", "draw", "cut"), cuts))
        fit.tree["posterior"] = type(fit.tree)(posterior)
    return fit


@pytest.mark.each(2)
@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("families", PAIRS, ids="/".join)
def test_effects_against_quadrature_of_its_own(families, k):
    """At rho = 0.4, each pair's own truth for parameters drawn from the priors."""
    world = world_of(families, "fixed", k, "structural")
    true, found = truth.effects(world), fit_at(world).effects().draws
    for name in ("acme", "ade"):
        value = found[name].sel(arm="average").to_numpy()
        np.testing.assert_allclose(value, true[name], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found["total"].to_numpy(), true["total"], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("families", sorted(CLOSED), ids="/".join)
def test_tipping_point_against_the_partial_correlation(families):
    world = world_of(families, "fixed", 3, "regression")
    zero = fit_at(world).sensitivity([-0.3, 0.3]).tipping_point()["rho_zero"].sel(arm="average")
    np.testing.assert_allclose(zero.to_numpy(), truth.rho_zero(world), rtol=1e-9)


@pytest.mark.each(2)
@pytest.mark.parametrize("families", PAIRS, ids="/".join)
def test_quadrature_against_simulated_people(families):
    """People of the structural model, each with all four counterfactual outcomes."""
    world = world_of(families, "fixed", 1, "structural")
    rng, size = np.random.default_rng(1), 60_000 if "poisson" in families else 600_000
    x = np.resize(world.x, size)
    e_m, z = rng.standard_normal((2, size))
    e_y = world.rho * e_m + np.sqrt(1.0 - world.rho**2) * z
    po = {}
    for s in (0, 1):
        m = truth.mediator_value(
            families[0], e_m, truth.predictor(world.mediator, s, x), world.mediator
        )
        for t in (0, 1):
            eta = truth.predictor(world.outcome, t, x, m)
            po[t, s] = truth.outcome_value(families[1], e_y, eta, world.outcome)
    gap = 0.5 * (po[0, 1] - po[0, 0] + po[1, 1] - po[1, 0])
    error = gap.std() / np.sqrt(size)
    assert abs(gap.mean() - truth.effects(world)["acme"]) < 4.5 * error + 1e-9
