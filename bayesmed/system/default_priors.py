"""Default priors, taken from the scale of the data, and what a user states in their place."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bayesmed.data.centring import constant_in
from bayesmed.data.design import Design
from bayesmed.data.formula import INTERCEPT
from bayesmed.data.response import Response
from bayesmed.families.family import Family
from bayesmed.families.listing import few
from bayesmed.families.names import nearest
from bayesmed.families.prior import Prior
from bayesmed.system.equation import Equation


def working_scale(
    family: Family, y: np.ndarray, offset: np.ndarray | None, seen: float = 1.0
) -> tuple[float, float]:
    """Centre and spread of the response on the scale of the linear predictor.

    Zero and one where that scale is fixed (probit, logit).
    """
    if family.working is None:
        return 0.0, 1.0
    working = working_values(family, y, offset, seen)
    return float(working.mean()), float(working.std())


def scale_of(family: Family, response: "Response") -> tuple[float, float]:
    """:func:`working_scale` of a response, as stated where its values are not all rows'."""
    if response.scale is not None:
        return response.scale
    return working_scale(family, response.values, response.offset)


def working_values(
    family: Family, y: np.ndarray, offset: np.ndarray | None, seen: float = 1.0
) -> np.ndarray:
    """The response on the scale of the linear predictor, without its offset.

    Where values are censored, ``seen`` being the share that is not, those at hand are less
    spread than the true ones: their deviations are divided by its square root. Logarithms of
    counts are centred at that of the mean rate and have a spread of one at least, since many
    zeros show neither.
    """
    assert family.working is not None
    working = np.asarray(family.working(y), dtype=float)
    working = working if offset is None else working - offset
    centre, deviation = working.mean(), (working - working.mean()) / np.sqrt(seen)
    if family.kind == "count" and family.link == "log":
        rate = y.mean() if offset is None else y.sum() / np.exp(offset).sum()
        spread = float(deviation.std())
        centre, wanted = count_scale(float(rate), spread, len(y))
        if spread > 0.0:
            deviation = deviation * (wanted / spread)
    return centre + deviation


def count_scale(rate: float, spread: float, n: int) -> tuple[float, float]:
    """Centre and spread of the logarithms of counts with a mean rate."""
    return float(np.log(max(rate, 0.5 / n))), max(spread, 1.0) if spread > 0.0 else spread


def default_priors(
    design: Design,
    family: Family,
    y: np.ndarray,
    offset: np.ndarray | None = None,
    without: tuple[str, ...] = (),
    seen: float = 1.0,
    stated: tuple[float, float] | None = None,
) -> dict[str, Prior]:
    r"""Weakly informative priors on the scale of the data.

    With w the response on the scale of the linear predictor (its logarithm for log links), S
    the standard deviation of w, :math:`s_j` that of column j of the design with its columns
    centred before products (:func:`bayesmed.data.centring.centred_basis`), whose coefficients these
    priors speak of; for counts :math:`\bar w` is the
    logarithm of the mean rate and S at least one; where values are censored, S is divided by
    the square root of the share that is not:

    - coefficients: :math:`Normal(0, 2.5 S / s_j)`;
    - the intercept *at the means of the columns*: :math:`Normal(\bar w, 2.5 S)`;
    - on a probit or logit scale, c in place of 2.5 S (1.5 or 2.5), and mean zero;
    - cutpoints of ordered families, *at the means of the columns*: increasing, each
      :math:`Normal(0, 2)` (probit) or :math:`Normal(0, 3.5)` (logit) before they are put in
      order;
    - sigma: :math:`Exponential` with mean S; degrees of freedom: :math:`Normal(2, 30)` above
      2; shapes, alpha and phi: :math:`LogNormal(1, 1.5)`.

    Without an intercept in the formula, root mean squares replace standard deviations of the
    columns; where the columns hold no constant either, of w too, and else the means of the priors
    are those that give :math:`\bar w` in all rows.

    Parameters
    ----------
    y : numpy.ndarray
        Response, shape (obs,).
    without : tuple of str
        Parameters that have a regression of their own.
    seen : float
        Share of the values that are not censored.
    stated : tuple of float, optional
        Mean of w and S, where ``y`` holds some of the rows only.

    Returns
    -------
    dict
        A prior for each column of the design and each parameter of the family.
    """
    location, scale = stated or working_scale(family, y, offset, seen)
    spread, middle = _widths(design, location, bool(family.vectors))
    if middle is None and family.working is not None:
        scale = float(np.sqrt((working_values(family, y, offset, seen) ** 2).mean()))
    multiple = family.coefficient_scale or 2.5
    centre = np.zeros(len(spread)) if middle is None else middle
    priors = {
        term: Prior("Normal", mu=float(mu), sigma=multiple * scale / float(width))
        for term, mu, width in zip(design.terms, centre, spread, strict=True)
        if term != INTERCEPT
    }
    if INTERCEPT in design.terms:
        priors[INTERCEPT] = Prior("Normal", mu=location, sigma=multiple * scale)
    working = np.array([0.0, 1.0])
    if family.working is not None:
        working = working_values(family, y, offset, seen)
    for name, default in family.parameters.items():
        if name not in without:
            priors[name] = default(working)
    ordered = [*design.terms, *(name for name in family.parameters if name not in without)]
    return {name: priors[name] for name in ordered}


