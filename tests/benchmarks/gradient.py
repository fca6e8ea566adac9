"""The gradient that NUTS takes, against the memory-bandwidth floor of two BLAS gemv.

    uv run python tests/benchmarks/gradient.py [rows]

A probit outcome; both on one core, as chains run; medians of interleaved calls.
"""

import statistics
import sys
import time
import warnings

import numpy as np
from large import COVARIATES, kind, rows
from threadpoolctl import threadpool_limits

import bayesmed as bm
from bayesmed.posterior import density as compiled


def main(n: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = bm.MediationModel(
            rows(n, 1, binary=True), **kind(COVARIATES), outcome_family="probit"
        )
    density = compiled.log_density(model)
    design = np.asarray(model.designs[1].matrix)
    beta, residual = np.ones(design.shape[1]), np.ones(n)
    found: dict[str, list[float]] = {"gradient": [], "gemv": []}
    with threadpool_limits(1):
        for _ in range(9):
            began = time.perf_counter()
            density.at(density.start)
            found["gradient"].append(time.perf_counter() - began)
            began = time.perf_counter()
            design @ beta
            residual @ design
            found["gemv"].append(time.perf_counter() - began)
    gradient, gemv = (statistics.median(found[name]) for name in ("gradient", "gemv"))
    ratio = gradient / gemv
    print(
        f"n = {n:.0e}, {design.shape[1]} columns: gradient {1e3 * gradient:.1f} ms, two gemv "
        f"{1e3 * gemv:.1f} ms, ratio {ratio:.1f} ({'within' if ratio <= 5.0 else 'OVER'} 5)"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
