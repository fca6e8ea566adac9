"""Two sensitivity curves of R mediation 4.5.1, derived again: why they differ from bayesmed's.

    uv run python examples/medsens.py

Works out, in plain NumPy, what the formulas of medsens give for a
continuous mediator with a probit outcome and for a probit mediator with a continuous outcome, and
compares them with the model's own answer, with what mediate() reports, and with simulations in
which the truth is known. Prints the tables of docs/r_mediation.md.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import optimize
from scipy.special import log_ndtr, ndtr

import bayesmed as bm

GRID = np.array([-0.6, -0.3, 0.0, 0.3, 0.4, 0.5, 0.6])
REFERENCE = Path(__file__).parents[1] / "tests" / "reference" / "r_mediation.json"
SEED = 2014


def least_squares(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    """Coefficients and residual sd, with the degrees of freedom of R."""
    coef = np.linalg.lstsq(x, y)[0]
    return coef, float(np.sqrt(np.sum((y - x @ coef) ** 2) / (len(y) - x.shape[1])))


def probit(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Coefficients of a probit regression by maximum likelihood."""
    sign = 2.0 * y - 1.0

    def loss(b: np.ndarray) -> tuple[float, np.ndarray]:
        eta = sign * (x @ b)
        log = log_ndtr(eta)
        ratio = np.exp(-0.5 * eta**2 - 0.5 * np.log(2 * np.pi) - log)
        return -log.mean(), -(x.T @ (sign * ratio)) / len(y)

    return optimize.minimize(loss, np.zeros(x.shape[1]), jac=True, method="BFGS").x


# -- a continuous mediator with a probit outcome ------------------------------------------------


def implied(x: float) -> float:
    """Correlation of M and the latent outcome given T and X: x / sqrt(1 + x^2), x = gamma sigma."""
    return x / np.sqrt(1.0 + x**2)


def as_coded(x: float) -> float:
    """What line 787 of medsens.R computes in its place."""
    return x / (1.0 + abs(x))


def curve_probit(
    design: np.ndarray, beta: np.ndarray, sigma: float, gamma: float, b: np.ndarray,
    rho: np.ndarray, correlation: float,
) -> np.ndarray:  # fmt: skip
    """ACME, average of the arms, along rho, as medsens lays it out.

    ``design`` holds the constant, the treatment and the covariates, the same in both equations;
    ``b`` is the outcome's coefficients without the mediator's, ``gamma``. ``correlation`` is that
    of the mediator and the latent outcome given treatment and covariates, from which follow the
    outcome's equation without the mediator, and the slope in the mediator at each rho.
    """
    reduced = b * np.sqrt(1.0 - correlation**2) + beta * correlation / sigma
    arms = [np.where(np.arange(design.shape[1]) == 1, t, design) @ reduced for t in (0, 1)]
    odds = correlation / np.sqrt(1.0 - correlation**2)
    curve = []
    for r in rho:
        slope = (odds * np.sqrt(1.0 - r**2) - r) / sigma
        step = beta[1] * slope / np.sqrt(1.0 + (slope * sigma) ** 2 + 2.0 * slope * r * sigma)
        control = np.mean(ndtr(arms[0] + step) - ndtr(arms[0]))
        treated = np.mean(ndtr(arms[1]) - ndtr(arms[1] - step))
        curve.append(0.5 * (control + treated))
    return np.array(curve)


def estimates(
    design: np.ndarray, m: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, float, float, np.ndarray]:
    """Mediator's coefficients and residual sd, outcome's slope in M and its other coefficients."""
    beta, sigma = least_squares(design, m)
    coef = probit(np.column_stack([design, m]), y)
    return beta, sigma, float(coef[-1]), coef[:-1]


def framing_model() -> bm.MediationModel:
    covariates = "treat + age + educ + gender + income"
    return bm.MediationModel(
        bm.load_data("framing"),
        mediator=f"emo ~ {covariates}",
        outcome=f"cong_mesg ~ {covariates} + emo",
        treatment="treat",
        outcome_family="probit",
    )


