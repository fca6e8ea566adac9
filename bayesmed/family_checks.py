"""Checks that the pieces of a user's own family agree with each other."""

import warnings
from collections.abc import Mapping

import numpy as np
from scipy import special as sp

from bayesmed.families import FAMILIES
from bayesmed.family import Family

_SCORES = np.array([-2.1, -0.9, -0.2, 0.4, 1.3, 2.3])
_ETA = np.array([-0.3, 0.2, 0.7])
_AGREE = 1e-5
_CHECKED: set[int] = set()


def check_family(family: Family) -> None:
    """Check a family that is not one of the package's own, once.

    Its pieces are evaluated at a few scores, linear predictors and parameter values drawn
    from their default priors: ``score`` and ``value`` must invert each other, the density must
    be the derivative of Phi(score) (for whole numbers, its differences), and values must lie
    in the support.

    Raises
    ------
    ValueError
        Saying which pieces disagree, and where.
    """
    if any(family is known for known in FAMILIES.values()) or id(family) in _CHECKED:
        return
    parameters = _example_parameters(family)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            _check(family, parameters)
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(
            f"Family({family.name!r}) cannot be evaluated at parameters {_shown(parameters)} "
            f"({type(error).__name__}: {error})."
        ) from error
    _CHECKED.add(id(family))


def _example_parameters(family: Family) -> dict[str, np.ndarray]:
    import pymc as pm

    response = np.array([0.0, 0.5, 1.0, 2.0])
    found = {}
    for name, default in family.parameters.items():
        drawn = pm.draw(default(response).dist(), draws=101, random_seed=1)
        found[name] = np.asarray(np.median(drawn))
    if family.kind == "ordered":
        found["cutpoints"] = np.array([-0.8, 0.1, 1.2])
        found["scores"] = np.arange(1.0, 5.0)
    if "trials" in family.needs:
        found["trials"] = np.asarray(12.0)
    return found


def _check(family: Family, parameters: Mapping[str, np.ndarray]) -> None:
    eta, e = np.meshgrid(_ETA, _SCORES)
    y = np.asarray(family.value(e, eta, parameters), dtype=float)
    if not np.isfinite(y).all() or not np.asarray(family.valid(y)).all():
        _fail(family, parameters, "value gives numbers outside the support that valid describes")
    if family.discrete:
        _check_discrete(family, parameters, y, e, eta)
        return
    back = np.asarray(family.score(y, eta, parameters))
    worst = np.abs(back - e).max()
    if not worst < _AGREE:
        _fail(
            family, parameters,
            f"score(value(e)) should return e, but differs from it by up to {worst:.2g}",
        )  # fmt: skip
    step = 1e-5 * np.maximum(np.abs(y), 1e-3)
    ends = [sp.ndtr(np.asarray(family.score(y + s * step, eta, parameters))) for s in (1, -1)]
    slope = (ends[0] - ends[1]) / (2.0 * step)
    assert family.log_density is not None
    density = np.exp(np.asarray(family.log_density(y, eta, parameters)))
    worst = np.abs(density / slope - 1.0).max()
    if not worst < 1e-3:
        _fail(
            family, parameters,
            "log_density should be the logarithm of the derivative of Phi(score(y)), but their ratio "
            f"differs from one by up to {worst:.2g}",
        )  # fmt: skip


def _check_discrete(
    family: Family,
    parameters: Mapping[str, np.ndarray],
    y: np.ndarray,
    e: np.ndarray,
    eta: np.ndarray,
) -> None:
    def at(values: np.ndarray) -> np.ndarray:
        one = [np.asarray(family.score(v, w, parameters)) for v, w in zip(values.flat, eta.flat, strict=True)]
        return np.array(one, dtype=float).reshape(eta.shape)

    lower, upper = at(y - 1.0), at(y)
    if not ((lower < e) & (e <= upper)).all():
        _fail(family, parameters, "value(e) should be the y with score(y - 1) < e <= score(y)")
    if family.log_density is None:
        return
    mass = np.exp(np.asarray(family.log_density(y, eta, parameters)))
    worst = np.abs(mass - (sp.ndtr(upper) - sp.ndtr(lower))).max()
    if not worst < _AGREE:
        _fail(
            family, parameters,
            "exp(log_density(y)) should be Phi(score(y)) - Phi(score(y - 1)), but differs by up to "
            f"{worst:.2g}",
        )  # fmt: skip


def _fail(family: Family, parameters: Mapping[str, np.ndarray], what: str) -> None:
    raise ValueError(
        f"The pieces of Family({family.name!r}) disagree: {what} (checked at parameters "
        f"{_shown(parameters)}, eta from {_ETA[0]} to {_ETA[-1]})."
    )


def _shown(parameters: Mapping[str, np.ndarray]) -> dict[str, object]:
    return {name: np.round(value, 4).tolist() for name, value in parameters.items()}
