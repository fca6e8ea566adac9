"""Every plot of bayesmed once, for the gallery of the documentation.

uv run python examples/gallery.py docs/_static
"""

import sys
import warnings
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from PIL import Image

import bayesmed as bm

COVARIATES = "age + educ + gender + income"
QUICK = {"method": "laplace", "random_seed": 1, "progress": False}


def framing(outcome="emo + treat", **options):
    return bm.fit(
        bm.load_data("framing"), mediator=f"emo ~ treat + {COVARIATES}",
        outcome=f"cong_mesg ~ {outcome} + {COVARIATES}", treatment="treat",
        outcome_family="probit", **QUICK, **options,
    )  # fmt: skip


def figures():
    """Name and a function that draws, for each plot."""
    fit = framing()
    sensitivity = fit.sensitivity()
    prior = framing(rho=bm.Prior("TruncatedNormal", mu=0.2, sigma=0.2, lower=-0.9, upper=0.9))
    interaction = framing("emo * treat")
    benchmarks = fit.benchmarks()
    return {
        "effects": lambda: fit.effects().plot(),
        "groups": lambda: fit.effects(by="gender").plot(),
        "paths": lambda: fit.plot_paths(),
        "paths_interaction": lambda: interaction.plot_paths(),
        "curve": lambda: sensitivity.plot(),
        "curves": lambda: sensitivity.plot_curves(),
        "arms": lambda: interaction.sensitivity().plot_arms()[0],
        "tipping": lambda: sensitivity.plot_tipping_point(),
        "probability": lambda: sensitivity.plot_probability(),
        "rho": lambda: prior.plot_rho(),
        "contour": lambda: sensitivity.r_squared().plot(),
        "benchmarks": lambda: benchmarks.plot(),
        "reliability": lambda: fit.reliability_curve().plot(),
        "check": lambda: fit.plot_check()["emo"],
        "check_outcome": lambda: fit.plot_check(200)["cong_mesg"],
    }


def shrink(path):
    """A picture of few colours, in a third of the bytes."""
    Image.open(path).convert("RGB").quantize(96).save(path, optimize=True)


def main(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, draw in figures().items():
            made = draw()
            path = folder / f"gallery_{name}.png"
            if hasattr(made, "savefig"):  # ArviZ's collection
                made.savefig(path, dpi=80, bbox_inches="tight")
            else:
                made.get_figure().savefig(path, dpi=130)
            plt.close("all")
            shrink(path)
            print(f"wrote {path}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/_static"))
