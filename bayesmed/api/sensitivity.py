"""The effects along rho that a user asked for."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayesmed.api.drawn import Drawn
from bayesmed.api.effects import Effects
from bayesmed.api.rsquared import RSquared
from bayesmed.effects.estimands import ARMS_AND_AVERAGE
from bayesmed.effects.rows import curve_summary
from bayesmed.effects.setting import Form
from bayesmed.effects.summary import (
    choose,
    readable_roots,
    shown_as,
    summarise_with_gaps,
)
from bayesmed.families.names import names_nearest, parameters_of, refuse_unknown
from bayesmed.sensitivity.claims import Claim, Direction, Rope
from bayesmed.sensitivity.conclusions import (
    Extent,
    Within,
    conclusions_table,
    extent,
    likelier_sign,
    probability_curve,
    probability_within,
)
from bayesmed.sensitivity.grid import EXACT, FITTED, TRANSPORT, identification_note
from bayesmed.sensitivity.shares import r_squared

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@names_nearest
@dataclass(frozen=True)
class Sensitivity(Drawn):
    """The posterior of every effect along rho.

    Attributes
    ----------
    draws : xarray.Dataset
        As :attr:`bayesmed.Effects.draws` with a leading dimension ``rho``; also
        ``pareto_k(rho)``, NaN where no weights were used, and ``how(rho)``: "exact map",
        "reweighted map", "transport", "refit" or "fitted".
    rho_zero : xarray.Dataset
        ``rho_zero(arm, chain, draw)``, the rho at which the ACME is zero, NaN where it has
        no root, the nearest to zero where it has several; ``roots`` counts them. The
        attribute ``searched`` says where: in (-1, 1) where one posterior serves the whole
        curve (closed pairs with priors on the regression, without functions of the
        mediator), on the grid elsewhere. Draws of different posteriors are paired by rank,
        so that P(rho* <= r) = P(ACME(r) / a <= 0), a the effect on the mediator, for a
        monotone curve.
    po : xarray.DataArray or None
        The counterfactual means, dims (rho, ..., arm, mediator_arm, chain, draw).
    """

    rho_zero: xr.Dataset
    po: xr.DataArray | None = None

    def where(self, **labels: Any) -> "Sensitivity":
        """The same for one label of a further dimension, such as ``by="female"``.

        Raises
        ------
        ValueError
            If there is no such dimension or label.
        """
        draws, rho_zero = choose(self.draws, labels), choose(self.rho_zero, labels)
        return Sensitivity(draws, rho_zero, None if self.po is None else choose(self.po, labels))

    def at(self, rho: float) -> Effects:
        """Effects at one value of the grid.

        Raises
        ------
        ValueError
            If the value is not on the grid.
        """
        grid = self.draws["rho"].to_numpy()
        number = isinstance(rho, (int, float, np.number))
        found = np.flatnonzero(np.isclose(grid, rho, atol=1e-9)) if number else np.empty(0)
        if not found.size:
            raise ValueError(
                f"rho={rho!r} is not on the grid {np.round(grid, 4).tolist()}; put it there with "
                f"fit.sensitivity(rho=[..., {rho!r}]), or in a closed pair ask fit.effects(rho={rho!r})."
            )
        chosen = self.draws.drop_vars(["pareto_k", "how"]).isel(rho=int(found[0]), drop=True)
        po = None if self.po is None else self.po.isel(rho=int(found[0]), drop=True)
        setting = self._setting.saying(rho=f"set to {grid[found[0]]:g}")
        how = str(self.draws["how"].to_numpy()[found[0]])
        if how not in (EXACT, FITTED):  # these draws pair with no others
            setting = setting.saying(fit=f"{setting.fit} at rho {grid[found[0]]:g}")
        if how == TRANSPORT:
            setting = setting.saying(carried=float(self.draws["pareto_k"].to_numpy()[found[0]]))
        chosen.attrs["bayesmed"] = setting.to_json()
        return Effects(chosen, po=po)

    def summary(
        self,
        ci_prob: float = 0.95,
        ci_kind: Literal["eti", "hdi"] = "eti",
        effect: Literal["acme", "ade", "total"] = "acme",
        arm: Literal["control", "treated", "average"] = "average",
        round_to: int | Literal["auto"] | None = "auto",
        rope: tuple[float, float] | None = None,
        direction: bool = False,
    ) -> pd.DataFrame:
        """Table of one effect along rho.

        Parameters
        ----------
        ci_prob, ci_kind, round_to, rope, direction
            As :meth:`bayesmed.Effects.summary`.
        effect, arm : str
            Which effect; the total has no arm.

        Returns
        -------
        pandas.DataFrame
            Indexed by rho, after the levels of groups and contrasts where there are several; with
            ``how`` each value was obtained.

        Raises
        ------
        ValueError
            If there is no such effect or arm.
        """
        if self._further:
            return self._of_all(
                lambda one: one.summary(ci_prob, ci_kind, effect, arm, round_to, rope, direction)
            )
        table = curve_summary(self.draws, effect, arm, ci_prob, ci_kind, rope, direction)
        table = shown_as(table, round_to)
        table["how"] = self.draws["how"].to_numpy()
        if np.isfinite(self.draws["pareto_k"]).any():
            table["pareto_k"] = self.draws["pareto_k"].to_numpy()
        return table

    def table(
        self,
        effect: Literal["acme", "ade", "total"] = "acme",
        arm: Literal["control", "treated", "average"] = "average",
        every: float = 0.1,
        ci_prob: float = 0.95,
        ci_kind: Literal["eti", "hdi"] = "eti",
        style: Literal["html", "latex", "markdown", "frame"] = "html",
        title: str | None = None,
    ) -> Any:
        """One effect at some values of rho, as a paper shows it.

        Parameters
        ----------
        effect, arm : str
            Which effect; the total has no arm.
        every : float
            Multiples of it among the curve's values of rho are shown.
        ci_prob, ci_kind, style, title
            As in :meth:`bayesmed.Effects.table`.

        Returns
        -------
        great_tables.GT, str or pandas.DataFrame

        Raises
        ------
        ValueError
            If no rho is a multiple of ``every``, or there is no such effect, arm or style.
        """
        from bayesmed.show.tables import curve_table

        note = identification_note(self._setting)
        return curve_table(self.draws, effect, arm, every, ci_prob, ci_kind, style, title, note)

    def to_frame(self) -> pd.DataFrame:
        """Draws in tidy form: columns effect, arm, rho, chain, draw, value."""
        from bayesmed.show.frames import long_frame

        return long_frame(self.draws)

    def _repr_html_(self) -> str:
        from html import escape

        note = escape(identification_note(self._setting))
        tipping = self.tipping_summary()
        curve = "" if self._further else self.summary().to_html()
        title = escape(self._setting.saying(rho="as given by the rows").headline)
        return f"<p>{title}</p><p>{note}</p>{tipping.to_html()}{curve}"

    def tipping_point(self) -> xr.Dataset:
        """The posterior of rho*, where the ACME is zero: ``rho_zero(arm, chain, draw)``."""
        return self.rho_zero

    def tipping_summary(
        self,
        ci_prob: float = 0.95,
        ci_kind: Literal["eti", "hdi"] = "eti",
        round_to: int | Literal["auto"] | None = "auto",
    ) -> pd.DataFrame:
        """Table of rho* per arm, of the draws that have a root.

        Returns
        -------
        pandas.DataFrame
            With ``no_root``, the share of draws whose ACME has no zero (in (-1, 1), or on
            the grid; see :attr:`rho_zero`), and ``several``, the share with more than one.
            Where more than 2.5% of the draws have their root beyond the grid, the median and
            interval are left out: they would be those of the grid; widen ``rho=``.

        Examples
        --------
        >>> float(fit.sensitivity().tipping_summary().loc["rho* of ACME (average)", "no_root"])
        0.0
        """
        if self._further:
            return self._of_all(lambda one: one.tipping_summary(ci_prob, ci_kind, round_to))
        rows, shares = {}, []
        for arm in ARMS_AND_AVERAGE:
            values = readable_roots(self.rho_zero, arm)
            roots = self.rho_zero["roots"].sel(arm=arm).to_numpy()
            shares.append((float((roots == 0).mean()), float((roots > 1).mean())))
            rows[f"rho* of ACME ({arm})"] = values
        table = summarise_with_gaps(rows, ci_prob, ci_kind)
        table = shown_as(table, round_to)
        table["no_root"], table["several"] = zip(*shares, strict=True)
        return table

    def probability(
        self,
        effect: str = "acme",
        arm: str = "average",
        direction: Direction = "positive",
        rope: Rope | None = None,
        where: Mapping[str, Any] | None = None,
    ) -> xr.Dataset:
        """Probability of a claim about an effect, at each rho.

        Parameters
        ----------
        effect : str
            ``"acme"``, ``"ade"``, ``"total"``, ``"prop_mediated"``, or another variable of
            :attr:`draws` that has draws.
        arm : {"control", "treated", "average"}
            Not used where the effect has none.
        direction : {"positive", "negative", "outside", "inside"}
            Above or below the value of no effect (0, or 1 on the scale of a ratio), or outside
            or inside the ROPE.
        rope : tuple of float, optional
            Region of practical equivalence (low, high), on the scale of the effect.
        where : mapping, optional
            One coordinate of each further dimension, such as ``{"by": "female"}``.

        Returns
        -------
        xarray.Dataset
            ``probability(rho)`` and ``mcse(rho)``, its Monte Carlo standard error.

        Raises
        ------
        ValueError, TypeError
            If there is no such effect, arm or direction, or the ROPE is missing, superfluous,
            or not two numbers (low, high) around the value of no effect.
        """
        return probability_curve(self.draws, Claim(effect, arm, direction, rope, where))

    def probability_within(self, r: float, **claim: Any) -> Within:
        """Average and worst probability of a claim over all rho with abs(rho) <= r.

        Parameters
        ----------
        r : float
            In [0, 1), not beyond the grid.
        **claim
            ``effect``, ``arm``, ``direction``, ``rope`` and ``where`` of :meth:`probability`;
            without a direction the sign that most draws have at the fit's rho.

        Returns
        -------
        bayesmed.sensitivity.conclusions.Within
        """
        said = self._claim(claim, "probability_within()", "r")
        return probability_within(self.draws, said, r)

    def holds(self, level: float = 0.95, **claim: Any) -> Extent:
        """How far from rho = 0 a claim holds: for all abs(rho) <= r its probability is enough.

        Parameters
        ----------
        level : float
            The probability that is enough, in (0, 1).
        **claim
            ``effect``, ``arm``, ``direction``, ``rope`` and ``where`` of :meth:`probability`;
            without a direction the sign that most draws have at the fit's rho.

        Returns
        -------
        bayesmed.sensitivity.conclusions.Extent
            Printed, a sentence; ``r``, and for each sign of rho ``low`` and ``high``.

        Examples
        --------
        >>> fit.sensitivity().holds().r > 0
        True
        """
        return extent(self.draws, self._claim(claim, "holds()", "level"), level)

    def _claim(self, given: Mapping[str, Any], door: str, own: str) -> Claim:
        """A claim by its arguments; without a direction, of the likelier sign."""
        refuse_unknown(given, [own, *parameters_of(Claim)], door)
        said = Claim(**given)
        return said if {"direction", "rope"} & given.keys() else likelier_sign(self.draws, said)

    def conclusions(
        self,
        level: float = 0.95,
        where: Mapping[str, Any] | None = None,
        round_to: int | Literal["auto"] | None = "auto",
    ) -> pd.DataFrame:
        """For each effect its sign, how probable that is, and how far along rho it holds.

        See :func:`bayesmed.sensitivity.conclusions.conclusions_table`.
        """
        return conclusions_table(self.draws, level, where, round_to)

    def r_squared(self, form: Form = "residual", r_compatible: bool = False) -> RSquared:
        r"""The sweep in terms of the variance that an omitted confounder would explain.

        Parameters
        ----------
        form : {"residual", "total"}
            Shares of the residual variances of mediator and outcome, whose product is
            :math:`\rho^2`, or of their variances, with the product
            :math:`\rho^2 (1 - R^2_M)(1 - R^2_{Y0}) / (1 - \rho^2)`. On latent scales, such
            as that of a probit equation.
        r_compatible : bool
            In the total form give the number of R's ``medsens``, which leaves out the
            division by :math:`1 - \rho^2`.

        Returns
        -------
        RSquared

        Raises
        ------
        ValueError
            If an equation is no linear model with a residual of one variance, on whatever
            latent scale, or there is no such form.

        References
        ----------
        Imai, K., Keele, L., & Yamamoto, T. (2010). Statistical Science, 25(1), 51-71,
        section 5.
        """
        return RSquared(*r_squared(self.draws, self.rho_zero, form, r_compatible))

    def plot(self, ax: "Axes | None" = None, **options: Any) -> "Axes":
        """Median and bands against rho; see :func:`bayesmed.show.plots.plot_sensitivity`."""
        from bayesmed.show.plots import plot_sensitivity

        return plot_sensitivity(self.draws, self.rho_zero, ax=ax, **options)

    def plot_probability(self, ax: "Axes | None" = None, **options: Any) -> "Axes":
        """Probability of a claim against rho; see :func:`bayesmed.show.plots.plot_probability`."""
        from bayesmed.show.plots import plot_probability

        return plot_probability(self.draws, ax=ax, **options)

    def plot_tipping_point(self, ax: "Axes | None" = None, **options: Any) -> "Axes":
        """Density of rho*; see :func:`bayesmed.show.plots.plot_rho_zero`."""
        from bayesmed.show.plots import plot_rho_zero

        return plot_rho_zero(self.rho_zero, ax=ax, **options)

    def plot_curves(self, ax: "Axes | None" = None, **options: Any) -> "Axes":
        """Several effects against rho; see :func:`bayesmed.show.plots.plot_curves`."""
        from bayesmed.show.plots import plot_curves

        return plot_curves(self.draws, ax=ax, **options)

    def plot_arms(self, axes: Any = None, **options: Any) -> np.ndarray:
        """Both arms side by side; see :func:`bayesmed.show.plots.plot_arms`."""
        from bayesmed.show.plots import plot_arms

        return plot_arms(self.draws, self.rho_zero, axes=axes, **options)

    def __repr__(self) -> str:
        note = identification_note(self._setting)
        heading = f"{self._setting.saying(rho='as given by the rows').headline}\n{note}"
        own, tipping, table = self._further, self.tipping_summary(), ""
        if not own:
            table = f"\nACME (average) along rho\n{self.summary().to_string()}"
        cut = ""
        if tipping["median"].isna().any():
            low, high = self.rho_zero.attrs["searched"]
            cut = (
                f"\nrho* is left blank where more than 2.5% of the draws have no root between {low:g} "
                f"and {high:g}: widen rho= to see it."
            )
        more = f"\nThe curve of each: .where({own[0]}=...)." if own else ""
        return f"{heading}{table}\n{tipping.to_string()}{cut}{more}"

    @property
    def _further(self) -> list[str]:
        """Dimensions of groups and contrasts."""
        return [str(d) for d in self.rho_zero["rho_zero"].dims if d not in ("arm", "chain", "draw")]

    def _of_all(self, table: Callable[["Sensitivity"], pd.DataFrame]) -> pd.DataFrame:
        """The tables of every combination of labels, which become levels of the index."""
        dims = self._further
        labels = [self.rho_zero[dim].to_numpy().tolist() for dim in dims]
        combinations = list(itertools.product(*labels))
        tables = [table(self.where(**dict(zip(dims, one, strict=True)))) for one in combinations]
        keys = combinations if len(dims) > 1 else [one[0] for one in combinations]
        return pd.concat(tables, keys=keys, names=dims)
