"""The curve along shares of variance that a user asked for."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayesmed.api.drawn import Drawn
from bayesmed.effects.estimands import ARMS_AND_AVERAGE
from bayesmed.effects.rows import select_effect
from bayesmed.effects.setting import Setting
from bayesmed.effects.summary import readable_roots, shown_as, summarise, summarise_with_gaps
from bayesmed.families.names import names_nearest

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@names_nearest
@dataclass(frozen=True)
class RSquared(Drawn):
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

    zero: xr.Dataset

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
        null = self._setting.null
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
        if self._setting.form == "total" and not self._setting.r_compatible:
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
        table = summarise_with_gaps(rows, ci_prob, ci_kind)
        table = shown_as(table, round_to)
        table = table.drop(columns="P(>0)")
        table["P(rho*>0)"], table["no_root"] = signs, missing
        return table

    def plot(
        self, ax: "Axes | None" = None, benchmarks: Drawn | None = None, **options: Any
    ) -> "Axes":
        """Contours of the ACME over the two shares; see :func:`bayesmed.show.plots.plot_contour`."""
        from bayesmed.show.plots import plot_contour

        points = None if benchmarks is None else benchmarks.draws
        return plot_contour(self.draws, self.zero, ax=ax, benchmarks=points, **options)

    def __repr__(self) -> str:
        return "\n".join(
            [
                _headline(self._setting),
                self.summary().to_string(),
                self.tipping_summary().to_string(),
            ]
        )


def _headline(setting: Setting) -> str:
    what = {"residual": "residual variances", "total": "variances"}[setting.form]
    note = ", as R's medsens has it (without 1/(1 - rho^2))" if setting.r_compatible else ""
    return (
        f"ACME of {setting.contrast} on {setting.outcome} through {setting.mediator} against "
        f"the product of the shares of the {what} of {setting.mediator} and {setting.outcome} "
        f"that an omitted confounder would explain{note}."
    )
