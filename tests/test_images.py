"""Every figure of the package against a baseline image, at the width of a column (85 mm).

The data are made by hand, so that only a change of the drawing changes an image. To make the
baselines anew, and look at each before it is kept:

    uv run python -c "import matplotlib; print(matplotlib.__version__)" > tests/baseline/matplotlib
    uv run pytest tests/test_images.py --mpl-generate-path=tests/baseline
"""

import json
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from scipy.special import ndtri

from bayesmed.show.plots.effects import plot_effects, plot_sensitivity
from bayesmed.show.plots.rho import plot_probability, plot_rho, plot_rho_zero

BASELINE = Path(__file__).parent / "baseline"
MADE_BY = (BASELINE / "matplotlib").read_text().strip()
pytestmark = pytest.mark.skipif(
    matplotlib.__version__ != MADE_BY,
    reason=f"the baseline images were drawn by matplotlib {MADE_BY}, this is "
    f"{matplotlib.__version__}, and their text and lines may differ",
)
image = pytest.mark.mpl_image_compare(
    baseline_dir=str(BASELINE), style="default", tolerance=2, savefig_kwargs={"dpi": 100}
)
SHAPE = (2, 1000)
ARMS = ["control", "treated", "average"]
GRID = np.round(np.linspace(-0.9, 0.9, 19), 10)
ABOUT = {
    "contrast": "treat: 0 -> 1", "outcome": "cong_mesg", "mediator": "emo",
    "families": ["gaussian", "probit"], "rho_fixed": 0.0, "closed": "unit",
    "priors_on": "regression", "averaged": "averaged over the observed rows", "at": "",
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
    return xr.Dataset(data, {"arm": ARMS}, {"bayesmed": json.dumps(ABOUT)})


def curve(start=0.08):
    x = GRID / np.sqrt(1 - GRID**2)
    dims = ("rho", "arm", "chain", "draw")
    acme = np.stack([[even(start - 0.15 * v, 0.02 + 0.01 * abs(v))] * 3 for v in x])
    total = np.stack([even(0.1, 0.06)] * len(x))
    data = {"acme": (dims, acme), "ade": (dims, total[:, None] - acme)}
    data["total"] = (("rho", "chain", "draw"), total)
    return xr.Dataset(data, {"rho": GRID, "arm": ARMS}, {"bayesmed": json.dumps(ABOUT)})


def tipping(end=1.0):
    values, searched = np.tanh(even(0.5, 0.12)), (-end, end)
    values[values > end] = np.nan
    each = np.stack([values] * 3)
    dims = ("arm", "chain", "draw")
    data = {"rho_zero": (dims, each), "roots": (dims, np.isfinite(each).astype(int))}
    return xr.Dataset(data, {"arm": ARMS}, {"bayesmed": json.dumps(ABOUT), "searched": searched})


def rho(posterior, **about):
    prior = np.tanh(ndtri((np.arange(4000) + 0.5) / 4000) * 0.4)
    data = {"rho": (("chain", "draw"), posterior), "rho_prior": ("prior_draw", prior)}
    return xr.Dataset(data, attrs={"bayesmed": json.dumps({**ABOUT, **about})})


def panel(height=60):
    figure, ax = plt.subplots(figsize=(85 / 25.4, height / 25.4), layout="constrained")
    return figure, ax


@image
def test_effects():
    figure, ax = panel()
    assert plot_effects(effects(), ax=ax) is ax
    return figure


@image
def test_sensitivity():
    figure, ax = panel()
    assert plot_sensitivity(curve(), tipping(), ax=ax) is ax
    return figure


@image
def test_probability():
    figure, ax = panel(65)
    assert plot_probability(curve(), ax=ax) is ax
    return figure


@image
def test_probability_outside_a_rope():
    figure, ax = panel(65)
    plot_probability(curve(0.04), ax=ax, direction="outside", rope=(-0.05, 0.05))
    return figure


@image
def test_rho_zero():
    figure, ax = panel(50)
    assert plot_rho_zero(tipping(), ax=ax) is ax
    return figure


@image
def test_rho_zero_cut_by_the_grid():
    figure, ax = panel(50)
    plot_rho_zero(tipping(0.5), ax=ax)
    return figure


@image
def test_rho_of_a_closed_pair():
    figure, ax = panel(50)
    assert plot_rho(rho(np.tanh(even(0.0, 0.4))), ax=ax) is ax
    return figure


@image
def test_rho_of_another_pair():
    figure, ax = panel(50)
    plot_rho(rho(np.tanh(even(0.6, 0.2)), closed=None), ax=ax)
    return figure
