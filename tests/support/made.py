"""Fits of simulated data: draws made up near the truth, and short ones."""

import json
import warnings

import numpy as np
import pandas as pd
import xarray as xr

import bayesmed as bm
from tests.support.handmade import hand_fit

KIND = {"mediator": "m ~ treat + x", "outcome": "y ~ m + treat + x", "treatment": "treat"}


def made(family="gaussian", n=80, size=200, **arguments):
    """A model of simulated data, and a fit with made-up draws near the truth."""
    data = bm.simulate(n, outcome_family=family, random_seed=1, truth_size=100).data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = bm.MediationModel(data, **{**KIND, "outcome_family": family, **arguments})
    rng = np.random.default_rng(2)
    near = lambda center: center + 0.05 * rng.normal(size=(size, len(center)))
    sigma = {"outcome_sigma": np.abs(near([1.0])[:, 0])} if family == "gaussian" else {}
    at = [model.designs[1].terms.index(term) for term in ("Intercept", "m", "treat", "x")]
    coef = np.empty((size, 4))
    coef[:, at] = near([0.0, 0.5, 0.3, 0.4])
    fit = hand_fit(
        model, mediator_coef=near([0.0, 0.5, 0.4]), mediator_sigma=np.abs(near([1.0])[:, 0]),
        outcome_coef=coef, **sigma,
    )  # fmt: skip
    terms = {
        f"{e}_term": list(d.terms)
        for e, d in zip(("mediator", "outcome"), model.designs, strict=True)
    }
    own = {"chain": [0, 1], "draw": np.arange(size // 2)}
    fit.tree["posterior"] = xr.DataTree(fit.posterior.assign_coords(**terms, **own))
    about = {
        **fit.about,
        "settings": {"random_seed": 3, "chains": 2, "draws": size // 2, "tune": 0},
    }
    fit.tree.attrs["bayesmed"] = json.dumps(about)
    return fit


def arms_data(n=60):
    rng = np.random.default_rng(5)
    arm = np.array(["usual", "app", "coach"])[np.arange(n) % 3]
    m = rng.normal(size=n) + (arm == "coach")
    return pd.DataFrame({"arm": arm, "site": np.where(np.arange(n) < 20, "a", "b"), "m": m,
                         "y": 0.5 * m + rng.normal(size=n)})  # fmt: skip


def arms_fit(**changed):
    kind = {"mediator": "m ~ arm", "outcome": "y ~ m + arm", "treatment": "arm",
            "control": "usual", "treated": "coach"}  # fmt: skip
    model = bm.MediationModel(arms_data(), **{**kind, **changed})
    rng = np.random.default_rng(2)
    near = lambda *center: np.array(center) + 0.05 * rng.normal(size=(100, len(center)))
    sigma = np.abs(near(1.0)[:, 0])
    terms = [list(d.terms) for d in model.designs]
    fit = hand_fit(
        model, mediator_coef=near(0.0, 0.1, 1.0), mediator_sigma=sigma, outcome_sigma=sigma,
        outcome_coef=near(*(0.5 if t == "m" else 0.1 for t in terms[1])),
    )  # fmt: skip
    own = {"chain": [0, 1], "draw": np.arange(50), "mediator_term": terms[0],
           "outcome_term": terms[1]}  # fmt: skip
    fit.tree["posterior"] = xr.DataTree(fit.posterior.assign_coords(own))
    settings = {"random_seed": 3, "chains": 2, "draws": 50, "tune": 0}
    fit.tree.attrs["bayesmed"] = json.dumps({**fit.about, "settings": settings})
    return fit


SHORT = {"method": "laplace", "draws": 250, "chains": 4, "random_seed": 1, "progress": False}
LINEAR = {"mediator": "m ~ t + x", "outcome": "y ~ m + t + x", "treatment": "t"}


def people(n=240):
    rng = np.random.default_rng(3)
    x, t, u = rng.normal(4.0, 1.0, n), np.arange(n) % 2, rng.normal(size=n)
    m = 0.8 * t + 0.4 * x + rng.normal(size=n)
    y = 0.6 * m + 0.3 * t + 0.2 * x + rng.normal(size=n)
    age = np.array(["young", "mid", "old"])[np.arange(n) // 2 % 3]
    return pd.DataFrame({
        "t": t, "x": x, "m": m, "y": y, "z": (y > y.mean()).astype(int), "u": u, "w": np.exp(u),
        "dose": np.array([0.0, 2.0, 10.0])[np.arange(n) % 3],
        "age": pd.Categorical(age, ["young", "mid", "old"]),
    })  # fmt: skip


BY_LAPLACE = {"method": "laplace", "random_seed": 1, "draws": 400, "chains": 2, "progress": False}


def columns_of_all_kinds(n):
    """Treatment, mediator and outcome, with whole numbers, levels, clusters and awkward names."""
    r = np.random.default_rng(41)
    x, treat = r.normal(2.0, 1.0, n), np.arange(n) % 2
    m = 0.5 * treat + 0.3 * x + 0.4 * treat * x + r.normal(size=n)
    return pd.DataFrame({
        "treat": treat, "x": x, "m": m, "y": 0.4 * m + 0.2 * treat + 0.3 * x + r.normal(size=n),
        "k": r.integers(0, 4, n), "g": pd.Categorical(r.choice(list("abc"), n)),
        "cl": np.arange(n) % 7, "a b": r.normal(3.0, 0.3, n), "max": r.normal(3.0, 0.3, n),
    })  # fmt: skip
