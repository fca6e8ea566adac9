"""statsmodels' Mediation, which has no sensitivity analysis, with 1000 draws."""

import numpy as np
import statsmodels.api as sm
from statsmodels.stats.mediation import Mediation

import bayesmed.data.examples

RIGHT = "treat + age + educ + gender + income"


def main() -> None:
    df = bayesmed.data.examples.load_data("framing")
    np.random.seed(1)  # noqa: NPY002 - the only seed that statsmodels takes
    outcome = sm.GLM.from_formula(
        f"cong_mesg ~ emo + {RIGHT}", df, family=sm.families.Binomial(sm.families.links.Probit())
    )
    mediator = sm.OLS.from_formula(f"emo ~ {RIGHT}", df)
    print(Mediation(outcome, mediator, "treat", "emo").fit(n_rep=1000).summary())


if __name__ == "__main__":
    main()
