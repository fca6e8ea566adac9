"""Against other software: statsmodels' Mediation and two bambi fits at rho = 0.

    uv run --with statsmodels --with bambi python tests/evidence/independent.py

Development only; the package needs neither. Prints a table, and writes docs/independent.csv.
"""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import bayesmed as bm

TABLE = Path(__file__).parents[2] / "docs" / "independent.csv"
COVARIATES = "age + educ + gender + income"
#: Data set, mediator, outcome, its family, treatment, right-hand side.
CASES = {
    "framing": ("framing", "emo", "cong_mesg", "probit", "treat", COVARIATES),
    "jobs": ("jobs", "job_seek", "depress2", "gaussian", "treat", "econ_hard + sex + age"),
}
ROWS = {"acme": "ACME (average)", "ade": "ADE (average)", "total": "Total effect"}


def ours(case):
    data, mediator, outcome, family, treatment, right = CASES[case]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = bm.fit(
            bm.load_data(data), mediator=f"{mediator} ~ {treatment} + {right}",
            outcome=f"{outcome} ~ {mediator} + {treatment} + {right}", treatment=treatment,
            outcome_family=family, draws=4000, random_seed=1, progress=False,
        )  # fmt: skip
    table = fit.effects().summary(round_to=None)
    return {name: table.loc[row].iloc[:3].to_numpy(float) for name, row in ROWS.items()}


def by_statsmodels(case):
    import statsmodels.api as sm
    from statsmodels.stats.mediation import Mediation

    data, mediator, outcome, family, treatment, right = CASES[case]
    df = bm.load_data(data)
    kind = (
        {"family": sm.families.Binomial(sm.families.links.Probit())} if family == "probit" else {}
    )
    make = sm.GLM if kind else sm.OLS
    second = make.from_formula(f"{outcome} ~ {mediator} + {treatment} + {right}", df, **kind)
    first = sm.OLS.from_formula(f"{mediator} ~ {treatment} + {right}", df)
    np.random.seed(1)  # noqa: NPY002  (statsmodels draws from it)
    found = Mediation(second, first, treatment, mediator).fit(n_rep=4000).summary()
    names = {"acme": "ACME (average)", "ade": "ADE (average)", "total": "Total effect"}
    return {n: found.loc[row].iloc[:3].to_numpy(float) for n, row in names.items()}


def by_bambi(case):
    """Two separate regressions, their counterfactual means worked out here."""
    import bambi
    from formulaic import model_matrix
    from scipy.special import ndtr

    data, mediator, outcome, family, treatment, right = CASES[case]
    df = bm.load_data(data)
    dummies = model_matrix(right, df).drop(columns="Intercept")
    covariates = [f"v{i}" for i in range(dummies.shape[1])]
    df = df.join(pd.DataFrame(dummies.to_numpy(float), columns=covariates, index=df.index))
    right = " + ".join([treatment, *covariates])
    kind = {"family": "bernoulli", "link": "probit"} if family == "probit" else {}
    second = bambi.Model(f"{outcome} ~ {mediator} + {right}", df, **kind)
    first = bambi.Model(f"{mediator} ~ {right}", df)
    options = {"draws": 2000, "random_seed": 1, "progressbar": False}
    posts = [
        model.fit(**options)["posterior"].to_dataset().stack(s=("chain", "draw"))
        for model in (first, second)
    ]

    def predictor(post, frame):
        names = [treatment, *covariates]
        values = sum(frame[n].to_numpy(float)[:, None] * post[n].to_numpy()[None] for n in names)
        return values + post["Intercept"].to_numpy()[None]

    sigma = (
        posts[0]["sigma"].to_numpy()
        if "sigma" in posts[0]
        else posts[0][f"{mediator}_sigma"].to_numpy()
    )
    slope = posts[1][mediator].to_numpy()
    po = {}
    for t in (0, 1):
        for s in (0, 1):
            mean = predictor(posts[0], df.assign(**{treatment: s}))
            eta = predictor(posts[1], df.assign(**{treatment: t})) + slope * mean
            value = ndtr(eta / np.sqrt(1.0 + (slope * sigma) ** 2)) if family == "probit" else eta
            po[t, s] = value.mean(axis=0)
    drawn = {
        "acme": 0.5 * (po[0, 1] - po[0, 0] + po[1, 1] - po[1, 0]),
        "ade": 0.5 * (po[1, 0] - po[0, 0] + po[1, 1] - po[0, 1]), "total": po[1, 1] - po[0, 0],
    }  # fmt: skip
    return {n: np.quantile(v, [0.5, 0.025, 0.975]) for n, v in drawn.items()}


def main():
    lines = []
    for case in CASES:
        for who, route in (
            ("bayesmed", ours),
            ("bambi", by_bambi),
            ("statsmodels", by_statsmodels),
        ):
            found = route(case)
            lines.append({"data": case, "by": who, **{
                ROWS[n]: f"{v[0]:.4f} [{v[1]:.4f}, {v[2]:.4f}]" for n, v in found.items()
            }})  # fmt: skip
            print(lines[-1], flush=True)
    pd.DataFrame(lines).to_csv(TABLE, index=False)


if __name__ == "__main__":
    main()
