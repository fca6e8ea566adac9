"""The effects that a user asked for."""

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayesmed.api.drawn import Drawn
from bayesmed.effects.estimands import Estimand, without_noise
from bayesmed.effects.numbers import chance
from bayesmed.effects.rows import UNCERTAIN, by_label, summary_table
from bayesmed.effects.setting import Setting
from bayesmed.effects.summary import choose, shown_as, summarise
from bayesmed.families.names import names_nearest

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@names_nearest
@dataclass(frozen=True)
class Effects(Drawn):
    """Draws of the effects of one or more contrasts, and their summary.

    Attributes
    ----------
    draws : xarray.Dataset
        ``acme(arm, chain, draw)``, ``ade(arm, chain, draw)``, ``total(chain, draw)`` and
        ``prop_mediated(arm, chain, draw)``; with ``m=`` also ``cde``, ``int_ref``, ``int_med``,
        ``pnie`` and the ``share_`` of each. Leading dimensions ``contrast``, ``by``,
        ``category`` and ``m`` where several were asked for. The attribute ``bayesmed`` holds,
        as one JSON string, what a table or report says about them.
    tree : xarray.DataTree or None
        Only of prior predictive effects: the groups ``prior`` and ``prior_predictive``.
    po : xarray.DataArray or None
        The counterfactual means, dims (..., arm, mediator_arm, chain, draw).
    """

    tree: xr.DataTree | None = None
    po: xr.DataArray | None = None

    def where(self, **labels: Any) -> "Effects":
        """The same for one label of a further dimension, such as ``by="female"``.

        Raises
        ------
        ValueError
            If there is no such dimension or label.
        """
        draws = choose(self.draws, labels)
        return Effects(draws, po=None if self.po is None else choose(self.po, labels))

    def summary(
        self,
        ci_prob: float = 0.95,
        ci_kind: Literal["eti", "hdi"] = "eti",
        names: Literal["r", "epi"] = "r",
        round_to: int | Literal["auto"] | None = "auto",
        rope: tuple[float, float] | None = None,
        direction: bool = False,
    ) -> pd.DataFrame:
        """Table of the effects.

        Parameters
        ----------
        ci_prob : float
            Mass of the intervals.
        ci_kind : {"eti", "hdi"}
            Equal-tailed or highest-density.
        names : {"r", "epi"}
            Row names as in R mediation, or PNIE, TNIE, PNDE, TNDE.
        round_to : {"auto"}, int or None
            ``"auto"`` shows no digit below the Monte Carlo error; None all digits.
        rope : tuple of float, optional
            Region of practical equivalence (low, high), on the scale of the effects: adds
            ``P(ROPE)``, the probability of lying in it.
        direction : bool
            Adds ``P(direction)``, the probability of the likelier sign.

        Returns
        -------
        pandas.DataFrame
            Rows in the order of R's table, under one index level for each leading dimension;
            columns median, interval ends, ``P(>0)`` (of ratios ``P(>1)``, blank for a proportion), mcse (of the
            median), ess_bulk, ess_tail, r_hat. Effects on the scale of the response; the
            proportion mediated is a ratio.

        Examples
        --------
        >>> effects.summary().columns[:4].tolist()
        ['median', 'eti95_low', 'eti95_high', 'P(>0)']
        """
        return summary_table(self.draws, ci_prob, ci_kind, names, round_to, rope, direction)

    def table(
        self,
        ci_prob: float = 0.95,
        ci_kind: Literal["eti", "hdi"] = "eti",
        names: Literal["r", "epi"] = "r",
        style: Literal["html", "latex", "markdown", "frame"] = "html",
        title: str | None = None,
    ) -> Any:
        """The effects as a paper shows them.

        Parameters
        ----------
        ci_prob, ci_kind, names
            As in :meth:`summary`.
        style : {"html", "latex", "markdown", "frame"}
            A great-tables object, which notebooks show and which pastes into Word; a string of
            LaTeX or Markdown; or a DataFrame of text.
        title : str, optional

        Returns
        -------
        great_tables.GT, str or pandas.DataFrame
            The median with its interval, and P(> 0). Three significant digits of the interval's
            width, none below the Monte Carlo error; no zero before the point where a number
            cannot pass one.

        Raises
        ------
        ValueError
            If there is no such style.

        Examples
        --------
        >>> print(effects.table(style="markdown").splitlines()[0])
        | Effect                   | Median   | 95% CI         | P(> 0)   |
        """
        from bayesmed.show.tables import effects_table

        return effects_table(self.draws, ci_prob, ci_kind, names, style, title)

    def to_frame(self) -> pd.DataFrame:
        """Draws in tidy form: columns effect, arm, leading dimensions, chain, draw, value."""
        from bayesmed.show.frames import long_frame

        return long_frame(self.draws)

    def interaction(
        self,
        ci_prob: float = 0.95,
        ci_kind: Literal["eti", "hdi"] = "eti",
        round_to: int | Literal["auto"] | None = "auto",
    ) -> pd.DataFrame:
        """ACME(treated) - ACME(control), with its probability of being positive.

        It is also ADE(treated) - ADE(control); R's ``test.TMint`` asks the same. Draws are
        paired. Of ratios it is their quotient.
        """
        acme, ratio = self.draws["acme"], self._setting.null == 1.0
        ends = [acme.sel(arm=arm, drop=True) for arm in ("treated", "control")]
        sign = "/" if ratio else "-"
        gap = ends[0] / ends[1] if ratio else without_noise(ends[0] - ends[1], *ends)
        rows = by_label({f"ACME (treated) {sign} ACME (control)": gap})
        table = summarise(rows, ci_prob, ci_kind, self._setting.null)
        return shown_as(table, round_to)

    def four_way(
        self,
        ci_prob: float = 0.95,
        ci_kind: Literal["eti", "hdi"] = "eti",
        round_to: int | Literal["auto"] | None = "auto",
    ) -> pd.DataFrame:
        """Table of the four components of the total effect and of the share of each.

        Raises
        ------
        ValueError
            If no value of the mediator was given (``m=``), or the effects are odds ratios.

        References
        ----------
        VanderWeele, T. J. (2014). A unification of mediation and interaction. Epidemiology,
        25(5), 749-761.
        """
        if "int_ref" not in self.draws and self._setting.scale == "odds_ratio":
            raise ValueError(
                "The four-way decomposition is of differences or of the excess relative risk, not of "
                "odds ratios: use scale='difference' or scale='ratio'."
            )
        if "int_ref" not in self.draws:
            raise ValueError(
                "The four-way decomposition needs a value of the mediator at which the controlled "
                "direct effect is taken, and differences or ratios: fit.effects(m=...)."
            )
        cde = "excess_cde" if "excess_cde" in self.draws else "cde"
        parts = {n: self.draws[n] for n in (cde, "int_ref", "int_med", "pnie")}
        parts["total"] = sum(parts.values())  # type: ignore[assignment]
        rows = by_label({_FOUR_WAY[name]: values for name, values in parts.items()})
        shares = {f"Share of {_FOUR_WAY[n]}": self.draws[f"share_{n}"] for n in _PARTS}
        table = summarise({**rows, **by_label(shares)}, ci_prob, ci_kind)
        leading = [str(d) for d in self.draws["total"].dims if d not in ("chain", "draw")]
        of = " of the excess relative risk" if "excess_cde" in self.draws else ""
        table.index.names = [*leading, f"component{of}, {self._setting.contrast}"]
        return shown_as(table, round_to)

    def differences(self, dim: str | None = None) -> "Effects":
        """All paired differences of effects between the labels of a dimension.

        Parameters
        ----------
        dim : {"by", "contrast", "category", "m"}, optional
            May be left out where there is one. The first of each pair is subtracted from the
            second; of ratios it is their quotient.

        Returns
        -------
        Effects
            With labels such as "old - young" along the dimension, and no proportion mediated.

        Raises
        ------
        ValueError
            If the effects have no such dimension.
        """
        own = [d for d in self.draws["total"].dims if d not in ("rho", "chain", "draw")]
        if dim is None and len(own) == 1:
            dim = str(own[0])
        if dim not in own:
            raise ValueError(f"dim={dim!r}; these effects have the dimensions {own}.")
        ratio, sign = self._setting.null == 1.0, "/" if self._setting.null == 1.0 else "-"
        kept = self.draws[[n for n in ("acme", "ade", "total", "cde") if n in self.draws]]
        parts, labels = [], []
        means: Any = 0.0
        if self.po is not None and self._setting.scale == "difference":
            means = abs(self.po).max(("arm", "mediator_arm", dim))
        for first, second in itertools.combinations(kept[dim].to_numpy().tolist(), 2):
            a, b = kept.sel({dim: second}, drop=True), kept.sel({dim: first}, drop=True)
            parts.append(a / b if ratio else without_noise(a - b, a, b, means=means))
            labels.append(f"{second} {sign} {first}")
        gap = xr.concat(parts, dim=pd.Index(labels, name=dim))
        gap.attrs["bayesmed"] = self._setting.saying(difference=True).to_json()
        return Effects(gap)

    def custom(
        self,
        ci_prob: float = 0.95,
        ci_kind: Literal["eti", "hdi"] = "eti",
        round_to: int | Literal["auto"] | None = "auto",
        **estimands: Estimand,
    ) -> pd.DataFrame:
        """Table of contrasts of one's own.

        Parameters
        ----------
        ci_prob, ci_kind, round_to
            As in :meth:`summary`.
        **estimands : callable
            By row name: functions of the counterfactual means :attr:`po`, of dims
            (..., arm, mediator_arm, chain, draw), to draws of dims (..., chain, draw).

        Raises
        ------
        ValueError
            If these effects are differences of others and so have no counterfactual means.

        Examples
        --------
        >>> gap = lambda po: po.sel(arm="treated", mediator_arm="control") - po.sel(
        ...     arm="control", mediator_arm="control"
        ... )
        >>> effects.custom(direct=gap).index.tolist()
        ['direct']
        """
        if self.po is None:
            raise ValueError(
                "Differences of effects keep no counterfactual means; call custom() on effects "
                "that come straight from a fit."
            )
        rows = by_label({name: own(self.po) for name, own in estimands.items()})
        table = summarise(rows, ci_prob, ci_kind)
        return shown_as(table, round_to)

    def plot(self, ax: "Axes | None" = None, **options: Any) -> "Axes":
        """Forest plot with 50% and 95% intervals; see :func:`bayesmed.show.plots.plot_effects`."""
        from bayesmed.show.plots import plot_effects

        return plot_effects(self.draws, ax=ax, **options)

    def __sub__(self, other: "Effects") -> "Effects":
        """Paired difference of effects at two settings of covariates, from one fit.

        The proportion mediated, a ratio, is left out.

        Raises
        ------
        ValueError
            If the two do not come from the same fit, whose draws pair, or are ratios or
            functionals of different kinds.
        """
        if not isinstance(other, Effects):
            return NotImplemented
        mine, theirs = self._setting, other._setting
        if mine.fit != theirs.fit:
            raise ValueError(
                "Effects can be subtracted only where their draws are paired; these come from "
                "two fits."
            )
        kinds = [
            f"{of!r} ({one.scale})"
            for one in (mine, theirs)
            for of in [one.of or f"mean of {one.outcome}"]
        ]
        if kinds[0] != kinds[1]:
            raise ValueError(
                "Only effects of the same functional on the same scale can be subtracted; these are "
                f"{kinds[0]} and {kinds[1]}."
            )
        if self._setting.null == 1.0:
            raise ValueError("Ratios are not subtracted; ask for scale='difference'.")
        names = [n for n in ("acme", "ade", "total", "cde") if n in self.draws and n in other.draws]
        mine_draws, their_draws = self.draws[names], other.draws[names]
        gap = without_noise(mine_draws - their_draws, mine_draws, their_draws)
        apart = mine.contrast != theirs.contrast
        at = f"{_where(mine, apart)} minus {_where(theirs, apart)}"
        gap.attrs["bayesmed"] = mine.saying(at=at, assumed="", difference=True).to_json()
        return Effects(gap)

    def __repr__(self) -> str:
        return "\n".join([self._setting.headline, self.summary().to_string(), *self._flags()])

    def _repr_html_(self) -> str:
        from html import escape

        notes = "".join(f"<p>{escape(note)}</p>" for note in self._flags())
        return f"<p>{escape(self._setting.headline)}</p>{self.summary().to_html()}{notes}"

    def _flags(self) -> list[str]:
        """A word of caution where the proportion mediated divides by a total near zero."""
        if self._setting.difference and not any(v.any() for v in self.draws.data_vars.values()):
            return ["Both settings give the same effects: the model lets nothing here change them."]
        if self._setting.prior_note:
            return [self._setting.prior_note]
        if "prop_mediated" not in self.draws:
            return []
        positive = (self.draws["total"] > self._setting.null).mean(("chain", "draw"))
        unsure = [float(p) for p in np.ravel(positive) if UNCERTAIN[0] < p < UNCERTAIN[1]]
        if not unsure:
            return []
        sign = f"> {self._setting.null:g}"
        shown = f"P(total {sign}) = {chance(unsure[0])[1]}" + (
            f", and {len(unsure) - 1} more" if len(unsure) > 1 else ""
        )
        return [
            f"The 95% interval of the total effect includes {self._setting.null:g} ({shown}): the proportion "
            "mediated is hard to interpret."
        ]


def _where(setting: Setting, with_contrast: bool) -> str:
    contrast = setting.contrast.split(": ", 1)[-1] if with_contrast else ""
    said = [contrast, setting.group, setting.at, setting.assumed]
    if not any(said[:3]):
        said[2] = "as observed"
    return ", ".join(part for part in said if part)


_PARTS = ("cde", "int_ref", "int_med", "pnie")
_FOUR_WAY = {
    "cde": "CDE(m)", "excess_cde": "CDE(m)", "int_ref": "INTref(m)", "int_med": "INTmed",
    "pnie": "PNIE", "total": "Sum",
}  # fmt: skip
