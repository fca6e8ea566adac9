"""The straightforward PyMC route, for comparison: scalar coefficients, Deterministic effects."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt

import bayesmed.data.examples


def main() -> None:
    df = bayesmed.data.examples.load_data("framing")
    columns = {"treat": df.treat, "age": df.age, "income": df.income}
    for level in df.educ.cat.categories[1:]:
        columns[f"educ {level}"] = df.educ == level
    columns["female"] = df.gender == "female"
    x = {name: np.asarray(values, dtype=float) for name, values in columns.items()}
    m, y = df.emo.to_numpy(dtype=float), df.cong_mesg.to_numpy(dtype=float)
    with pm.Model():
        a = {name: pm.Normal(f"a {name}", 0, 10) for name in ["const", *x]}
        b = {name: pm.Normal(f"b {name}", 0, 10) for name in ["const", "m", *x]}
        sigma = pm.HalfNormal("sigma", 10)

        def mean_m(t):
            rest = sum(a[name] * values for name, values in x.items() if name != "treat")
            return a["const"] + a["treat"] * t + rest

        def eta(t, mediator):
            rest = sum(b[name] * values for name, values in x.items() if name != "treat")
            return b["const"] + b["m"] * mediator + b["treat"] * t + rest

        pm.Normal("mediator", mean_m(x["treat"]), sigma, observed=m)
        pm.Bernoulli("outcome", pm.math.invprobit(eta(x["treat"], m)), observed=y)
        spread = pt.sqrt(1 + (b["m"] * sigma) ** 2)
        po = {
            (t, s): pm.math.invprobit(eta(t, mean_m(s)) / spread).mean()
            for t in (0.0, 1.0)
            for s in (0.0, 1.0)
        }
        for t in (0.0, 1.0):
            pm.Deterministic(f"acme {t:.0f}", po[t, 1.0] - po[t, 0.0])
            pm.Deterministic(f"ade {t:.0f}", po[1.0, t] - po[0.0, t])
        pm.Deterministic("total", po[1.0, 1.0] - po[0.0, 0.0])
        tree = pm.sample(draws=1000, tune=1000, chains=4, random_seed=1, progressbar=False)
    import arviz as az

    names = ["acme 0", "acme 1", "ade 0", "ade 1", "total"]
    print(az.summary(tree, var_names=names))


if __name__ == "__main__":
    main()
