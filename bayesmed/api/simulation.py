"""Data with known effects, from the structural model itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayesmed.families.catalogue import resolve_family
from bayesmed.families.family import Family
from bayesmed.families.names import parameters_of, refuse_unknown


@dataclass(frozen=True)
class Simulated:
    """Simulated data and the truth behind them.

    Attributes
    ----------
    data : pandas.DataFrame
        Columns ``treat`` (0/1), ``x``, ``m``, ``y``, and what the outcome's family needs.
    truth : dict of str to float
        ``acme_control``, ``acme_treated``, ``ade_control``, ``ade_treated`` and ``total``,
        the means over the simulated units of their own counterfactual outcomes, each by
        a simulation of ``truth_size`` pairs of residuals; and ``rho``.
    """

    data: pd.DataFrame
    truth: dict[str, float]


#: Values of parameters that are not given.
TYPICAL = {
    "sigma": 1.0, "nu": 5.0, "shape": 2.0, "alpha": 3.0, "phi": 8.0, "cutpoints": (-0.5, 0.8),
}  # fmt: skip
TRIALS = 10.0


@dataclass(frozen=True)
class Truth:
    """A structural model with known paths, from which data and effects are simulated.

    Attributes
    ----------
    families : tuple of Family
    parameters : tuple of dict
        Of the mediator's and the outcome's family.
    intercepts : tuple of float
    rho, a, b, direct, interaction, covariate : float
    censored : float
        Share of outcomes, roughly, that a tobit limit or the end of follow-up hides.
    """

    families: tuple[Family, Family]
    parameters: tuple[dict[str, Any], dict[str, Any]]
    intercepts: tuple[float, float]
    rho: float
    a: float
    b: float
    direct: float
    interaction: float
    covariate: float
    censored: float

    def residuals(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of normal scores with correlation rho."""
        e_m, z = rng.standard_normal((2, size))
        return e_m, self.rho * e_m + np.sqrt(1.0 - self.rho**2) * z

    def mediator(self, t: Any, x: np.ndarray, e: np.ndarray) -> np.ndarray:
        """M(t) of units with covariate x and score e; ordered mediators are 1, 2, ..."""
        eta = self.intercepts[0] + self.a * t + self.covariate * x
        value = np.asarray(self.families[0].value(e, eta, self.parameters[0]))
        return value + 1.0 if self.families[0].kind == "ordered" else value

    def outcome(self, t: Any, m: np.ndarray, x: np.ndarray, e: np.ndarray) -> np.ndarray:
        """Y(t, m) of units with covariate x and score e; ordered outcomes are 1, 2, ..."""
        eta = self.intercepts[1] + self.b * m + self.direct * t + self.covariate * x
        eta = eta + self.interaction * t * m
        value = np.asarray(self.families[1].value(e, eta, self.parameters[1]))
        return value + 1.0 if self.families[1].kind == "ordered" else value

    def data(self, treat: np.ndarray, x: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
        """One data set for given treatments and covariates."""
        e_m, e_y = self.residuals(rng, len(x))
        m = self.mediator(treat, x, e_m)
        y = self.outcome(treat, m, x, e_y)
        frame = pd.DataFrame({"treat": treat, "x": x, "m": m, "y": y})
        family = self.families[1]
        if "trials" in family.needs:
            frame["trials"] = TRIALS
        if self.censored and "event" in family.takes:
            end = np.quantile(y, 1.0 - self.censored)
            frame["y"], frame["event"] = np.minimum(y, end), (y < end).astype(int)
        if "lower" in family.takes:
            frame["limit"] = np.quantile(y, max(self.censored, 0.1))
            frame["y"] = np.maximum(y, frame["limit"])
        return frame

    def effects(self, x: np.ndarray, rng: np.random.Generator, size: int) -> dict[str, float]:
        """Effects averaged over units with covariates x, by simulating their counterfactuals."""
        many = np.tile(x, -(-size // len(x)))
        e_m, e_y = self.residuals(rng, many.size)
        po = {
            (t, s): float(self.outcome(t, self.mediator(s, many, e_m), many, e_y).mean())
            for t in (0, 1)
            for s in (0, 1)
        }
        return {
            "acme_control": po[0, 1] - po[0, 0],
            "acme_treated": po[1, 1] - po[1, 0],
            "ade_control": po[1, 0] - po[0, 0],
            "ade_treated": po[1, 1] - po[0, 1],
            "total": po[1, 1] - po[0, 0],
            "rho": self.rho,
        }


def truth_of(
    mediator_family: str | Family,
    outcome_family: str | Family,
    *,
    rho: float = 0.0,
    a: float = 0.5,
    b: float = 0.5,
    direct: float = 0.3,
    interaction: float = 0.0,
    covariate: float = 0.4,
    intercepts: tuple[float, float] = (0.0, 0.0),
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    censored: float = 0.0,
) -> Truth:
    """Collect a structural model; see :func:`simulate`.

    Raises
    ------
    ValueError
        If rho lies outside (-1, 1), or a parameter has no value.
    """
    if not -1.0 < rho < 1.0:
        raise ValueError(f"rho must lie strictly between -1 and 1; {rho!r} was given.")
    families = (
        resolve_family(mediator_family, "mediator"),
        resolve_family(outcome_family, "outcome"),
    )
    given = parameters or {}
    own = tuple(
        _parameters(family, given.get(equation, {}), equation)
        for family, equation in zip(families, ("mediator", "outcome"), strict=True)
    )
    return Truth(
        families, (own[0], own[1]), intercepts, rho, a, b, direct, interaction, covariate, censored
    )


def _parameters(family: Family, given: Mapping[str, Any], equation: str) -> dict[str, Any]:
    known = {**TYPICAL, **given}
    missing = [name for name in family.parameters if name not in known]
    if missing:
        raise ValueError(
            f"The {family.name} family has the parameters {missing}: give parameters="
            f"{{{equation!r}: {{{missing[0]!r}: value}}}}."
        )
    found = {name: np.asarray(known[name], dtype=float) for name in family.parameters}
    if "trials" in family.needs:
        found["trials"] = np.asarray(TRIALS)
    return found


def simulate(
    n: int = 1000,
    *,
    mediator_family: str | Family = "gaussian",
    outcome_family: str | Family = "gaussian",
    random_seed: int | None = None,
    truth_size: int = 2_000_000,
    **paths: Any,
) -> Simulated:
    r"""Simulate a randomised treatment, a covariate, a mediator and an outcome.

    .. math::

        \eta_m = i_m + a\, t + c\, x, \qquad
        \eta_y = i_y + b\, m + c'\, t + h\, t m + c\, x

    with residual scores of correlation rho.

    Parameters
    ----------
    n : int
        Rows.
    mediator_family, outcome_family : str or Family
    random_seed : int, optional
    truth_size : int
        Pairs of residuals by which the truth is computed.
    **paths
        ``rho``: correlation of the residual scores, in (-1, 1); ``a``, ``b``, ``direct``,
        ``interaction``, ``covariate``: paths, on the scale of the linear predictors;
        ``intercepts``: of mediator and outcome; ``parameters``: ``{"mediator": {"sigma": 2.0},
        "outcome": {...}}``; ``censored``: the share of outcomes that is hidden, of families
        that may be censored.

    Returns
    -------
    Simulated
        Ordered responses are 1, 2, ...; ``trials`` (binomial), ``event`` (censored times) and
        ``limit`` (tobit) are further columns of the data.

    Raises
    ------
    ValueError
        If rho lies outside (-1, 1), or a parameter has no value.

    Examples
    --------
    >>> import bayesmed as bm
    >>> bm.simulate(100, rho=0.3, random_seed=1, truth_size=1000).data.columns.tolist()
    ['treat', 'x', 'm', 'y']
    """
    own = (*parameters_of(simulate), *parameters_of(truth_of))
    refuse_unknown(paths, own, "simulate()")
    truth = truth_of(mediator_family, outcome_family, **paths)
    rng = np.random.default_rng(random_seed)
    treat, x = rng.permutation(np.arange(n) % 2), rng.standard_normal(n)
    return Simulated(truth.data(treat, x, rng), truth.effects(x, rng, truth_size))
