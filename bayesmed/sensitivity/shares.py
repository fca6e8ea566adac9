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

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayesmed.effects.estimands import ARMS_AND_AVERAGE, null_value
from bayesmed.sensitivity.latent_scales import explained_shares, latent_problem, latent_scales
from bayesmed.families.names import names_nearest
from bayesmed.sensitivity.grid import Sensitivity, _summarise_with_gaps, select_effect
from bayesmed.effects.summary import readable_roots, shown_as, summarise

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bayesmed.sensitivity.benchmark import Benchmarks
    from bayesmed.api.fit import MediationFit

Form = Literal["residual", "total"]


def with_explained_shares(fit: "MediationFit", draws: xr.Dataset) -> xr.Dataset:
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
    problem = latent_problem(fit)
    if problem:
        about = {**json.loads(draws.attrs["bayesmed"]), "no_r_squared": problem}
        return draws.assign_attrs(bayesmed=json.dumps(about))
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

    Raises
    ------
    ValueError
        If there is no such form.

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

    Raises
    ------
    ValueError
        If there is no such form or sign.

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


@names_nearest
@dataclass(frozen=True)
class RSquared:
    """The effects along the product of two shares of variance.

    Attributes
    ----------
    draws : xarray.Dataset
        ``product(rho, chain, draw)``, the product of the two shares at each rho of the sweep,
        beside ``acme(rho, arm, chain, draw)``, ``how(rho)`` and the shares that the two
        equations explain themselves, ``r2_mediator``, ``r2_outcome0`` and ``r2_score``.
    zero : xarray.Dataset
        ``product_zero(arm, chain, draw)`` and ``rho_zero(arm, chain, draw)``: where the ACME
        is zero. Where the curve is not of one posterior, rho* is paired with the shares by
        its rank only.
    """

    draws: xr.Dataset
    zero: xr.Dataset

    @property
    def about(self) -> dict[str, Any]:
        """What a table says; ``form`` and ``r_compatible`` among it."""
        return dict(json.loads(self.draws.attrs["bayesmed"]))

    def summary(
        self,
        ci_prob: float = 0.95,
        ci_kind: Literal["eti", "hdi"] = "eti",
        arm: Literal["control", "treated", "average"] = "average",
        round_to: int | Literal["auto"] | None = "auto",
    ) -> pd.DataFrame:
        """Product of the shares and ACME along rho.

        Parameters
        ----------
        ci_prob, ci_kind, round_to
            As :meth:`bayesmed.Effects.summary`.
        arm : str
            Of the ACME.

        Returns
        -------
        pandas.DataFrame
            Indexed by rho: ``sign`` of the product of the confounder's two effects; ``R2``
            columns, the product; ``ACME`` columns. In the total form also ``R2_Y > 1``:
            whether the outcome's share passes 1 for no such confounder, for some
            ("possible") or for all ("always"), in most draws. Shares of the total variance
            can, where the confounder offsets what the equation explains.

        Raises
        ------
        ValueError
            If there is no such arm.
        """
        grid = self.draws["rho"].to_numpy()
        acme = select_effect(self.draws, "acme", arm)
        null = null_value(self.about.get("scale", "difference"))
        parts = []
        for name, values in (("R2", self.draws["product"]), ("ACME", acme)):
            rows = {f"{rho:.10g}": values.sel(rho=rho, drop=True) for rho in grid}
            table = summarise(rows, ci_prob, ci_kind, null)
            table = shown_as(table, round_to)
            kept = [c for c in table.columns if c == "median" or c.endswith(("_low", "_high"))]
            kept += [f"P(>{null:g})"] if name == "ACME" else []
            parts.append(table[kept].add_prefix(f"{name} "))
        table = pd.concat(parts, axis=1)
        table.index = pd.Index(grid, name="rho")
        table.insert(0, "sign", np.where(grid > 0, "+", np.where(grid < 0, "-", "")))
        if self.about["form"] == "total" and not self.about["r_compatible"]:
            table["R2_Y > 1"] = self._passes_one()
        return table

    def _passes_one(self) -> list[str]:
        """At each rho: whether the outcome's share of the total variance passes 1."""
        square = self.draws["rho"] ** 2
        most = (1.0 - self.draws["r2_outcome0"]) / (1.0 - self.draws["r2_score"] * square)
        # R2*_Y lies between rho^2, where the confounder is all of M's residual, and 1.
        possible, always = (
            ((part * most > 1.0).mean(["chain", "draw"]) > 0.5).to_numpy() for part in (1.0, square)
        )
        return ["always" if a else "possible" if p else "no"
                for p, a in zip(possible, always, strict=True)]  # fmt: skip

    def tipping_summary(
        self,
        ci_prob: float = 0.95,
        ci_kind: Literal["eti", "hdi"] = "eti",
        round_to: int | Literal["auto"] | None = "auto",
    ) -> pd.DataFrame:
        """Product of the shares at which the ACME is zero, of each arm.

        Returns
        -------
        pandas.DataFrame
            As :meth:`bayesmed.Sensitivity.tipping_summary`; ``P(rho*>0)`` says which sign the
            product of the confounder's two effects must have.
        """
        rows, signs, missing = {}, [], []
        for arm in ARMS_AND_AVERAGE:
            roots = readable_roots(self.zero, arm)
            product = self.zero["product_zero"].sel(arm=arm, drop=True)
            rows[f"R2 product at rho* of ACME ({arm})"] = product.where(np.isfinite(roots))
            found = roots.to_numpy()[np.isfinite(roots)]
            signs.append(float((found > 0).mean()) if found.size else float("nan"))
            missing.append(float((self.zero["roots"].sel(arm=arm) == 0).mean()))
        table = _summarise_with_gaps(rows, ci_prob, ci_kind)
        table = shown_as(table, round_to)
        table = table.drop(columns="P(>0)")
        table["P(rho*>0)"], table["no_root"] = signs, missing
        return table

    def plot(
        self, ax: "Axes | None" = None, benchmarks: "Benchmarks | None" = None, **options: Any
    ) -> "Axes":
        """Contours of the ACME over the two shares; see :func:`bayesmed.show.plots.contour.plot_contour`."""
        from bayesmed.show.plots.contour import plot_contour

        points = None if benchmarks is None else benchmarks.draws
        return plot_contour(self.draws, self.zero, ax=ax, benchmarks=points, **options)

    def __repr__(self) -> str:
        return "\n".join(
            [_headline(self.about), self.summary().to_string(), self.tipping_summary().to_string()]
        )


