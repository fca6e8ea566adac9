"""The effects along the mediator's reliability that a user asked for."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from bayesmed.api.drawn import Drawn
from bayesmed.api.effects import Effects
from bayesmed.effects.measurement_error import at_reliability
from bayesmed.effects.numbers import percent
from bayesmed.effects.rows import select_effect
from bayesmed.effects.summary import shown_as, summarise
from bayesmed.families.names import names_nearest

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@names_nearest
@dataclass(frozen=True)
class ReliabilityCurve(Drawn):
    """The posterior of every effect along the reliability of the observed mediator.

    Attributes
    ----------
    draws : xarray.Dataset
        As :attr:`bayesmed.Effects.draws` with a leading dimension ``reliability``; also
        ``impossible(reliability)``, the share of the posterior draws that no structural model
        with so much error can produce. They are left out; where they are more than 5%, the
        effects are NaN.
    """

    def at(self, reliability: float) -> Effects:
        """Effects at one value of the grid.

        Raises
        ------
        ValueError
            If the value is not on the grid, or has no posterior there.
        """
        grid = self.draws["reliability"].to_numpy()
        found = np.flatnonzero(np.isclose(grid, reliability, atol=1e-9))
        if not found.size:
            raise ValueError(
                f"reliability={reliability!r} is not on the grid {np.round(grid, 4).tolist()}."
            )
        chosen = self.draws.isel(reliability=int(found[0]), drop=True)
        share, value = float(chosen["impossible"]), grid[found[0]]
        if not np.isfinite(chosen["total"]).all():
            raise ValueError(
                f"At the reliability {value:g} {percent(share)} of the posterior draws have no solution; "
                "choose a larger value."
            )
        setting = at_reliability(self._setting, f"set to {value:g}", share)
        chosen = chosen.drop_vars("impossible")
        return Effects(chosen.assign_attrs(bayesmed=setting.to_json()))

    def summary(
        self,
        ci_prob: float = 0.95,
        ci_kind: Literal["eti", "hdi"] = "eti",
        effect: Literal["acme", "ade", "total"] = "acme",
        arm: Literal["control", "treated", "average"] = "average",
        round_to: int | Literal["auto"] | None = "auto",
    ) -> pd.DataFrame:
        """Table of one effect along the reliability.

        Parameters
        ----------
        ci_prob, ci_kind, round_to
            As :meth:`bayesmed.Effects.summary`.
        effect, arm : str
            Which effect; the total has no arm.

        Returns
        -------
        pandas.DataFrame
            Indexed by reliability; with ``impossible``, the share of draws left out. Rows without
            a posterior are NaN.

        Raises
        ------
        ValueError
            If there is no such effect or arm.
        """
        values, grid = select_effect(self.draws, effect, arm), self.draws["reliability"].to_numpy()
        finite = np.isfinite(values.to_numpy()).all(axis=(1, 2))
        rows = {f"{value:.10g}": values.sel(reliability=value, drop=True) for value in grid[finite]}
        table = summarise(rows, ci_prob, ci_kind)
        table = shown_as(table, round_to)
        table.index = pd.Index(grid[finite], name="reliability")
        table = table.reindex(pd.Index(grid, name="reliability"))
        table["impossible"] = self.draws["impossible"].to_numpy()
        return table

    def plot(self, ax: "Axes | None" = None, **options: Any) -> "Axes":
        """Median and bands; see :func:`bayesmed.show.plots.plot_reliability`."""
        from bayesmed.show.plots import plot_reliability

        return plot_reliability(self.draws, ax=ax, **options)

    def __repr__(self) -> str:
        return f"{self._setting.headline}\n{self.summary().to_string()}"
