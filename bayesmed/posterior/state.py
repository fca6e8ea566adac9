"""Posterior draws and what they are of: the data half of a fit."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from bayesmed.data.levels import Contrast
from bayesmed.families.catalogue import FAMILIES
from bayesmed.families.family import Families
from bayesmed.posterior.arrays import kept_counterfactuals, kept_map
from bayesmed.posterior.convergence import Convergence, check_convergence
from bayesmed.posterior.draws import Draws, EquationDraws
from bayesmed.system.about import About
from bayesmed.system.capabilities import refuse
from bayesmed.system.closed import ClosedMap
from bayesmed.system.rows import Counterfactuals, RowSource
from bayesmed.system.system import System


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

    def own(key: str, names: list[str]) -> EquationDraws:
        kept = [name for name in names if f"{key}_{name}" in posterior]
        values = {name: np.moveaxis(flat(f"{key}_{name}"), 0, -1) for name in kept}
        scale = f"{key}_sigma_coef"
        return EquationDraws(
            flat(f"{key}_coef"), values, flat(scale) if scale in posterior else None
        )

    count = posterior.sizes["chain"] * posterior.sizes["draw"]
    return Draws(
        {key: own(key, names) for key, names in parameters.items()},
        flat("rho") if rho is None else np.full(count, float(rho)),
    )


@dataclass(frozen=True, eq=False)
class Posterior:
    """Draws, and what they are of; see :class:`bayesmed.MediationFit`.

    Attributes
    ----------
    tree : xarray.DataTree
    model : System or None
    passes : RowSource or None
    """

    tree: xr.DataTree
    model: System | None = None
    passes: RowSource | None = None

    @property
    def description(self) -> About:
        """What the draws are of."""
        return About.from_json(self.tree.attrs["bayesmed"])

    @property
    def posterior(self) -> xr.Dataset:
        """The posterior group as a Dataset."""
        return self.tree["posterior"].to_dataset()

    @cached_property
    def convergence(self) -> Convergence:
        """Convergence diagnostics of all parameters."""
        return check_convergence(
            self.posterior, self.tree["sample_stats"].to_dataset(), self.description.interrupted
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of chains and of draws in each."""
        sizes = self.tree["posterior"].sizes
        return int(sizes["chain"]), int(sizes["draw"])

    @property
    def draws(self) -> Draws:
        """Both equations' structural draws, chains flattened."""
        about = self.description
        return draws_of(self.posterior, about.rho_fixed, about.parameters)

    @cached_property
    def last_curve(self) -> dict[str, Any]:
        """The means along rho that were computed last, by what was asked."""
        return {}

    @property
    def closed_map(self) -> ClosedMap | None:
        """The exact map of a closed pair."""
        closed = self.description.closed
        return kept_map(self.tree["constant_data"].to_dataset(), closed) if closed else None

    @cached_property
    def families(self) -> Families:
        """The family constants by the equations' keys.

        Raises
        ------
        ValueError
            If one is a user's own and the fit was loaded without its model.
        """
        if self.model is not None:
            return self.model.families
        refuse("families", self)
        return families_of(self.description)

    def counterfactuals(
        self, at: Mapping[str, Any] | None = None, contrast: Contrast | None = None
    ) -> Counterfactuals:
        """Rows of both equations under either arm, of the model's own contrast or another.

        Raises
        ------
        ValueError
            If a formula is needed and the fit was loaded without its model.
        """
        if at or contrast is not None:
            return self.require_model("at").counterfactuals_at(at or {}, contrast)
        refuse("rows of passes", self)
        refuse("rows of functions", self)
        return self.kept_counterfactuals if self.model is None else self.model.counterfactuals

    @property
    def kept_counterfactuals(self) -> Counterfactuals:
        """Those that the tree holds; where rows are read in passes, a few with their moments."""
        data = self.tree["constant_data"].to_dataset()
        return kept_counterfactuals(data, self.families, self.description.log_mediator)

    def row_source(
        self, at: Mapping[str, Any] | None = None, contrast: Contrast | None = None
    ) -> RowSource:
        """What counterfactual means are over: :meth:`counterfactuals`, or rows read in passes."""
        if self.passes is not None and not at:
            return self.passes
        return self.counterfactuals(at, contrast)

    def require_model(self, feature: str, **words: Any) -> System:
        """The model, for a feature of :data:`bayesmed.system.capabilities.FEATURES`.

        Raises
        ------
        ValueError
            If this fit does not have it.
        """
        refuse(feature, self, **words)
        assert self.model is not None
        return self.model


def families_of(about: About) -> Families:
    """The family constants of the equations, by their stored names."""
    unknown = [name for name in about.families if name not in FAMILIES]
    if unknown:
        raise ValueError(
            f"The file names the family {unknown[0]!r}, which this version of bayesmed does not have."
        )
    return {key: FAMILIES[name] for key, name in about.family.items()}