def r_squared(sensitivity: Sensitivity, form: Form, r_compatible: bool) -> RSquared:
    """The sweep in terms of shares of variance; see :meth:`bayesmed.Sensitivity.r_squared`."""
    _check_form(form)
    about, draws, zero = sensitivity.about, sensitivity.draws, sensitivity.rho_zero
    if "r2_mediator" not in draws:
        reason = about.get("no_r_squared", "the sweep does not hold the shares that it explains")
        raise ValueError(
            f"Shares of variance have no meaning here: {reason}. Read rho itself instead."
        )
    shares = draws[["r2_mediator", "r2_outcome0", "r2_score"]]
    unexplained = (1.0 - shares["r2_mediator"]) * (1.0 - shares["r2_outcome0"])
    shown, at = shares["r2_score"], (form, unexplained, shares["r2_score"], r_compatible)
    product = product_of_rho(draws["rho"], *at) * xr.ones_like(shown)
    product_zero = product_of_rho(zero["rho_zero"], *at) * xr.ones_like(shown)
    found = draws[["acme", "how"]].assign(shares).assign(product=product.transpose("rho", ...))
    said = json.dumps({**about, "form": form, "r_compatible": r_compatible})
    return RSquared(
        found.assign_attrs(bayesmed=said),
        zero.assign(product_zero=product_zero.transpose(*zero["rho_zero"].dims)).assign_attrs(
            bayesmed=said
        ),
    )


def _headline(about: dict[str, Any]) -> str:
    what = {"residual": "residual variances", "total": "variances"}[about["form"]]
    note = ", as R's medsens has it (without 1/(1 - rho^2))" if about["r_compatible"] else ""
    return (
        f"ACME of {about['contrast']} on {about['outcome']} through {about['mediator']} against "
        f"the product of the shares of the {what} of {about['mediator']} and {about['outcome']} "
        f"that an omitted confounder would explain{note}."
    )
