"""Every figure of the package against a baseline image, at the width of a column (85 mm).

The data are made by hand, so that only a change of the drawing changes an image. To make the
baselines anew, and look at each before it is kept:

    uv run python -c "import matplotlib; print(matplotlib.__version__)" > tests/show/baseline/matplotlib
    uv run pytest tests/show/test_images.py --mpl-generate-path=tests/show/baseline
"""

from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from bayesmed.show.plots import (
    plot_effects,
    plot_probability,
    plot_rho,
    plot_rho_zero,
    plot_sensitivity,
)
from tests.support.figures import curve, effects, even, rho, tipping

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
