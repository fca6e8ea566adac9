"""What an import costs: the heavy libraries wait until they are used."""

import subprocess
import sys

import bayesmed as bm

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
