"""How far the default priors pull everyday analyses: against priors twenty times as wide.

    uv run python tests/evidence/pull.py

Writes docs/pull.csv: of each analysis the coefficient, the effect and the index that are pulled
most, in posterior standard deviations. One table holds the same for a moderator whose origin and
unit were changed.
"""

import warnings
from pathlib import Path

import pandas as pd

import bayesmed as bm

HERE = Path(__file__).parents[1]
TABLE = HERE.parent / "docs" / "pull.csv"
COVARIATES = "age + educ + gender + income"
JOBS = "econ_hard + sex + age"


def reference(name):
    return pd.read_csv(HERE / "reference" / f"{name}.csv")


def raised(df):
    return df.assign(sexism=100.0 + 10.0 * df["sexism"])


#: Data, arguments, and derived quantities by name, each a function of both equations' coefficients.
CASES = {
    "Tal-Or et al. (2010)": (
        reference("tal_or"),
        {"mediator": "pmi ~ cond", "outcome": "reaction ~ pmi + cond", "treatment": "cond"},
    ),
    "Tal-Or, treatment-mediator interaction": (
        reference("tal_or"),
        {"mediator": "pmi ~ cond", "outcome": "reaction ~ pmi * cond", "treatment": "cond"},
    ),
    "Garcia et al. (2010)": (
        reference("garcia"),
        {
            "mediator": "respappr ~ prot2 * sexism",
            "outcome": "liking ~ respappr + prot2 * sexism",
            "treatment": "prot2",
        },
    ),
    "Garcia, sexism as 100 + 10 sexism": (
        raised(reference("garcia")),
        {
            "mediator": "respappr ~ prot2 * sexism",
            "outcome": "liking ~ respappr + prot2 * sexism",
            "treatment": "prot2",
        },
    ),
    "jobs": (
        bm.load_data("jobs"),
        {
            "mediator": f"job_seek ~ treat + {JOBS}",
            "outcome": f"depress2 ~ job_seek + treat + {JOBS}",
            "treatment": "treat",
        },
    ),
    "jobs, treatment by age": (
        bm.load_data("jobs"),
        {
            "mediator": f"job_seek ~ treat * age + {JOBS}",
            "outcome": f"depress2 ~ job_seek * treat + treat * age + {JOBS}",
            "treatment": "treat",
        },
    ),
    "framing, probit": (
        bm.load_data("framing"),
        {
            "mediator": f"emo ~ treat + {COVARIATES}",
            "outcome": f"cong_mesg ~ emo + treat + {COVARIATES}",
            "treatment": "treat",
            "outcome_family": "probit",
        },
    ),
}


def draws_of(df, arguments, priors=None):
    """Every coefficient but the intercepts, the effects, and the index of moderated mediation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = bm.MediationModel(df, priors=priors, **arguments)
        fit = model.fit(method="laplace", draws=10000, random_seed=1, progress=False)
    found = {}
    for equation in ("mediator", "outcome"):
        coef = fit.posterior[f"{equation}_coef"]
        for term in coef[f"{equation}_term"].to_numpy().tolist():
            if term != "Intercept":
                own = coef.sel({f"{equation}_term": term})
                found["coefficient", f"{equation}: {term}"] = own.to_numpy().ravel()
    effects = fit.effects().draws
    for name, label in (("acme", "ACME"), ("ade", "ADE")):
        found["effect", label] = effects[name].sel(arm="average").to_numpy().ravel()
    found["effect", "Total effect"] = effects["total"].to_numpy().ravel()
    mediator = arguments["mediator"].split(" ~ ")[0]
    for product in ("prot2:sexism", "treat:age"):
        if ("coefficient", f"mediator: {product}") in found:
            slope = found["coefficient", f"outcome: {mediator}"]
            index = found["coefficient", f"mediator: {product}"] * slope
            found["index", f"index of moderated mediation ({product})"] = index
    return model, found


def wide(model):
    return {
        equation: {
            name: bm.Prior("Normal", mu=p.parameters["mu"], sigma=20.0 * p.parameters["sigma"])
            for name, p in priors.items()
            if p.distribution == "Normal"
        }
        for equation, priors in model.priors_in_use.items()
    }


def pulls(case):
    df, arguments = CASES[case]
    model, own = draws_of(df, arguments)
    _, free = draws_of(df, arguments, wide(model))
    rows = [
        (case, model.size, kind, name, own[kind, name].mean(), free[kind, name].mean(),
         (own[kind, name].mean() - free[kind, name].mean()) / free[kind, name].std())
        for kind, name in own
    ]  # fmt: skip
    names = [
        "analysis",
        "n",
        "kind",
        "quantity",
        "default priors",
        "20 times as wide",
        "pull in sd",
    ]
    return pd.DataFrame(rows, columns=names)


def main():
    table = pd.concat([pulls(case) for case in CASES], ignore_index=True)
    print(table.round(4).to_string())
    most = table.loc[table.groupby(["analysis", "kind"], sort=False)["pull in sd"].apply(
        lambda own: own.abs().idxmax()
    )]  # fmt: skip
    most = most.drop(columns="kind")
    for name in ("default priors", "20 times as wide"):
        most[name] = [f"{value:.3g}" for value in most[name]]
    most["pull in sd"] = [
        f"{value:.2f}" if abs(value) >= 0.01 else "below 0.01" for value in most["pull in sd"]
    ]
    most.to_csv(TABLE, index=False)


if __name__ == "__main__":
    main()
