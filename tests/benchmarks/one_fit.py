"""One framing fit, from process start to the printed table; then the times of what follows.

one_fit.py [laplace | details]
"""

import json
import resource
import sys
import time

import numpy as np

import bayesmed as bm


def main(word: str) -> None:
    model = bm.MediationModel(
        bm.load_data("framing"),
        mediator="emo ~ treat + age + educ + gender + income",
        outcome="cong_mesg ~ emo + treat + age + educ + gender + income",
        treatment="treat",
        outcome_family="probit",
    )
    method = "laplace" if word == "laplace" else "nuts"
    fit = model.fit(random_seed=1, progress=False, method=method)
    table = fit.effects().summary(round_to=None)
    print(table, flush=True)
    if word != "details":
        return
    began = time.perf_counter()
    fit.sensitivity(np.linspace(-0.9, 0.9, 41))
    curve = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    ess = float(table.loc["ACME (average)", "ess_bulk"])
    print(json.dumps({"curve_s": curve, "peak_mib": peak, "ess_acme": ess}))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
