"""One table of times: each row a ratio to the straightforward PyMC route, interleaved in one run.

    uv run python tests/benchmarks/run.py [repeats]
    uv run --with bambi --with statsmodels python tests/benchmarks/run.py [repeats]

Every row is a process of its own, timed from its start with warm disk caches; medians. Targets
are stated for a machine on which the straightforward route takes 14.5 s from process start to its
table, so each is judged as a ratio to it. What is not installed is named and left out.
"""

import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
REFERENCE_S = 14.5
#: Label, script and arguments, seconds of the target, and what must be installed.
ROWS = (
    ("bayesmed, NUTS", ("one_fit.py",), 8.0, None),
    # 3 s beyond the import, which takes 2.7 s on the machine of the targets.
    ("bayesmed, Laplace", ("one_fit.py", "laplace"), 5.7, None),
    ("bayesmed, whole example with figures", ("../../examples/framing.py", "OUT"), 22.0, None),
    ("bambi, two models", ("bambi_fits.py",), None, "bambi"),
    ("statsmodels Mediation, 1000 draws", ("statsmodels_fit.py",), None, "statsmodels"),
    ("R mediation, 1000 draws", ("mediation.R",), None, "Rscript"),
    ("brms, two models", ("brms.R",), None, "Rscript"),
)


def timed(script: str, *arguments: str) -> tuple[float, str]:
    # Warm disk caches include Python's own bytecode, whatever this shell says of it.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["MPLBACKEND"] = "Agg"
    program = ["Rscript"] if script.endswith(".R") else [sys.executable, "-W", "ignore"]
    began = time.perf_counter()
    done = subprocess.run(
        [*program, str(HERE / script), *arguments], capture_output=True, text=True, check=True,
        env=environment, cwd=HERE.parents[1],
    )  # fmt: skip
    return time.perf_counter() - began, done.stdout


def installed(name: str | None) -> bool:
    if name == "Rscript":
        return shutil.which(name) is not None
    return name is None or importlib.util.find_spec(name) is not None


def main(repeats: int) -> None:
    rows = [row for row in ROWS if installed(row[3])]
    with tempfile.TemporaryDirectory() as folder:
        calls = [
            (script[0], *(a.replace("OUT", folder) for a in script[1:])) for _, script, _, _ in rows
        ]
        for call in (("naive.py",), *calls):  # fill the disk caches
            timed(*call)
        naive, found, details = [], [[] for _ in rows], []
        for _ in range(repeats):
            naive.append(timed("naive.py")[0])
            for seconds, call in zip(found, calls, strict=True):
                seconds.append(timed(*call)[0])
            details.append(json.loads(timed("one_fit.py", "details")[1].splitlines()[-1]))
    base = statistics.median(naive)
    print(f"{'straightforward PyMC, start to table':42s} {base:6.1f} s   1.000")
    for (label, _, target, _), seconds in zip(rows, found, strict=True):
        show(label, statistics.median(seconds), base, target)
    show(
        "41-point curve after the fit", statistics.median(d["curve_s"] for d in details), base, 0.3
    )
    print(f"{'peak memory':42s} {max(d['peak_mib'] for d in details):6.0f} MiB")
    print(f"{'ESS(ACME) of 4000 draws by NUTS':42s} {min(d['ess_acme'] for d in details):6.0f}")
    for label, _, _, needs in ROWS:
        if not installed(needs):
            print(f"{label:42s} left out: {needs} is not installed")


def show(label: str, seconds: float, base: float, target: float | None) -> None:
    ratio, verdict = seconds / base, ""
    if target is not None:
        allowed = target / REFERENCE_S
        verdict = f"{'within' if ratio <= allowed else 'OVER'} {allowed:.3f}"
    print(f"{label:42s} {seconds:6.2f} s   {ratio:.3f}   {verdict}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