def default_scale_priors(
    design: Design, family: Family, y: np.ndarray, offset: np.ndarray | None, seen: float = 1.0
) -> dict[str, Prior]:
    r"""Priors of a regression of :math:`\log\sigma`.

    The intercept at the means of the columns is :math:`Normal(\log S, 1)`, coefficients
    are :math:`Normal(0, 1 / s_j)`. Without an intercept their means are those that give
    :math:`\log S` in all rows, as nearly as the columns can, and root mean squares replace
    standard deviations.
    """
    level = float(np.log(working_scale(family, y, offset, seen)[1]))
    width, middle = _widths(design, level, False)
    if middle is None:
        middle = np.linalg.lstsq(design.matrix, np.full(len(y), level))[0]
    return {
        term: Prior("Normal", mu=level, sigma=1.0)
        if term == INTERCEPT
        else Prior("Normal", mu=float(mu), sigma=1.0 / float(own))
        for term, own, mu in zip(design.terms, width, middle, strict=True)
    }


def _widths(design: Design, level: float, cutpoints: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """Spread of the columns that the priors speak of, and means that give a level in all rows.

    Means are zero where there is an intercept or cutpoints, None where no columns hold a constant.
    """
    columns = design.matrix @ np.linalg.inv(design.basis)
    if INTERCEPT in design.terms or cutpoints:
        return columns.std(axis=0), np.zeros(len(design.terms))
    constant = constant_in(design)
    middle = None if constant is None else level * (design.basis @ constant)
    return np.sqrt((columns**2).mean(axis=0)), middle


def merge_priors(
    defaults: dict[str, Prior], given: Mapping[str, Prior], equation: str, family: Family
) -> dict[str, Prior]:
    """Replace defaults by what the user stated."""
    for name, prior in given.items():
        if name not in defaults and name in family.parameters:
            raise ValueError(
                f"priors[{equation!r}] names {name!r}, which has a regression of its own: its priors "
                f"stand under priors['{equation}_{name}']."
            )
        if name not in defaults:
            raise ValueError(
                f"priors[{equation!r}] names {name!r}, which the {equation} equation does not "
                f"have; it has {few(defaults)}.{nearest(name, defaults)}"
            )
        if not isinstance(prior, Prior):
            raise TypeError(
                f"priors[{equation!r}][{name!r}] must be a bm.Prior, for example "
                f'bm.Prior("Normal", mu=0, sigma=1); {prior!r} was given.'
            )
        if name in family.vectors and np.isfinite(prior.bounds).any():
            raise ValueError(
                f"priors[{equation!r}][{name!r}]: {prior!r} is bounded, but cutpoints can be any increasing "
                "numbers; use an unbounded prior such as Normal or StudentT."
            )
        lowest = family.lower.get(name, 0.0)
        bounded = name in family.parameters and name not in family.vectors
        if bounded and prior.bounds[0] < lowest:
            raise ValueError(
                f"priors[{equation!r}][{name!r}]: {prior!r} reaches below {_shown(lowest)}, but {name} "
                f"{_must(lowest)}; use a prior such as {_example(lowest)}."
            )
    return {**defaults, **given}


def _shown(lowest: float) -> str:
    return "zero" if lowest == 0.0 else f"{lowest:g}"


def _must(lowest: float) -> str:
    return "is positive" if lowest == 0.0 else f"lies above {lowest:g}"


def _example(lowest: float) -> str:
    if lowest == 0.0:
        return "HalfNormal, Exponential or Gamma"
    return f'Prior("TruncatedNormal", mu={lowest:g}, sigma=30, lower={lowest:g})'


def with_priors(
    equations: Mapping[str, Equation], stated: Mapping[str, Mapping[str, Prior]] | None
) -> dict[str, Equation]:
    """Equations with every prior, as its user stated it or by default, and what it speaks of.

    Parameters
    ----------
    stated : mapping, optional
        By equation, and by ``mediator_sigma`` and ``outcome_sigma`` where sigma has a regression.
    """
    scales = [name for one in equations.values() for name in one.designs if name != one.key]
    given = _stated(stated, (*equations, *scales))
    return {
        key: replace(one, priors=_priors(one, given), basis=_basis(one, given))
        for key, one in equations.items()
    }


def _priors(
    equation: Equation, given: Mapping[str, Mapping[str, Prior]]
) -> dict[str, dict[str, Prior]]:
    family, response = equation.family, equation.response
    _refuse_clash(equation)
    about = (family, response.values, response.offset)
    without = () if equation.sigma is None else ("sigma",)
    merged = {}
    for name, design in equation.designs.items():
        if name == equation.key:
            own = default_priors(design, *about, without, response.seen, response.scale)
        else:
            own = default_scale_priors(design, *about, response.seen)
        merged[name] = merge_priors(own, given.get(name, {}), name, family)
    return merged


def _basis(equation: Equation, given: Mapping[str, Mapping[str, Prior]]) -> dict[str, np.ndarray]:
    found = {}
    for name, design in equation.designs.items():
        stated = given.get(name, {})
        own = [j for j, t in enumerate(design.terms) if t in stated and t != INTERCEPT]
        found[name] = design.basis.copy()
        found[name][own] = np.eye(len(design.terms))[own]
    return found


def centred_terms(equation: Equation) -> dict[str, tuple[str, ...]]:
    """The columns of its designs whose default prior is not about their coefficient as written."""
    found = {}
    for name, design in equation.designs.items():
        others = equation.basis[name] - np.eye(len(design.terms))
        moved = np.abs(others).max(axis=1) > 0.0
        found[name] = tuple(
            term for term, own in zip(design.terms, moved, strict=True) if own and term != INTERCEPT
        )
    return found


def _stated(priors: Any, names: tuple[str, ...]) -> dict[str, Mapping[str, Prior]]:
    if not isinstance(priors or {}, Mapping):
        raise TypeError(
            f"priors must be a mapping {{'mediator': {{...}}, 'outcome': {{...}}}}; {priors!r} was given."
        )
    given = dict(priors or {})
    for name, own in given.items():
        if not isinstance(own, Mapping):
            kind = TypeError if name in names else ValueError
            raise kind(
                f"priors[{name!r}] must map names of coefficients to priors (the equations are "
                "'mediator' and 'outcome'; the prior of rho is the argument rho); "
                f"{own!r} was given."
            )
    unknown = [name for name in given if name not in names]
    if unknown:
        raise ValueError(
            f"priors has the keys {list(given)}; its keys are {list(names)} (the prior of rho is the "
            "argument rho, and a regression of sigma is asked for by mediator_sigma= or "
            f"outcome_sigma=).{nearest(unknown[0], names)}"
        )
    return given


def _refuse_clash(equation: Equation) -> None:
    terms, family = equation.design.terms, equation.family
    twice = {term for term in terms if terms.count(term) > 1}
    clash = (set(terms) & set(family.parameters)) | twice
    if clash:
        raise ValueError(
            f"The {equation.key} equation has a column named like another or like a parameter of the "
            f"{family.name} family: {sorted(clash)}; rename the column."
        )
