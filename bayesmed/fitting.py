"""Sampling a model, and the fit: draws that every later step reads."""

import json
import os
import uuid
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayesmed.closed import ClosedMap
from bayesmed.convergence import Convergence, check_convergence
from bayesmed.describe import describe, versions
from bayesmed.design import Counterfactuals
from bayesmed.effects import (
    Effects,
    contrasts,
    draws_of,
    effects_about,
    families_of,
    potential_outcomes,
)
from bayesmed.family import EQUATIONS, Family
from bayesmed.kept import constant_data, kept_counterfactuals, kept_map
from bayesmed.likelihood import row_log_likelihood
from bayesmed.model import IdentificationWarning, MediationModel
from bayesmed.paths import coefficient_table
from bayesmed.potential import Draws
from bayesmed.priors import Prior
from bayesmed.sampling import run_sampler, settle_seed, to_dataset

if TYPE_CHECKING:
    from bayesmed.benchmarks import Benchmarks
    from bayesmed.sensitivity import Sensitivity
    from bayesmed.strength import Kind


def sample(
    model: MediationModel,
    *,
    draws: int,
    tune: int,
    chains: int,
    cores: int | None,
    random_seed: int | None,
    sampler: str,
    progress: bool,
    options: Mapping[str, Any],
) -> "MediationFit":
    """Draw from the posterior; see :meth:`bayesmed.MediationModel.fit`."""
    for name, value in (("draws", draws), ("tune", tune), ("chains", chains)):
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, np.integer))
            or value < (0 if name == "tune" else 1)
        ):
            raise ValueError(f"{name} must be a positive whole number; {value!r} was given.")
    seed = settle_seed(random_seed)
    settings = {
        "draws": int(draws), "tune": int(tune), "chains": int(chains), "cores": cores,
        "random_seed": seed,
    }  # fmt: skip
    if isinstance(model.rho, Prior) and model.identification.map is None:
        warnings.warn(
            "The posterior of rho is not evidence about confounding: it is identified by "
            f"{model.identification.reason}.",
            IdentificationWarning,
            stacklevel=3,
        )
    posterior, stats, interrupted = run_sampler(model, sampler, settings, progress, options)
    tree = _tree(model, posterior, stats)
    about = describe(model)
    about.update(
        sampler=sampler, settings={**settings, "cores": None}, interrupted=interrupted,
        fit=uuid.uuid4().hex, versions=versions(sampler),
    )  # fmt: skip
    tree.attrs["bayesmed"] = json.dumps(about)
    fit = MediationFit(tree, model)
    if fit.convergence.problems:
        warnings.warn(str(fit.convergence), UserWarning, stacklevel=3)
    return fit


def _tree(
    model: MediationModel, posterior: dict[str, np.ndarray], stats: dict[str, np.ndarray]
) -> xr.DataTree:
    arrays = {k: v for k, v in posterior.items() if not k.endswith("__")}
    order = ["rho", "mediator_coef", "outcome_coef"]
    arrays = {
        k: arrays[k]
        for k in [*(n for n in order if n in arrays), *sorted(set(arrays) - set(order))]
    }
    graph = model.build()
    coords = {name: list(values) for name, values in graph.coords.items() if name != "obs"}
    observed = xr.Dataset({name: ("obs", model.values(name)) for name in EQUATIONS})
    return xr.DataTree.from_dict({
        "posterior": to_dataset(arrays, coords, dict(graph.named_vars_to_dims)),
        "sample_stats": to_dataset(stats, {}, {}),
        "observed_data": observed,
        "constant_data": constant_data(model),
    })  # fmt: skip


