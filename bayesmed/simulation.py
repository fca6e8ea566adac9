"""Data with known effects, from the structural model itself."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayesmed.families import resolve_family
from bayesmed.family import Family


@dataclass(frozen=True)
class Simulated:
    """Simulated data and the truth behind them.

    Attributes
    ----------
    data : pandas.DataFrame
        Columns ``treat`` (0/1), ``x``, ``m`` and ``y``.
    truth : dict of str to float
        ``acme_control``, ``acme_treated``, ``ade_control``, ``ade_treated`` and ``total``,
        the means over the simulated units of their own counterfactual outcomes, each by
        a simulation of ``truth_size`` pairs of residuals; and ``rho``.
    """

    data: pd.DataFrame
    truth: dict[str, float]


def simulate(
    n: int = 1000,
    *,
    mediator_family: str | Family = "gaussian",
    outcome_family: str | Family = "gaussian",
    rho: float = 0.0,
    a: float = 0.5,
    b: float = 0.5,
    direct: float = 0.3,
    interaction: float = 0.0,
    covariate: float = 0.4,
    sigma: float = 1.0,
    random_seed: int | None = None,
    truth_size: int = 2_000_000,
) -> Simulated:
    r"""Simulate a randomised treatment, a covariate, a mediator and an outcome.

    .. math::

        \eta_m = a\, t + c\, x, \qquad
        \eta_y = b\, m + c'\, t + h\, t m + c\, x

    with residual scores of correlation rho.

    Parameters
    ----------
    n : int
        Rows.
    mediator_family, outcome_family : str or Family
    rho : float
        Correlation of the residual scores, in (-1, 1).
    a, b, direct, interaction, covariate : float
        Paths, on the scale of the linear predictors.
    sigma : float
        Residual standard deviation of Gaussian equations.
    random_seed : int, optional
    truth_size : int
        Pairs of residuals by which the truth is computed.

    Returns
    -------
    Simulated

    Raises
    ------
    ValueError
        If rho lies outside (-1, 1).

    Examples
    --------
    >>> import bayesmed as bm
    >>> bm.simulate(100, rho=0.3, random_seed=1, truth_size=1000).data.columns.tolist()
    ['treat', 'x', 'm', 'y']
    """
    if not -1.0 < rho < 1.0:
        raise ValueError(f"rho must lie strictly between -1 and 1; {rho!r} was given.")
    families = (
        resolve_family(mediator_family, "mediator"),
        resolve_family(outcome_family, "outcome"),
    )
    rng = np.random.default_rng(random_seed)
    extra = [{"sigma": sigma} if family.parameters else {} for family in families]

    def mediator(t: np.ndarray | float, x: np.ndarray, e: np.ndarray) -> np.ndarray:
        return np.asarray(families[0].value(e, a * t + covariate * x, extra[0]))

    def outcome(t: np.ndarray | float, m: np.ndarray, x: np.ndarray, e: np.ndarray) -> np.ndarray:
        eta = b * m + direct * t + interaction * t * m + covariate * x
        return np.asarray(families[1].value(e, eta, extra[1]))

    def residuals(size: int) -> tuple[np.ndarray, np.ndarray]:
        e_m, z = rng.standard_normal((2, size))
        return e_m, rho * e_m + np.sqrt(1.0 - rho**2) * z

    treat, x = rng.permutation(np.arange(n) % 2), rng.standard_normal(n)
    e_m, e_y = residuals(n)
    m = mediator(treat, x, e_m)
    data = pd.DataFrame({"treat": treat, "x": x, "m": m, "y": outcome(treat, m, x, e_y)})
    many = np.tile(x, -(-truth_size // n))
    e_m, e_y = residuals(many.size)
    po = {
        (t, s): float(outcome(t, mediator(s, many, e_m), many, e_y).mean())
        for t in (0, 1)
        for s in (0, 1)
    }
    truth = {
        "acme_control": po[0, 1] - po[0, 0],
        "acme_treated": po[1, 1] - po[1, 0],
        "ade_control": po[1, 0] - po[0, 0],
        "ade_treated": po[1, 1] - po[0, 1],
        "total": po[1, 1] - po[0, 0],
        "rho": rho,
    }
    return Simulated(data, truth)
