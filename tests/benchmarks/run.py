"""Time one framing fit against the straightforward PyMC route, interleaved, in one run.

    uv run python tests/benchmarks/run.py [repeats]

Prints medians. The targets are stated for a machine on which the straightforward route takes
14.5 s from process start to its table, so each is judged as a ratio to it.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
REFERENCE_S = 14.5
TARGETS = {"fit": 10.0, "curve": 0.5}


def timed(script: str, *arguments: str) -> tuple[float, str]:
    # Warm disk caches include Python's own bytecode, whatever this shell says of it.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", HERE / script, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return time.perf_counter() - began, done.stdout


def main(repeats: int) -> None:
    for script in ("naive.py", "one_fit.py"):  # fill the disk caches
        timed(script)
    naive, ours, details = [], [], []
    for _ in range(repeats):
        naive.append(timed("naive.py")[0])
        ours.append(timed("one_fit.py")[0])
        details.append(json.loads(timed("one_fit.py", "details")[1].splitlines()[-1]))
    base = statistics.median(naive)
    fit = statistics.median(ours)
    curve = statistics.median(d["curve_s"] for d in details)
    print(f"straightforward PyMC, start to table   {base:6.1f} s   1.00")
    for name, seconds in (("fit", fit), ("curve", curve)):
        label = {"fit": "bayesmed, start to table", "curve": "41-point curve after the fit"}[name]
        allowed = TARGETS[name] / REFERENCE_S
        verdict = "within" if seconds / base <= allowed else "OVER"
        print(f"{label:38s} {seconds:6.2f} s   {seconds / base:.3f}   {verdict} {allowed:.3f}")
    print(f"peak memory                            {max(d['peak_mib'] for d in details):6.0f} MiB")
    print(f"ESS(ACME) of 4000 draws                {min(d['ess_acme'] for d in details):6.0f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
