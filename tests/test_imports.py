"""What an import costs: the heavy libraries wait until they are used."""

import re
import subprocess
import sys

import pandas as pd
import xarray as xr

import bayesmed as bm
from tests.support.made import made

HEAVY = ("pymc", "numba", "nutpie", "arviz", "matplotlib", "scipy.stats", "dask")


def test_the_public_names_load_no_heavy_library():
    code = (
        "import sys, bayesmed as bm; [getattr(bm, name) for name in bm.__all__]; "
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_has_a_home():
    assert set(bm.__all__) == set(bm._HOMES) and set(bm.__all__) <= set(dir(bm))
    assert all(getattr(bm, name) is not None for name in bm.__all__)


def test_version_and_new_names():
    assert isinstance(pd.__version__, str) and re.fullmatch(r"\d+\.\d+\.\d+", bm.__version__)
    assert isinstance(made().posterior_predictive(draws=5), xr.DataTree)
