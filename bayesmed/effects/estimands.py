r"""Causal estimands, each a pure function of counterfactual means.

The means come as one array with dims (..., arm, mediator_arm, chain, draw):
:math:`\mu(t, t') = E[g(Y(t, M(t')))]`, the column ``"fixed"`` of ``mediator_arm`` being
:math:`\mu(t, m) = E[g(Y(t, m))]` where a value m was asked for. g is the functional, the identity
unless stated. A contrast of one's own is such a function too.
"""

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr

Scale = Literal["difference", "ratio", "odds_ratio", "standardised"]
SCALES = get_args(Scale)
ARMS = ("control", "treated")
ARMS_AND_AVERAGE = (*ARMS, "average")
#: The column of ``mediator_arm`` in which the mediator is set to one value.
FIXED = "fixed"
#: Share of its parts below which a difference is rounding.
_ROUNDING = 1e-10
#: A contrast: from counterfactual means, (..., arm, mediator_arm, chain, draw), to draws.
Estimand = Callable[[xr.DataArray], xr.DataArray]


def cell(po: xr.DataArray, arm: str, mediator_arm: str) -> xr.DataArray:
    """One counterfactual mean, dims (..., chain, draw)."""
    return po.sel(arm=arm, mediator_arm=mediator_arm, drop=True)


def compare(
    a: xr.DataArray, b: xr.DataArray, scale: Scale = "difference", unit: float = 1.0
) -> xr.DataArray:
    r"""Hold two means against each other.

    Parameters
    ----------
    a, b : xarray.DataArray
    scale : {"difference", "ratio", "odds_ratio", "standardised"}
        :math:`a - b`, :math:`a / b`, :math:`\frac{a / (1 - a)}{b / (1 - b)}` or
        :math:`(a - b) / unit`.
    unit : float
        Standard deviations that standardise.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        if scale == "ratio":
            return a / b
        if scale == "odds_ratio":
            return a * (1.0 - b) / (b * (1.0 - a))
        return (a - b) / unit if scale == "standardised" else a - b


def null_value(scale: Scale) -> float:
    """The value of an effect that is none."""
    return 1.0 if scale in ("ratio", "odds_ratio") else 0.0


def acme(po: xr.DataArray, scale: Scale = "difference", unit: float = 1.0) -> xr.DataArray:
    r"""Average causal mediation effect: the mediator moves, the treatment stays.

    .. math:: ACME(t) = \mu(t, 1) - \mu(t, 0)

    In the control arm the pure, in the treated arm the total natural indirect effect.

    References
    ----------
    Imai, K., Keele, L., & Tingley, D. (2010). Psychological Methods, 15(4), 309-334, equation 2.
    """
    treated, control = (po.sel(mediator_arm=s, drop=True) for s in reversed(ARMS))
    return with_average(compare(treated, control, scale, unit), scale)


def ade(po: xr.DataArray, scale: Scale = "difference", unit: float = 1.0) -> xr.DataArray:
    r"""Average direct effect: the treatment moves, the mediator stays.

    .. math:: ADE(t) = \mu(1, t) - \mu(0, t)

    In the control arm the pure, in the treated arm the total natural direct effect.

    References
    ----------
    Imai, K., Keele, L., & Tingley, D. (2010). Psychological Methods, 15(4), 309-334, equation 4.
    """
    own = po.sel(mediator_arm=list(ARMS))
    treated, control = (own.sel(arm=t, drop=True) for t in reversed(ARMS))
    gap = compare(treated, control, scale, unit).rename(mediator_arm="arm")
    return with_average(gap, scale)


def total(po: xr.DataArray, scale: Scale = "difference", unit: float = 1.0) -> xr.DataArray:
    r"""Total effect, :math:`\mu(1, 1) - \mu(0, 0)`.

    It is ACME(treated) + ADE(control) as a difference, and their product as a ratio or odds
    ratio.
    """
    return compare(cell(po, "treated", "treated"), cell(po, "control", "control"), scale, unit)


def prop_mediated(po: xr.DataArray, scale: Scale = "difference") -> xr.DataArray:
    r"""Proportion mediated, draw by draw.

    .. math:: \frac{h(\mu(t, 1)) - h(\mu(t, 0))}{h(\mu(1, 1)) - h(\mu(0, 0))}

    with h the identity, or the odds under ``scale="odds_ratio"``. For ratios it is the share of
    the excess: with t treated :math:`ADE(0) (ACME(1) - 1) / (total - 1)`.

    References
    ----------
    VanderWeele, T. J., & Vansteelandt, S. (2010). Odds ratios for mediation analysis for a
    dichotomous outcome. American Journal of Epidemiology, 172(12), 1339-1348.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        own = po / (1.0 - po) if scale == "odds_ratio" else po
        return acme(own) / total(own)


