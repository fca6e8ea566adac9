"""Benchmarks of rho that a user asked for."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayesmed.api.drawn import Drawn
from bayesmed.api.sensitivity import Sensitivity
from bayesmed.effects.numbers import Printed
from bayesmed.effects.setting import Setting
from bayesmed.effects.summary import readable_roots, shown_as, summarise_with_gaps
from bayesmed.families.names import names_nearest
from bayesmed.sensitivity.strength import (
    Strength,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Below this share of draws with such a confounder no figures are given.
_ENOUGH = 0.5


@names_nearest
@dataclass(frozen=True)
class Benchmarks(Drawn):
    """The rho that omitted confounders as strong as each covariate would produce.

    Attributes
    ----------
    draws : xarray.Dataset
        ``rho(covariate, chain, draw)``, NaN where no such confounder exists;
        ``r2_mediator`` and ``r2_outcome`` of the same dims, the shares of the two residual
        variances that it explains; ``strength_mediator``, ``strength_product`` and
        ``strength_outcome``, the covariate's own contributions a, b and c
        (:mod:`bayesmed.sensitivity.strength`); and ``r2_score(chain, draw)``.
    """

    @property
    def covariates(self) -> list[str]:
        """The covariates, in order."""
        return [str(name) for name in self.draws["covariate"].to_numpy()]

    def summary(
        self,
        ci_prob: float = 0.95,
        ci_kind: Literal["eti", "hdi"] = "eti",
        round_to: int | Literal["auto"] | None = "auto",
    ) -> pd.DataFrame:
        """Table of rho, one row a covariate.

        Parameters
        ----------
        ci_prob, ci_kind, round_to
            As :meth:`bayesmed.Effects.summary`.

        Returns
        -------
        pandas.DataFrame
            Of the draws in which such a confounder exists; ``not_admissible`` is the share of
            the others. Where they are the majority, ``median`` reads "not admissible" and the
            other figures are left out. ``R2_M`` and ``R2_Y`` are the medians of the shares of
            the residual variances that the confounder explains.
        """
        rho = self.draws["rho"]
        rows = {name: rho.sel(covariate=name, drop=True) for name in self.covariates}
        table = summarise_with_gaps(rows, ci_prob, ci_kind)
        table = shown_as(table, round_to)
        for label, name in (("R2_M", "r2_mediator"), ("R2_Y", "r2_outcome")):
            with np.errstate(invalid="ignore"):
                middle = self.draws[name].median(["chain", "draw"])
            table[label] = middle.to_numpy().round(3 if round_to == "auto" else 12)
        missing = np.isnan(rho.to_numpy()).mean(axis=(1, 2))
        table["not_admissible"] = missing
        table = table.astype({"median": object})
        few = missing > 1.0 - _ENOUGH
        table.loc[few, [c for c in table.columns if c not in ("median", "not_admissible")]] = np.nan
        table.loc[few, "median"] = "not admissible"
        table.index.name = "covariate"
        return table

    def strength(
        self,
        sensitivity: Sensitivity,
        arm: Literal["control", "treated", "average"] = "average",
        sign: Literal["same", "opposite"] = "same",
    ) -> xr.DataArray:
        r"""How many times as strong as each covariate a confounder must be to produce rho*.

        A confounder that is k times as strong as a covariate has the covariate's structural
        coefficients in both equations times :math:`\sqrt k`, and the residual variance of the
        covariate; so it explains k times the variance that the covariate explains. Solved for k,
        draw by draw.

        Parameters
        ----------
        sensitivity : Sensitivity
            Of the same fit.
        arm : str
            Whose ACME is to vanish.
        sign : {"same", "opposite"}
            Whether the confounder acts as the covariate does, or with the opposite sign on the
            outcome.

        Returns
        -------
        xarray.DataArray
            ``times(covariate, chain, draw)``: infinite where no strength is enough, because rho*
            lies on the other side of zero, the confounder would have to explain more than
            everything, or the ACME has no zero. All NaN where the grid cut off too many
            tipping points to say. Where the curve is not of one posterior, rho* is paired with the
            covariate's strength by its rank only.

        Raises
        ------
        ValueError
            If the sweep is of another fit, or there is no such arm or sign.
        """
        if sign not in ("same", "opposite"):
            raise ValueError(f"sign={sign!r}; choose 'same' or 'opposite'.")
        roots = self._roots(sensitivity, arm).to_numpy().ravel()
        rootless = np.isnan(roots) & ~np.isnan(roots).all()
        found = []
        for name in self.covariates:
            turn, kind = 1.0 if sign == "same" else -1.0, self._setting.kind
            k = self._strength_of(name).times_for(roots, turn, kind)
            found.append(np.where(rootless, np.inf, k))
        return xr.DataArray(
            np.reshape(found, self.draws["rho"].shape), self.draws["rho"].coords, name="times"
        )

    def _roots(self, sensitivity: Sensitivity, arm: str) -> xr.DataArray:
        """Draws of rho* of the same fit."""
        if arm not in sensitivity.rho_zero["arm"].to_numpy():
            known = sensitivity.rho_zero["arm"].to_numpy().tolist()
            raise ValueError(f"arm={arm!r}; choose one of {known}.")
        mine, theirs = self._setting.fit, sensitivity._setting.fit
        roots = readable_roots(sensitivity.rho_zero, arm).transpose("chain", "draw")
        if mine != theirs or roots.shape != self.draws["rho"].shape[1:]:
            raise ValueError(
                "The sensitivity analysis is not of the fit that the benchmarks are of, whose "
                "draws pair; make both from one fit."
            )
        return roots

    def _strength_of(self, covariate: str) -> Strength:
        own = self.draws.sel(covariate=covariate)
        names = ("strength_mediator", "strength_product", "strength_outcome", "r2_score")
        return Strength(*(own[name].to_numpy().ravel() for name in names))

    def strength_summary(
        self,
        sensitivity: Sensitivity,
        arm: Literal["control", "treated", "average"] = "average",
        sign: Literal["same", "opposite"] = "same",
        ci_prob: float = 0.95,
    ) -> pd.DataFrame:
        """Table of :meth:`strength`.

        Returns
        -------
        pandas.DataFrame
            Median and equal-tailed interval of k, infinite where that many draws allow none;
            ``P(<1)``, the probability that less than the covariate's own strength is enough;
            ``none``, the share of draws in which no strength is.
        """
        times = self.strength(sensitivity, arm, sign)
        # The reciprocal is finite where k is not; quantiles follow a monotone change.
        inverse = 1.0 / times.clip(min=1e-12)
        rows = {name: inverse.sel(covariate=name, drop=True) for name in self.covariates}
        table = summarise_with_gaps(rows, ci_prob, "eti")
        k, over = times.to_numpy(), (1, 2)
        low, high = (c for c in table.columns if c.endswith(("_low", "_high")))
        with np.errstate(divide="ignore"):
            shown = Printed(
                {
                    "median": 1.0 / table["median"],
                    low: 1.0 / table[high],
                    high: 1.0 / table[low],
                    "P(<1)": (k < 1.0).mean(axis=over),
                    "none": np.isinf(k).mean(axis=over),
                    "mcse": table["mcse"] / table["median"] ** 2,
                }
            )
        shown.index.name = "covariate"
        return shown

    def sentences(
        self,
        sensitivity: Sensitivity,
        arm: Literal["control", "treated", "average"] = "average",
        ci_prob: float = 0.95,
    ) -> list[str]:
        """How strong confounding would have to be, in words: one sentence a covariate.

        Parameters
        ----------
        sensitivity : Sensitivity
            Of the same fit.
        arm : str
            Whose ACME is to vanish.
        ci_prob : float
            Mass of the equal-tailed intervals.

        Returns
        -------
        list of str
            The first says what "k times as strong" means.

        Raises
        ------
        ValueError
            If the sweep is of another fit.
        """
        from bayesmed.show.benchmark_words import sentences

        tables = {
            sign: self.strength_summary(sensitivity, arm, sign, ci_prob)
            for sign in ("same", "opposite")
        }
        return sentences(tables, self._roots(sensitivity, arm), self._setting.kind, arm, ci_prob)

    def plot(
        self,
        ax: "Axes | None" = None,
        sensitivity: Sensitivity | None = None,
        **options: Any,
    ) -> "Axes":
        """Forest plot, with rho* where a sweep is given; see
        :func:`bayesmed.show.plots.plot_benchmarks`."""
        from bayesmed.show.plots import plot_benchmarks

        zero = None if sensitivity is None else sensitivity.rho_zero
        return plot_benchmarks(self.draws, zero, ax=ax, **options)

    def draw_on(self, ax: "Axes", **options: Any) -> "Axes":
        """Add them to a plot against rho; see :func:`bayesmed.show.plots.draw_benchmarks`."""
        from bayesmed.show.plots import draw_benchmarks

        return draw_benchmarks(self.draws, ax, **options)

    def __repr__(self) -> str:
        return f"{benchmark_headline(self._setting)}\n{self.summary().to_string()}"


def benchmark_headline(setting: Setting) -> str:
    """One line that says what a table of benchmarks is of."""
    strong = "as strong as" if setting.times == 1 else f"{setting.times:g} times as strong as"
    if setting.kind == "besides":
        what = f"that an omitted confounder {strong} the covariate would produce, besides it"
    else:
        what = (
            f"that leaving out a covariate {strong} this one would produce, were rho zero with it"
        )
    approximate = " (approximate)" if setting.approximate else ""
    return (
        f"Residual correlation rho of {setting.mediator} and {setting.outcome} {what}{approximate}."
    )