def framing_curves(
    model: bm.MediationModel, rho: np.ndarray, sims: int
) -> tuple[pd.DataFrame, float]:
    """Means over draws of both curves, as medsens takes them; and x = gamma sigma at the estimates.

    The draws are those of the normal approximation to each regression, and of sigma.
    """
    design = model.designs[0].matrix
    assert model.designs[0].terms[:2] == ("Intercept", "treat")
    beta, sigma, gamma, b = estimates(
        design,
        model.equations["mediator"].response.values,
        model.equations["outcome"].response.values,
    )
    rng, (n, width) = np.random.default_rng(SEED), design.shape
    columns = np.column_stack([design, model.equations["mediator"].response.values])
    eta = columns @ np.append(b, gamma)
    log = -(eta**2) - np.log(2 * np.pi) - log_ndtr(eta) - log_ndtr(-eta)
    information = columns.T @ (np.exp(log)[:, None] * columns)
    betas = rng.multivariate_normal(beta, sigma**2 * np.linalg.inv(design.T @ design), sims)
    coefs = rng.multivariate_normal(np.append(b, gamma), np.linalg.inv(information), sims)
    sigmas = sigma * np.sqrt((n - width) / rng.chisquare(n - width, sims))
    curves = {}
    for name, formula in (("model", implied), ("as coded", as_coded)):
        drawn = [
            curve_probit(design, one, s, coef[-1], coef[:-1], rho, formula(coef[-1] * s))
            for one, s, coef in zip(betas, sigmas, coefs, strict=True)
        ]
        curves[name] = np.mean(drawn, axis=0)
    return pd.DataFrame(curves, index=pd.Index(rho, name="rho")), gamma * sigma


def simulated_probit(rho: float, n: int = 1_000_000) -> dict[str, float]:
    """ACME at the true rho: of the units' own counterfactuals, and by both formulas."""
    rng = np.random.default_rng(SEED)
    e_m = rng.standard_normal(n)
    e_y = rho * e_m + np.sqrt(1.0 - rho**2) * rng.standard_normal(n)
    t, c = np.arange(n) % 2, rng.standard_normal(n)

    def mediator(t: np.ndarray | int) -> np.ndarray:
        return 0.5 * t + 0.4 * c + e_m

    def outcome(t: np.ndarray | int, m: np.ndarray) -> np.ndarray:
        return (0.5 * m + 0.3 * t + 0.4 * c + e_y > 0).astype(float)

    truth = np.mean([(outcome(t, mediator(1)) - outcome(t, mediator(0))).mean() for t in (0, 1)])
    design = np.column_stack([np.ones(n), t, c])
    found = estimates(design, mediator(t), outcome(t, mediator(t)))
    x, at = found[2] * found[1], np.array([rho])
    return {
        "truth": float(truth),
        "model": float(curve_probit(design, *found, at, implied(x))[0]),
        "as coded": float(curve_probit(design, *found, at, as_coded(x))[0]),
    }


# -- a probit mediator with a continuous outcome ------------------------------------------------