def without_noise(gap: Any, *parts: Any, means: Any = 0.0) -> Any:
    """A difference, zero where rounding alone makes it: below 1e-10 of its parts.

    An effect near zero has the rounding of the means that it is a difference of, where those are
    given: a thousandth of that.
    """
    size = sum(abs(part) for part in parts) + 1e-3 * means
    return gap.where(~(abs(gap) <= _ROUNDING * size), 0.0)


def cde(po: xr.DataArray, scale: Scale = "difference", unit: float = 1.0) -> xr.DataArray:
    r"""Controlled direct effect, the mediator set to m in both arms.

    .. math:: CDE(m) = \mu(1, m) - \mu(0, m)

    References
    ----------
    Pearl, J. (2001). Direct and indirect effects. Proceedings of UAI, 411-420.
    """
    return compare(cell(po, "treated", FIXED), cell(po, "control", FIXED), scale, unit)


def reference_interaction(po: xr.DataArray) -> xr.DataArray:
    r"""INTref: :math:`ADE(0) - CDE(m)`, what the treatment adds by interaction at M(0).

    References
    ----------
    VanderWeele, T. J. (2014). A unification of mediation and interaction. Epidemiology, 25(5),
    749-761.
    """
    first, second = ade(po).sel(arm="control", drop=True), cde(po)
    return without_noise(first - second, first, second)


def mediated_interaction(po: xr.DataArray) -> xr.DataArray:
    r"""INTmed: :math:`ACME(1) - ACME(0) = \mu(1,1) - \mu(1,0) - \mu(0,1) + \mu(0,0)`.

    References
    ----------
    VanderWeele, T. J. (2014). Epidemiology, 25(5), 749-761.
    """
    first, second = (acme(po).sel(arm=arm, drop=True) for arm in reversed(ARMS))
    return without_noise(first - second, first, second)


def four_way(po: xr.DataArray, scale: Scale = "difference", unit: float = 1.0) -> xr.Dataset:
    r"""Four components that sum to the total effect, and their shares of it.

    .. math:: total = CDE(m) + INTref(m) + INTmed + PNIE

    Returns
    -------
    xarray.Dataset
        ``cde``, ``int_ref``, ``int_med``, ``pnie``, and ``share_`` of each. Differences of
        means; with ``scale="ratio"`` each is divided by :math:`\mu(0, 0)`, so that they sum to
        the excess relative risk; with "standardised" by the unit.

    References
    ----------
    VanderWeele, T. J. (2014). A unification of mediation and interaction. Epidemiology, 25(5),
    749-761, and its appendix for ratios.
    """
    parts = {
        "cde": cde(po),
        "int_ref": reference_interaction(po),
        "int_med": mediated_interaction(po),
        "pnie": acme(po).sel(arm="control", drop=True),
    }
    over = cell(po, "control", "control") if scale == "ratio" else unit
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = {f"share_{name}": part / total(po) for name, part in parts.items()}
    return xr.Dataset({**{name: part / over for name, part in parts.items()}, **shares})


def contrasts(po: xr.DataArray, scale: Scale = "difference", unit: float = 1.0) -> xr.Dataset:
    """Mediation effects as contrasts of counterfactual means.

    Parameters
    ----------
    po : xarray.DataArray
        Dims (..., arm, mediator_arm, chain, draw).
    scale : {"difference", "ratio", "odds_ratio", "standardised"}
        See :func:`compare`.
    unit : float
        See :func:`compare`.

    Returns
    -------
    xarray.Dataset
        ``acme(arm)``, ``ade(arm)``, ``total`` and ``prop_mediated(arm)``, with arm one of
        control, treated, average; ``cde`` and the other parts of :func:`four_way` where a value
        of the mediator was asked for.

    References
    ----------
    Imai, K., Keele, L., & Tingley, D. (2010). Psychological Methods, 15(4), 309-334,
    equations 2 to 5.
    """
    found = {
        "acme": acme(po, scale, unit),
        "ade": ade(po, scale, unit),
        "total": total(po, scale, unit),
        "prop_mediated": prop_mediated(po, scale),
    }
    if FIXED not in po["mediator_arm"].to_numpy():
        return xr.Dataset(found)
    found["cde"] = cde(po, scale, unit)
    if scale == "odds_ratio":  # its parts do not sum to anything
        return xr.Dataset(found)
    parts = four_way(po, scale, unit)
    if scale == "ratio":  # the ratio itself stands above; here its part of the excess
        parts = parts.rename(cde="excess_cde")
    return xr.Dataset({**found, **{n: parts[n] for n in parts if n not in found}})


def with_average(effect: xr.DataArray, scale: Scale = "difference") -> xr.DataArray:
    """Add the mean of the two arms: arithmetic, of ratios geometric."""
    if scale in ("ratio", "odds_ratio"):
        with np.errstate(divide="ignore", invalid="ignore"):
            average: xr.DataArray = np.exp(xr.DataArray(np.log(effect)).mean("arm"))  # type: ignore[assignment]
    else:
        average = effect.mean("arm")
    return xr.concat([effect, average.expand_dims(arm=["average"])], dim="arm").transpose(
        *effect.dims
    )
