"""The main job: a mediation analysis of the framing experiment, from data to paragraph.

    uv run python examples/framing.py [folder for the figures]

Prints the effects with and without treatment-mediator interaction, the effects at ages 20 and
60, the sensitivity to unmeasured confounding, its tipping point and a paragraph for a paper,
and writes three figures.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import bayesmed as bm

COVARIATES = "age + educ + gender + income"
SEED = 2014


def heading(text: str) -> None:
    print(f"\n{text}\n{'=' * len(text)}")


def analyse(folder: Path) -> None:
    pd.set_option("display.width", 160, "display.max_columns", 20)
    df = bm.load_data("framing")
    model = bm.MediationModel(
        df,
        mediator=f"emo ~ treat + {COVARIATES}",
        outcome=f"cong_mesg ~ emo + treat + {COVARIATES}",
        treatment="treat",
        outcome_family="probit",
    )
    fit = model.fit(random_seed=SEED)
    effects = fit.effects()
    heading("Mediation effects")
    print(effects)

    heading("With treatment-mediator interaction")
    interaction = bm.fit(
        df,
        mediator=f"emo ~ treat + {COVARIATES}",
        outcome=f"cong_mesg ~ emo * treat + {COVARIATES}",
        treatment="treat",
        outcome_family="probit",
        random_seed=SEED,
    )
    print(interaction.effects())
    print(interaction.effects().interaction())

    heading("Moderated by age: the treatment interacts with age in both equations")
    moderated = bm.fit(
        df,
        mediator="emo ~ treat * age + educ + gender + income",
        outcome="cong_mesg ~ emo + treat * age + emo:age + educ + gender + income",
        treatment="treat",
        outcome_family="probit",
        random_seed=SEED,
    )
    young, old = moderated.effects(at={"age": 20}), moderated.effects(at={"age": 60})
    for conditional in (young, old, young - old):
        print(conditional)

    heading("Sensitivity to the residual correlation rho")
    sensitivity = fit.sensitivity(rho=np.linspace(-0.9, 0.9, 37))
    print(sensitivity)

    heading("For the paper")
    print(fit.report(sensitivity))
    write_figures(folder, effects, interaction.effects(), sensitivity)


def write_figures(
    folder: Path, effects: bm.Effects, interaction: bm.Effects, sensitivity: bm.Sensitivity
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    figures = {
        "effects": effects.plot(),
        "effects_interaction": interaction.plot(),
        "sensitivity": sensitivity.plot(),
    }
    for name, ax in figures.items():
        path = folder / f"{name}.png"
        ax.figure.savefig(path, dpi=200)
        plt.close(ax.figure)
        print(f"wrote {path}")


if __name__ == "__main__":
    analyse(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "figures")
