"""Effects, curves and draws of rho made by hand, for figures."""

import numpy as np
import xarray as xr
from scipy.special import ndtri

from tests.support.handmade import told

SHAPE = (2, 1000)
ARMS = ["control", "treated", "average"]
GRID = np.round(np.linspace(-0.9, 0.9, 19), 10)
ABOUT = {
    "contrast": "treat: 0 -> 1", "outcome": "cong_mesg", "mediator": "emo",
    "families": ["gaussian", "probit"], "rho_fixed": 0.0, "closed": "unit",
    "priors_on": "regression",
}  # fmt: skip


def even(mean, sd):
    """Even quantiles of a normal distribution, in mixed order."""
    order = (np.arange(2000) * 1103) % 2000
    return (mean + sd * ndtri((order + 0.5) / 2000)).reshape(SHAPE)


def effects():
    arms = ("arm", "chain", "draw")
    data = {
        "acme": (arms, np.stack([even(0.07, 0.02), even(0.09, 0.025), even(0.08, 0.02)])),
        "ade": (arms, np.stack([even(0.01, 0.06), even(0.03, 0.06), even(0.02, 0.06)])),
        "total": (("chain", "draw"), even(0.1, 0.06)),
    }
    data["prop_mediated"] = (arms, data["acme"][1] / 0.1)
    return xr.Dataset(data, {"arm": ARMS}, told(**ABOUT))


def curve(start=0.08):
    x = GRID / np.sqrt(1 - GRID**2)
    dims = ("rho", "arm", "chain", "draw")
    acme = np.stack([[even(start - 0.15 * v, 0.02 + 0.01 * abs(v))] * 3 for v in x])
    total = np.stack([even(0.1, 0.06)] * len(x))
    data = {"acme": (dims, acme), "ade": (dims, total[:, None] - acme)}
    data["total"] = (("rho", "chain", "draw"), total)
    return xr.Dataset(data, {"rho": GRID, "arm": ARMS}, told(**ABOUT))


def tipping(end=1.0):
    values, searched = np.tanh(even(0.5, 0.12)), (-end, end)
    values[values > end] = np.nan
    each = np.stack([values] * 3)
    dims = ("arm", "chain", "draw")
    data = {"rho_zero": (dims, each), "roots": (dims, np.isfinite(each).astype(int))}
    return xr.Dataset(data, {"arm": ARMS}, {**told(**ABOUT), "searched": searched})


def rho(posterior, **about):
    prior = np.tanh(ndtri((np.arange(4000) + 0.5) / 4000) * 0.4)
    data = {"rho": (("chain", "draw"), posterior), "rho_prior": ("prior_draw", prior)}
    return xr.Dataset(data, attrs=told(**{**ABOUT, **about}))