@dataclass(frozen=True, eq=False)
class MediationFit:
    """Posterior draws of a mediation model.

    Attributes
    ----------
    tree : xarray.DataTree
        Groups ``posterior``, ``sample_stats``, ``observed_data`` and ``constant_data``, and
        ``log_likelihood`` after :meth:`add_log_likelihood`; everything ArviZ reads.
        ``posterior`` holds ``mediator_coef(mediator_term)`` and
        ``outcome_coef(outcome_term)`` on the user's scale, structural, at the model's rho;
        in closed pairs with ``priors_on="regression"`` also ``outcome_coef_rho0``, those of
        the regression at rho = 0; each family's parameters, such as ``mediator_sigma``; and
        ``rho`` where it has a prior.
    model : MediationModel or None
        None for a fit that was loaded without one.
    """

    tree: xr.DataTree
    model: MediationModel | None = None

    @property
    def about(self) -> dict[str, Any]:
        """The model in words and numbers, as plain data."""
        return dict(json.loads(self.tree.attrs["bayesmed"]))

    @property
    def posterior(self) -> xr.Dataset:
        """The posterior group as a Dataset."""
        return self.tree["posterior"].to_dataset()

    @cached_property
    def convergence(self) -> Convergence:
        """Convergence diagnostics of all parameters."""
        return check_convergence(
            self.posterior, self.tree["sample_stats"].to_dataset(), self.about["interrupted"]
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of chains and of draws in each."""
        sizes = self.tree["posterior"].sizes
        return int(sizes["chain"]), int(sizes["draw"])

    @property
    def draws(self) -> Draws:
        """Both equations' structural draws, chains flattened."""
        about = self.about
        return draws_of(self.posterior, about["rho_fixed"], about["parameters"])

    @property
    def closed_map(self) -> ClosedMap | None:
        """The exact map of a closed pair."""
        about = self.about
        if about["closed"] is None:
            return None
        return kept_map(self.tree["constant_data"].to_dataset(), about["closed"])

    @cached_property
    def families(self) -> tuple[Family, Family]:
        """The family constants of mediator and outcome.

        Raises
        ------
        ValueError
            If one is a user's own and the fit was loaded without its model.
        """
        if self.model is not None:
            return self.model.families
        own = self.about["own_families"]
        if own:
            self.require_model(f"The family {own[0]!r}, which is not one of the package's own,")
        return families_of(self.about)

    def counterfactuals(self, at: Mapping[str, Any] | None = None) -> Counterfactuals:
        """Rows of both equations under either arm.

        Raises
        ------
        ValueError
            If a formula is needed and the fit was loaded without its model.
        """
        if at:
            return self.require_model("at=").counterfactuals_at(at)
        if self.model is not None:
            return self.model.counterfactuals
        if not self.about["affine"]:
            self.require_model("the mediator inside a function")
        data = self.tree["constant_data"].to_dataset()
        return kept_counterfactuals(data, self.about["log_mediator"])

    def require_model(self, purpose: str) -> MediationModel:
        """Return the model, or say how to give it to a loaded fit."""
        if self.model is None:
            raise ValueError(
                f"{purpose} needs the formulas, which a saved file never evaluates; build the "
                "model again and load the fit with bm.load(path, model=model)."
            )
        return self.model

    def effects(
        self,
        at: Mapping[str, Any] | None = None,
        average: Literal["sample", "population"] = "sample",
    ) -> Effects:
        """Posterior of the mediation effects.

        Parameters
        ----------
        at : mapping, optional
            Covariates and the value every row gets, for conditional effects. Effects at two
            settings have paired draws: subtract one from the other.
        average : {"sample", "population"}
            Over the observed rows, or over a Bayesian bootstrap of them, which adds the
            uncertainty about the population's covariates.

        Returns
        -------
        Effects
            On the scale of the response. Where the means need integrals within integrals for many
            rows, at every k-th draw, as its headline says.

        Raises
        ------
        ValueError
            For a variable or level in ``at`` that does not exist, or an unknown average.

        References
        ----------
        Imai, K., Keele, L., & Tingley, D. (2010). Psychological Methods, 15(4), 309-334.

        Rubin, D. B. (1981). The Bayesian bootstrap. Annals of Statistics, 9(1), 130-134.
        """
        if average not in ("sample", "population"):
            raise ValueError(f"average={average!r}; choose 'sample' or 'population'.")
        about = self.about
        bootstrap = about["settings"]["random_seed"] if average == "population" else None
        po = potential_outcomes(
            self.draws, self.families, self.counterfactuals(at), self.shape, bootstrap
        )
        result = contrasts(po)
        said = {**effects_about(about, at, average), "every": po.attrs["every"]}
        result.attrs["bayesmed"] = json.dumps(said)
        return Effects(result)

    def sensitivity(
        self, rho: Any = None, progress: bool = True, at: Mapping[str, Any] | None = None
    ) -> "Sensitivity":
        """Posterior of every effect as a function of the residual correlation.

        Parameters
        ----------
        rho : array-like of float, optional
            Values in (-1, 1); by default 37 from -0.9 to 0.9.
        progress : bool
            Show how far the curve is, where each value has to be computed apart.
        at : mapping, optional
            Covariates and the value every row gets, as in :meth:`effects`.

        Returns
        -------
        Sensitivity

        Raises
        ------
        ValueError
            For values outside (-1, 1), or where refits need the model of a loaded fit.

        Notes
        -----
        In closed pairs the curve is exact and comes from the draws at hand. Elsewhere the draws
        are carried to each value by affine Laplace transport, with Pareto-smoothed importance
        weights, and the compiled model is fitted again where their k-hat is above 0.7.

        References
        ----------
        Vehtari, A., Simpson, D., Gelman, A., Yao, Y., & Gabry, J. (2024). Pareto smoothed
        importance sampling. Journal of Machine Learning Research, 25(72), 1-58.
        """
        from bayesmed.sweep import sweep

        return sweep(self, rho, progress, at)

    def benchmarks(
        self,
        times: float = 1.0,
        kind: "Kind" = "besides",
        covariates: str | Sequence[str] | None = None,
    ) -> "Benchmarks":
        r"""The rho that omitted confounders as strong as observed covariates would produce.

        Parameters
        ----------
        times : float
            k: the confounder has the covariate's coefficients in both equations times
            :math:`\sqrt k`, so it explains k times the variance that the covariate explains.
        kind : {"besides", "leave-out"}
            A confounder like the covariate that was omitted besides it, or the covariate
            itself left out. The first is the question about what was not measured.
        covariates : str or list of str, optional
            By default all that stand in both equations. A factor or spline is one covariate
            through all its columns; an interaction with the treatment or with another
            covariate counts for each covariate in it, pooled over the rows; one with the
            mediator is taken where the mediator is at its mean.

        Returns
        -------
        Benchmarks
            One rho for each covariate and posterior draw, with its sign.

        Raises
        ------
        ValueError
            If a covariate does not stand in both equations, or an equation is no linear model
            on a latent scale with a residual of one variance.

        Notes
        -----
        With the covariate's coefficients :math:`\beta, \theta` in the mediator's equation and
        the outcome's regression at rho = 0, residual standard deviations :math:`\sigma_m, s`
        (s = 1 in a probit equation) and the residual covariance V of its columns given the
        treatment and the other covariates, k = 1 gives

        .. math::

            \text{besides:}\quad & \frac{\rho}{\sqrt{1-\rho^2}} =
                \frac{\beta'V\theta / (\sigma_m s)}{1 - \beta'V\beta/\sigma_m^2} \\
            \text{leave-out:}\quad & \rho = \frac{\beta'V\theta}
                {\sqrt{(\beta'V\beta + \sigma_m^2)(\theta'V\theta + s^2)}}

        :mod:`bayesmed.strength` derives them and says when no such confounder exists.
        """
        from bayesmed.benchmarks import make_benchmarks

        return make_benchmarks(self, times, kind, covariates)

    def coefficients(
        self,
        ci_prob: float = 0.95,
        ci_kind: Literal["eti", "hdi"] = "eti",
        round_to: Literal["auto"] | None = "auto",
    ) -> pd.DataFrame:
        """Coefficients of both equations at the model's rho, with the mediation paths named.

        Parameters
        ----------
        ci_prob, ci_kind, round_to
            As :meth:`bayesmed.Effects.summary`.

        Returns
        -------
        pandas.DataFrame
            Indexed by equation and term; ``path`` is a (treatment to mediator), b (mediator
            to outcome), c' (treatment to outcome) or their interaction, blank elsewhere.
            On the scale of each linear predictor.
        """
        return coefficient_table(self.posterior, self.about, ci_prob, ci_kind, round_to)

    def add_log_likelihood(self) -> "MediationFit":
        """Write the ``log_likelihood`` group: ``mediator`` log p(m), ``outcome`` log p(y | m).

        Returns
        -------
        MediationFit
            Itself. The arrays have dims (chain, draw, obs) and sum to the joint
            log-likelihood.

        Notes
        -----
        In a closed pair the likelihood does not depend on rho: LOO cannot compare values of
        rho there.
        """
        about, data = self.about, self.tree["constant_data"].to_dataset()
        observed = [self.tree["observed_data"][name].to_numpy() for name in EQUATIONS]
        regression = self.closed_map if about["independent"] else None
        out = row_log_likelihood(
            self.families, self.draws, data, observed, about["independent"], regression
        )
        arrays = {str(name): out[i].reshape(*self.shape, -1) for i, name in enumerate(EQUATIONS)}
        group = to_dataset(
            arrays, {"obs": np.arange(len(observed[0]))}, {name: ("obs",) for name in EQUATIONS}
        )
        self.tree["log_likelihood"] = xr.DataTree(group)
        return self

    def report(self, sensitivity: "Sensitivity | None" = None) -> str:
        """A methods and results paragraph with this fit's figures.

        Parameters
        ----------
        sensitivity : Sensitivity, optional
            Adds the tipping point.
        """
        from bayesmed.report import paragraph

        return paragraph(
            self.about,
            self.effects().draws,
            str(self.convergence),
            None if sensitivity is None else sensitivity.rho_zero,
        )

    def save(self, path: "str | os.PathLike[str]") -> None:
        """Write the fit to a NetCDF file; see :func:`bayesmed.load`."""
        from bayesmed.storage import save

        save(self, path)

    def __repr__(self) -> str:
        about = self.about
        chains, draws = self.shape
        lines = [
            f"MediationFit: {about['contrast']} on {about['outcome']} through {about['mediator']}, "
            f"n = {about['n']}, rho {about['rho']}",
            f"{chains} chains of {draws} draws by {about['sampler']}, random_seed "
            f"{about['settings']['random_seed']}",
            str(self.convergence),
            *about["notes"],
        ]
        return "\n".join(lines)


def fit(data: Any, **arguments: Any) -> MediationFit:
    """Build a :class:`MediationModel` and fit it in one call.

    Parameters
    ----------
    data : pandas.DataFrame or polars.DataFrame
    **arguments
        Those of :class:`MediationModel` and of :meth:`MediationModel.fit`.

    Returns
    -------
    MediationFit

    Raises
    ------
    ValueError, TypeError
        As MediationModel.

    Examples
    --------
    >>> import bayesmed as bm
    >>> fit = bm.fit(  # doctest: +SKIP
    ...     bm.load_data("jobs"),
    ...     mediator="job_seek ~ treat + econ_hard + sex + age",
    ...     outcome="depress2 ~ treat + job_seek + econ_hard + sex + age",
    ...     treatment="treat",
    ...     random_seed=1,
    ... )
    """
    own = {
        "mediator", "outcome", "treatment", "control", "treated", "mediator_family",
        "outcome_family", "rho", "priors", "priors_on", "mediator_data", "outcome_data",
        "mediator_sigma", "outcome_sigma",
    }  # fmt: skip
    model = MediationModel(data, **{k: v for k, v in arguments.items() if k in own})
    return model.fit(**{k: v for k, v in arguments.items() if k not in own})
