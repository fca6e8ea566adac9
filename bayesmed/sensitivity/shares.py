r"""The residual correlation as shares of variance that an omitted confounder explains.

One omitted confounder U that enters both equations linearly gives (Imai, Keele & Yamamoto
2010, section 5), with the sign of rho that of the product of its two effects,

.. math::

    R^{2*}_M R^{2*}_Y &= \rho^2 \\
    \tilde R^2_M \tilde R^2_Y &= \rho^2 (1 - R^2_M) \frac{\sigma_y(\rho)^2}{V(Y)}
        = \frac{\rho^2}{1 - \omega\rho^2} (1 - R^2_M)(1 - R^2_{Y0}),

of the variances of the residuals (``"residual"``) and of the variables themselves
(``"total"``), each on its latent scale. omega is 1 for a continuous mediator (see ``latent``),
R^2_Y0 that of the outcome's regression at rho = 0. Several confounders: rho^2 is at most the
product of their joint shares.
"""

from typing import Any

import numpy as np
import xarray as xr

from bayesmed.effects.setting import Form, setting_of
from bayesmed.posterior.state import Posterior
from bayesmed.sensitivity.latent_scales import explained_shares, latent_scales
from bayesmed.system.capabilities import obstacle


def with_explained_shares(fit: Posterior, draws: xr.Dataset) -> xr.Dataset:
    """Add what the total form needs of the fit to the Dataset of a sweep.

    Returns
    -------
    xarray.Dataset
        With ``r2_mediator(chain, draw)``, R-squared of the mediator's equation;
        ``r2_outcome0(chain, draw)``, that of the outcome's regression at rho = 0; and
        ``r2_score(chain, draw)``, the share omega of the variance of the mediator's residual
        score that the mediator shows. Where an equation has no latent linear scale, without
        them, and with the reason in the attribute.
    """
    problem = obstacle("shares", fit)
    if problem is not None:
        setting = setting_of(draws).saying(no_r_squared=problem[1])
        return draws.assign_attrs(bayesmed=setting.to_json())
    scales = latent_scales(fit)
    mediator, outcome = explained_shares(fit, scales)
    named = {"r2_mediator": mediator, "r2_outcome0": outcome, "r2_score": scales.shown}
    dims = ("chain", "draw")
    kept = draws["draw"].to_numpy()  # a sweep may use some of the draws only
    return draws.assign({k: (dims, v.reshape(fit.shape)[:, kept]) for k, v in named.items()})


def product_of_rho(
    rho: Any,
    form: Form = "residual",
    unexplained: Any = 1.0,
    shown: Any = 1.0,
    r_compatible: bool = False,
) -> Any:
    r"""Product of the two shares of variance of one omitted confounder.

    Parameters
    ----------
    rho : float or array
        Residual correlation.
    form : {"residual", "total"}
        Shares of the residual variances, or of the variances.
    unexplained : float or array
        (1 - R^2_M)(1 - R^2_Y0); for the total form.
    shown : float or array
        omega, 1 for a continuous mediator.
    r_compatible : bool
        The number of R's ``medsens``, which leaves out the division by
        :math:`1 - \omega\rho^2`.

    Returns
    -------
    float or array
        :math:`\rho^2`, or :math:`\rho^2 (1 - R^2_M)(1 - R^2_{Y0}) / (1 - \omega\rho^2)`.

    References
    ----------
    Imai, K., Keele, L., & Yamamoto, T. (2010). Statistical Science, 25(1), 51-71, section 5.

    Examples
    --------
    >>> float(product_of_rho(0.5))
    0.25
    """
    _check_form(form)
    if form == "residual":
        return rho * rho
    return rho * rho * unexplained / (1.0 if r_compatible else 1.0 - shown * rho * rho)


def rho_of_product(
    product: Any,
    sign: int,
    form: Form = "residual",
    unexplained: Any = 1.0,
    shown: Any = 1.0,
    r_compatible: bool = False,
) -> Any:
    """The residual correlation of one omitted confounder; the inverse of :func:`product_of_rho`.

    Parameters
    ----------
    product : float or array
        Product of the two shares.
    sign : {1, -1}
        Sign of the product of the confounder's two effects.
    form, unexplained, shown, r_compatible
        As :func:`product_of_rho`.

    Returns
    -------
    float or array
        NaN where no confounder has that product.

    Examples
    --------
    >>> float(rho_of_product(0.25, sign=-1))
    -0.5
    """
    _check_form(form)
    if sign not in (1, -1):
        raise ValueError(f"sign={sign!r}; it must be 1 or -1.")
    if form == "residual":
        square = product
    elif r_compatible:
        square = product / unexplained
    else:
        square = product / (unexplained + shown * product)
    with np.errstate(invalid="ignore"):
        return sign * np.sqrt(np.where(square <= 1.0, square, np.nan))


def _check_form(form: str) -> None:
    if form not in ("residual", "total"):
        raise ValueError(f"form={form!r}; choose 'residual' or 'total'.")


def r_squared(
    draws: xr.Dataset, zero: xr.Dataset, form: Form, r_compatible: bool
) -> tuple[xr.Dataset, xr.Dataset]:
    """The sweep in terms of shares of variance; see :meth:`bayesmed.Sensitivity.r_squared`."""
    _check_form(form)
    setting = setting_of(draws)
    if "r2_mediator" not in draws:
        reason = setting.no_r_squared or "the sweep does not hold the shares that it explains"
        raise ValueError(
            f"Shares of variance have no meaning here: {reason}. Read rho itself instead."
        )
    shares = draws[["r2_mediator", "r2_outcome0", "r2_score"]]
    unexplained = (1.0 - shares["r2_mediator"]) * (1.0 - shares["r2_outcome0"])
    shown, at = shares["r2_score"], (form, unexplained, shares["r2_score"], r_compatible)
    product = product_of_rho(draws["rho"], *at) * xr.ones_like(shown)
    product_zero = product_of_rho(zero["rho_zero"], *at) * xr.ones_like(shown)
    found = draws[["acme", "how"]].assign(shares).assign(product=product.transpose("rho", ...))
    said = setting.saying(form=form, r_compatible=r_compatible).to_json()
    return (
        found.assign_attrs(bayesmed=said),
        zero.assign(product_zero=product_zero.transpose(*zero["rho_zero"].dims)).assign_attrs(
            bayesmed=said
        ),
    )
