"""The two equations by bambi, and the ACME by hand, as one would do it today."""

import bambi
import numpy as np
from scipy.special import ndtr

import bayesmed.data.examples

RIGHT = "treat + age + educ + gender + income"


def main() -> None:
    df = bayesmed.data.examples.load_data("framing")
    settings = {"draws": 1000, "tune": 1000, "chains": 4, "random_seed": 1, "progressbar": False}
    first = bambi.Model(f"emo ~ {RIGHT}", df)
    mediator = first.fit(**settings)
    second = bambi.Model(f"cong_mesg ~ emo + {RIGHT}", df, family="bernoulli", link="probit")
    outcome = second.fit(**settings)
    b, slope = outcome["posterior"], outcome["posterior"]["emo"].to_numpy().ravel()
    sigma = mediator["posterior"]["sigma"].to_numpy().ravel()
    step = slope * mediator["posterior"]["treat"].to_numpy().ravel()
    spread = np.sqrt(1.0 + (slope * sigma) ** 2)
    # At the mean of the linear predictor, a shortcut that is kind to this route.
    base = b["Intercept"].to_numpy().ravel() + slope * float(df.emo.mean())
    acme = ndtr((base + step) / spread) - ndtr(base / spread)
    print(np.quantile(acme, [0.025, 0.5, 0.975]))


if __name__ == "__main__":
    main()
