"""How strong confounding would have to be: the job-search experiment against its covariates.

    uv run python examples/benchmarks.py [folder for the figure]

Prints the benchmarks of rho, the sentences about its tipping point and the shares of variance
at it, and writes benchmarks.png: the sensitivity curve with the benchmarks, and the contours of
the effect over the two shares of variance.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import bayesmed as bm

COVARIATES = "econ_hard + depress1 + sex + age + educ"
SEED = 1995


def analyse(folder: Path) -> None:
    pd.set_option("display.width", 160, "display.max_columns", 20)
    fit = bm.fit(
        bm.load_data("jobs"),
        mediator=f"job_seek ~ treat + {COVARIATES}",
        outcome=f"depress2 ~ treat + job_seek + {COVARIATES}",
        treatment="treat",
        random_seed=SEED,
    )
    sensitivity = fit.sensitivity()
    benchmarks = fit.benchmarks()
    print(benchmarks)
    print("\n" + "\n".join(benchmarks.sentences(sensitivity)))
    print("\n" + sensitivity.r_squared("total").tipping_summary().to_string())
    prior = bm.RhoBenchmark("depress1", times=(0, 2), sign="same")
    low, high = np.quantile(prior.draw(fit), [0.025, 0.975])
    print(f"\n95% of the prior {prior} lie between {low:.2f} and {high:.2f}")
    write_figure(folder, sensitivity, benchmarks)


def write_figure(folder: Path, sensitivity: bm.Sensitivity, benchmarks: bm.Benchmarks) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.1, 3.7), layout="constrained")
    benchmarks.draw_on(sensitivity.plot(ax=left))
    left.set_xlabel("Residual correlation ρ")
    sensitivity.r_squared().plot(ax=right, benchmarks=benchmarks)
    path = folder / "benchmarks.png"
    figure.savefig(path, dpi=200)
    plt.close(figure)
    print(f"wrote {path}")


if __name__ == "__main__":
    analyse(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "figures")