def two_step(
    design: np.ndarray, m: np.ndarray, y: np.ndarray, rho: float, inverse: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of the outcome by the iterated regression of medsens; and of the mediator.

    The mean of the outcome given M holds rho sigma lambda, and its variance is sigma^2 w. A
    regression weighted by w is what medsens computes; ``inverse`` weights by 1 / w.
    """
    beta = probit(design, m)
    mu = design @ beta
    sign = 2.0 * m - 1.0
    mills = sign * np.exp(-0.5 * mu**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(sign * mu))
    w = 1.0 - rho**2 * mills * (mills + mu)
    root = np.sqrt(1.0 / w if inverse else w)[:, None]
    x = np.column_stack([design, m])

    def weighted(response: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, float]:
        return least_squares(root * columns, root[:, 0] * response)

    # At rho = 0 the added column is zero, and R leaves it out.
    first = np.column_stack([x, rho * mills]) if rho else x
    _, sigma = weighted(y, first)
    for _ in range(500):
        coef, again = weighted(y - sigma * rho * mills, x)
        if abs(again - sigma) <= 1.5e-8:
            break
        sigma = again
    return coef, beta


def joint_likelihood(
    design: np.ndarray, m: np.ndarray, y: np.ndarray, rho: float
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of both equations by maximum likelihood at a fixed rho."""
    x, k, sign = np.column_stack([design, m]), np.sqrt(1.0 - rho**2), 2.0 * m - 1.0
    width = x.shape[1]
    coef, sigma = least_squares(x, y)
    start = np.concatenate([coef, [np.log(sigma)], probit(design, m)])

    def loss(p: np.ndarray) -> float:
        e = (y - x @ p[:width]) / np.exp(p[width])
        score = (design @ p[width + 1 :] + rho * e) / k
        return float(-np.mean(-p[width] - 0.5 * e**2 + log_ndtr(sign * score)))

    found = optimize.minimize(loss, start, method="BFGS").x
    return found[:width], found[width + 1 :]


def acme_of(design: np.ndarray, coef: np.ndarray, beta: np.ndarray) -> float:
    """Slope in M times the effect on P(M = 1)."""
    arms = [np.where(np.arange(design.shape[1]) == 1, t, design) @ beta for t in (0, 1)]
    return float(coef[-1] * np.mean(ndtr(arms[1]) - ndtr(arms[0])))


def simulated_binary(rho: float, n: int = 200_000) -> dict[str, float]:
    """ACME at the true rho: of the units' own counterfactuals, and by three estimators."""
    rng = np.random.default_rng(SEED)
    e_m = rng.standard_normal(n)
    e_y = rho * e_m + np.sqrt(1.0 - rho**2) * rng.standard_normal(n)
    t, c = np.arange(n) % 2, rng.standard_normal(n)

    def mediator(t: np.ndarray | int) -> np.ndarray:
        return (0.5 * t + 0.4 * c + e_m > 0).astype(float)

    truth = float(0.8 * (mediator(1) - mediator(0)).mean())
    m = mediator(t)
    y = 0.8 * m + 0.3 * t + 0.4 * c + e_y
    design = np.column_stack([np.ones(n), t, c])
    return {
        "truth": truth,
        "joint likelihood": acme_of(design, *joint_likelihood(design, m, y, rho)),
        "weights 1/w": acme_of(design, *two_step(design, m, y, rho, True)),
        "weights w": acme_of(design, *two_step(design, m, y, rho, False)),
    }


def main() -> None:
    rows = json.loads(REFERENCE.read_text())["framing_probit"]["rows"]
    reported = next(row["estimate"] for row in rows if row["row"] == "ACME (average)")
    model = framing_model()
    curves, x = framing_curves(model, GRID, sims=2000)
    fit = model.fit(random_seed=SEED, progress=False)
    sensitivity = fit.sensitivity(GRID)
    curves["bayesmed"] = sensitivity.summary(round_to=None)["median"].to_numpy()
    print("Framing: ACME (average) along rho, means of 2000 draws, and bayesmed's median")
    print(curves.to_string(float_format="{:.4f}".format))
    print(
        f"At the estimates x = {x:.4f}: rho* = {implied(x):.4f} by the model, {as_coded(x):.4f} as coded"
    )
    print(f"mediate() of R reports {reported:.4f}; fit.effects() has the median ", end="")
    print(f"{fit.effects().draws['acme'].sel(arm='average').median().item():.4f}")
    print("\nA continuous mediator, a probit outcome, simulated: ACME at the true rho")
    table = {rho: simulated_probit(rho) for rho in (-0.6, -0.3, 0.0, 0.3, 0.6)}
    print(pd.DataFrame(table).T.rename_axis("rho").to_string(float_format="{:.3f}".format))
    print("\nA probit mediator, a continuous outcome, simulated: ACME at the true rho")
    table = {rho: simulated_binary(rho) for rho in (-0.6, -0.3, 0.0, 0.3, 0.6)}
    print(pd.DataFrame(table).T.rename_axis("rho").to_string(float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
