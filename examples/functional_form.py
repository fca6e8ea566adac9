"""Why a likelihood that prefers some rho is no evidence about confounding: JOBS II.

    uv run python examples/functional_form.py

Fits the binary mediator job_dich and the outcome depress2 with a flat prior on rho, prints what
the posterior of rho prefers, and then does the same for data in which rho is zero by
construction: the outcome's residuals are shuffled between people, so that nothing but their
shape is left.
"""

import warnings

import numpy as np
import pandas as pd
from scipy import stats

import bayesmed as bm

COVARIATES = "econ_hard + sex + age"
FLAT = bm.Prior("Uniform", lower=-0.95, upper=0.95)
SEED = 2005
SHUFFLES = 6


def build(df: pd.DataFrame) -> bm.MediationModel:
    return bm.MediationModel(
        df,
        mediator=f"job_dich ~ treat + {COVARIATES}",
        outcome=f"depress2 ~ treat + job_dich + {COVARIATES}",
        treatment="treat",
        mediator_family="probit",
        rho=FLAT,
    )


def preferred(model: bm.MediationModel) -> tuple[pd.Series, bm.MediationFit]:
    """What the posterior of rho says, under a flat prior of rho."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = model.fit(draws=2000, random_seed=SEED, progress=False)
    rho = fit.posterior["rho"].to_numpy().ravel()
    low, middle, high = np.quantile(rho, [0.025, 0.5, 0.975])
    share, edges = np.histogram(rho, np.linspace(-0.95, 0.95, 20))
    top = edges[share.argmax()]
    row = {
        "median": middle,
        "2.5%": low,
        "97.5%": high,
        "P(rho > 0.5)": (rho > 0.5).mean(),
        "fullest tenth": f"{top:.2f} to {top + 0.1:.2f}",
        "R-hat": float(fit.convergence.r_hat),
    }
    return pd.Series(row), fit


def shuffled(df: pd.DataFrame, model: bm.MediationModel, seed: int) -> pd.DataFrame:
    """The outcome as fitted by least squares, plus its residuals in another order."""
    columns = model.designs[1].matrix
    y = df["depress2"].to_numpy()
    fitted = columns @ np.linalg.lstsq(columns, y)[0]
    return df.assign(depress2=fitted + np.random.default_rng(seed).permutation(y - fitted))


def main() -> None:
    pd.set_option("display.width", 160, "display.max_columns", 20)
    df = bm.load_data("jobs")
    model = build(df)
    columns, y = model.designs[1].matrix, df["depress2"].to_numpy()
    residuals = y - columns @ np.linalg.lstsq(columns, y)[0]
    print(f"n = {len(df)}; skewness of the outcome's residuals {stats.skew(residuals):.2f}")

    rows, fit = {}, None
    rows["as observed"], fit = preferred(model)
    for seed in range(SHUFFLES):
        rows[f"shuffled {seed + 1}"], _ = preferred(model.with_data(shuffled(df, model, seed)))
    print("\nThe posterior of rho under a flat prior")
    print(pd.DataFrame(rows).T.to_string(float_format="{:.3f}".format))

    print("\nEffects with rho averaged over that posterior, and at rho = 0")
    for one in (fit, model.with_rho(0.0).fit(random_seed=SEED, progress=False)):
        print(one.effects())


if __name__ == "__main__":
    main()
