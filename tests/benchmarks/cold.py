"""The first fit ever on a machine: no compiled code on disk.

uv run python tests/benchmarks/cold.py
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent


def timed(folder: str) -> float:
    cold = {
        **os.environ,
        "PYTENSOR_FLAGS": f"base_compiledir={folder}/pytensor",
        "NUMBA_CACHE_DIR": f"{folder}/numba",
        "PYTHONPYCACHEPREFIX": f"{folder}/python",
    }
    cold.pop("PYTHONDONTWRITEBYTECODE", None)
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-W", "ignore", str(HERE / "one_fit.py")], env=cold, check=True,
        capture_output=True,
    )  # fmt: skip
    return time.perf_counter() - began


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        first, second = timed(folder), timed(folder)
    verdict = "within" if first <= 60.0 else "OVER"
    print(f"cold {first:.1f} s ({verdict} 60), then warm {second:.1f} s")
