"""Causal effects: contrasts of counterfactual means, draw by draw, and their summary."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayesmed.design import Counterfactuals
from bayesmed.families import FAMILIES
from bayesmed.family import Family
from bayesmed.potential import Draws, cell_means
from bayesmed.summary import rounded, summarise
from bayesmed.thinning import thinning

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ARMS = ("control", "treated")
ARMS_AND_AVERAGE = (*ARMS, "average")
#: Between these values of P(total > 0) the sign of the total is called uncertain.
UNCERTAIN = (0.025, 0.975)


def draws_of(
    posterior: xr.Dataset, rho: float | None, parameters: Mapping[str, list[str]]
) -> Draws:
    """Flatten the chains of a posterior group.

    Parameters
    ----------
    posterior : xarray.Dataset
        With ``mediator_coef``, ``outcome_coef``, the families' parameters and, where rho is
        random, ``rho``; ``mediator_sigma_coef`` and ``outcome_sigma_coef`` where sigma has a
        regression.
    rho : float or None
        The fixed rho.
    parameters : mapping
        Names of each equation's other parameters.
    """

    def flat(name: str) -> np.ndarray:
        values = posterior[name].transpose("chain", "draw", ...).to_numpy()
        return values.reshape(-1, *values.shape[2:])

    def own(equation: str) -> dict[str, np.ndarray]:
        names = [name for name in parameters[equation] if f"{equation}_{name}" in posterior]
        return {name: np.moveaxis(flat(f"{equation}_{name}"), 0, -1) for name in names}

    def scale(equation: str) -> np.ndarray | None:
        name = f"{equation}_sigma_coef"
        return flat(name) if name in posterior else None

    count = posterior.sizes["chain"] * posterior.sizes["draw"]
    return Draws(
        flat("mediator_coef"), own("mediator"), flat("outcome_coef"), own("outcome"),
        flat("rho") if rho is None else np.full(count, float(rho)),
        scale("mediator"), scale("outcome"),
    )  # fmt: skip


def potential_outcomes(
    draws: Draws,
    families: tuple[Family, Family],
    rows: Counterfactuals,
    shape: tuple[int, int],
    bootstrap: int | None = None,
) -> xr.DataArray:
    """Counterfactual means with labels.

    Parameters
    ----------
    draws : Draws
    families : tuple of Family
    rows : Counterfactuals
    shape : tuple of int
        Numbers of chains and draws.
    bootstrap : int, optional
        Seed of the Bayesian bootstrap of the rows.

    Returns
    -------
    xarray.DataArray
        E[Y(t, M(t'))] with dims (arm, mediator_arm, chain, draw), on the scale of the
        response. Where integrals within integrals would take more than some minutes, every
        k-th draw of each chain; k is the attribute ``every``.
    """
    every = thinning(families, rows, draws)
    kept = np.arange(len(draws)).reshape(shape)[:, ::every]
    used = draws if every == 1 else draws.block(kept.ravel())
    values = cell_means(used, families, rows, bootstrap)
    po = label_cells(values.reshape(2, 2, *kept.shape))
    return po.assign_coords(draw=kept[0]).assign_attrs(every=every)


def label_cells(values: np.ndarray, **leading: Any) -> xr.DataArray:
    """Name the axes of counterfactual means, (..., arm, mediator_arm, chain, draw)."""
    dims = (*leading, "arm", "mediator_arm", "chain", "draw")
    coords = {
        **leading,
        "arm": list(ARMS),
        "mediator_arm": list(ARMS),
        "chain": np.arange(values.shape[-2]),
        "draw": np.arange(values.shape[-1]),
    }
    return xr.DataArray(values, dims=dims, coords=coords, name="po")


def contrasts(po: xr.DataArray) -> xr.Dataset:
    r"""Mediation effects as contrasts of counterfactual means.

    .. math::

        ACME(t) &= \mu(t, 1) - \mu(t, 0) \\
        ADE(t) &= \mu(1, t) - \mu(0, t) \\
        total &= \mu(1, 1) - \mu(0, 0)

    The average is the mean of the two arms; the proportion mediated is ACME / total, draw
    by draw.

    Parameters
    ----------
    po : xarray.DataArray
        Dims (..., arm, mediator_arm, chain, draw).

    Returns
    -------
    xarray.Dataset
        ``acme(arm)``, ``ade(arm)``, ``total`` and ``prop_mediated(arm)``, with arm one of
        control, treated, average.

    References
    ----------
    Imai, K., Keele, L., & Tingley, D. (2010). Psychological Methods, 15(4), 309-334,
    equations 2 to 5.
    """
    acme = po.sel(mediator_arm="treated", drop=True) - po.sel(mediator_arm="control", drop=True)
    ade = (po.sel(arm="treated", drop=True) - po.sel(arm="control", drop=True)).rename(
        mediator_arm="arm"
    )
    total = po.sel(arm="treated", mediator_arm="treated", drop=True) - po.sel(
        arm="control", mediator_arm="control", drop=True
    )
    acme, ade = _with_average(acme), _with_average(ade)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = acme / total
    return xr.Dataset({"acme": acme, "ade": ade, "total": total, "prop_mediated": share})


def _with_average(effect: xr.DataArray) -> xr.DataArray:
    average = effect.mean("arm").expand_dims(arm=["average"])
    order = effect.dims
    return xr.concat([effect, average], dim="arm").transpose(*order)


@dataclass(frozen=True)
class Effects:
    """Draws of the effects of one contrast, and their summary.

    Attributes
    ----------
    draws : xarray.Dataset
        ``acme(arm, chain, draw)``, ``ade(arm, chain, draw)``, ``total(chain, draw)`` and
        ``prop_mediated(arm, chain, draw)``; the attribute ``bayesmed`` holds, as one JSON
        string, what a table or report says about them.
    tree : xarray.DataTree or None
        Only of prior predictive effects: the groups ``prior`` and ``prior_predictive``.
    """

    draws: xr.Dataset
    tree: xr.DataTree | None = None

    @property
    def about(self) -> dict[str, Any]:
        """What a table says: contrast, families, rho, averaging."""
        return dict(json.loads(self.draws.attrs["bayesmed"]))

    def summary(
        self,
        ci_prob: float = 0.95,
        ci_kind: Literal["eti", "hdi"] = "eti",
        names: Literal["r", "epi"] = "r",
        round_to: Literal["auto"] | None = "auto",
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
        round_to : {"auto"} or None
            ``"auto"`` shows no digit below the Monte Carlo error; None all digits.

        Returns
        -------
        pandas.DataFrame
            Rows in the order of R's table; columns median, interval ends, ``P(>0)``, mcse
            (of the median), ess_bulk, ess_tail, r_hat. Effects on the scale of the
            response; the proportion mediated is a ratio.
        """
        return summary_table(self.draws, ci_prob, ci_kind, names, round_to)

    def interaction(
        self,
        ci_prob: float = 0.95,
        ci_kind: Literal["eti", "hdi"] = "eti",
        round_to: Literal["auto"] | None = "auto",
    ) -> pd.DataFrame:
        """ACME(treated) - ACME(control), with its probability of being positive.

        It is also ADE(treated) - ADE(control); R's ``test.TMint`` asks the same. Draws are
        paired.
        """
        acme = self.draws["acme"]
        gap = acme.sel(arm="treated", drop=True) - acme.sel(arm="control", drop=True)
        rows = {"ACME (treated) - ACME (control)": gap}
        table = summarise(rows, ci_prob, ci_kind)
        return rounded(table) if round_to == "auto" else table

    def plot(self, ax: "Axes | None" = None, **options: Any) -> "Axes":
        """Forest plot with 50% and 95% intervals; see :func:`bayesmed.plots.plot_effects`."""
        from bayesmed.plots import plot_effects

        return plot_effects(self.draws, ax=ax, **options)

    def __sub__(self, other: "Effects") -> "Effects":
        """Paired difference of effects at two settings of covariates, from one fit.

        The proportion mediated, a ratio, is left out.

        Raises
        ------
        ValueError
            If the two do not come from the same fit, whose draws pair.
        """
        if not isinstance(other, Effects):
            return NotImplemented
        mine, theirs = self.about, other.about
        if mine["fit"] != theirs["fit"]:
            raise ValueError(
                "Effects can be subtracted only where their draws are paired; these come from "
                "two fits."
            )
        gap = self.draws.drop_vars("prop_mediated") - other.draws.drop_vars("prop_mediated")
        at = f"{_setting(mine)} minus {_setting(theirs)}"
        about = {**mine, "at": at, "assumed": "", "difference": True}
        gap.attrs["bayesmed"] = json.dumps(about)
        return Effects(gap)

    def __repr__(self) -> str:
        return "\n".join([headline(self.about), self.summary().to_string(), *self._flags()])

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{note}</p>" for note in self._flags())
        return f"<p>{headline(self.about)}</p>{self.summary().to_html()}{notes}"

    def _flags(self) -> list[str]:
        """A word of caution where the proportion mediated divides by a total near zero."""
        positive = float((self.draws["total"] > 0).mean())
        if "prop_mediated" not in self.draws or not UNCERTAIN[0] < positive < UNCERTAIN[1]:
            return []
        return [
            f"The sign of the total effect is uncertain (P(total > 0) = {positive:.3f}): the "
            "proportion mediated is hard to interpret."
        ]


def _setting(about: Mapping[str, Any]) -> str:
    said = [about["at"] or "as observed", about.get("assumed")]
    return ", ".join(str(part) for part in said if part)


def effects_about(
    about: Mapping[str, Any], at: Mapping[str, Any] | None, average: str
) -> dict[str, Any]:
    """Attributes of an effects Dataset."""
    setting = ", ".join(f"{name} = {value}" for name, value in (at or {}).items())
    averaged = {
        "sample": "averaged over the observed rows",
        "population": "averaged over a Bayesian bootstrap of the rows",
    }[average]
    return {**about, "at": setting, "averaged": averaged, "difference": False}


def headline(about: Mapping[str, Any]) -> str:
    """One line that says what a table of effects is of."""
    kind = "Differences of mediation effects" if about.get("difference") else "Mediation effects"
    where = f", at {about['at']}" if about["at"] else ""
    return (
        f"{kind} of {about['contrast']} on {about['outcome']} through {about['mediator']}; "
        f"{about['families'][0]} mediator, {about['families'][1]} outcome; rho {about['rho']}; "
        f"{about['averaged']}{where}{_assumed(about)}{_thinned(about)}."
    )


def _assumed(about: Mapping[str, Any]) -> str:
    return f"; {about['assumed']}" if about.get("assumed") else ""


def _thinned(about: Mapping[str, Any]) -> str:
    every = about.get("every", 1)
    return f"; computed at one draw in {every}, since all would take too long" if every > 1 else ""


_R_NAMES = {"acme": "ACME", "ade": "ADE", "prop_mediated": "Prop. mediated"}
_EPI_NAMES = {
    ("acme", "control"): "PNIE",
    ("acme", "treated"): "TNIE",
    ("ade", "control"): "PNDE",
    ("ade", "treated"): "TNDE",
}


def effect_rows(draws: xr.Dataset, names: Literal["r", "epi"] = "r") -> dict[str, xr.DataArray]:
    """Each effect by its row name, in the order R users know.

    Raises
    ------
    ValueError
        If ``names`` is neither "r" nor "epi".
    """
    if names not in ("r", "epi"):
        raise ValueError(f"names={names!r}; choose 'r' or 'epi'.")
    rows: dict[str, xr.DataArray] = {}

    def add(variable: str, arm: str) -> None:
        if variable in draws:
            label = f"{_R_NAMES[variable]} ({arm})"
            if names == "epi":
                label = _EPI_NAMES.get((variable, arm), label)
            rows[label] = draws[variable].sel(arm=arm, drop=True)

    for variable in ("acme", "ade"):
        for arm in ARMS:
            add(variable, arm)
    rows["Total effect"] = draws["total"]
    for arm in ARMS:
        add("prop_mediated", arm)
    for variable in ("acme", "ade", "prop_mediated"):
        add(variable, "average")
    return rows


def summary_table(
    draws: xr.Dataset,
    ci_prob: float,
    ci_kind: Literal["eti", "hdi"],
    names: Literal["r", "epi"],
    round_to: Literal["auto"] | None,
) -> pd.DataFrame:
    """Summarise the effects of one Dataset; see :meth:`Effects.summary`."""
    table = summarise(effect_rows(draws, names), ci_prob, ci_kind)
    table.index.name = json.loads(draws.attrs["bayesmed"])["contrast"]
    return rounded(table) if round_to == "auto" else table


def families_of(about: Mapping[str, Any]) -> tuple[Family, Family]:
    """The family constants by their stored names."""
    mediator, outcome = about["families"]
    return FAMILIES[mediator], FAMILIES[outcome]
