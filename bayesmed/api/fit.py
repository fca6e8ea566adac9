"""The fit: what a user does with posterior draws."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayesmed.api.benchmarks import Benchmarks
from bayesmed.api.effects import Effects
from bayesmed.api.reliability import ReliabilityCurve
from bayesmed.api.sensitivity import Sensitivity
from bayesmed.effects.assumed import draws_under
from bayesmed.effects.estimands import Scale, contrasts
from bayesmed.effects.means_of import means_of
from bayesmed.effects.paths import coefficient_table, path_draws
from bayesmed.effects.question import ask
from bayesmed.effects.setting import effects_about
from bayesmed.families.names import names_nearest, parameters_of, refuse_unknown
from bayesmed.families.prior import Prior
from bayesmed.means.slices import numbers_within
from bayesmed.posterior.file import read
from bayesmed.posterior.likelihood import CHUNK, add_log_likelihood
from bayesmed.posterior.nuts import settle_seed
from bayesmed.posterior.state import Posterior
from bayesmed.posterior.streamed import kept_means
from bayesmed.sensitivity.strength import Kind
from bayesmed.system.about import sampler_words
from bayesmed.system.system import System

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@names_nearest
@dataclass(frozen=True, eq=False)
class MediationFit(Posterior):
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
    passes : Passes, LostRows or None
        Rows that are read part by part, where equations other than Gaussian were fitted to them.
    """

    def effects(
        self,
        at: Mapping[str, Any] | None = None,
        average: Literal["sample", "population"] = "sample",
        *,
        by: str | Sequence[str] | None = None,
        on: Literal["all", "treated", "untreated"] = "all",
        weights: str | None = None,
        contrast: Any = None,
        of: Any = "mean",
        m: Any = None,
        scale: Scale = "difference",
        rho: Any = None,
        random_seed: int | None = None,
        memory: float | None = None,
    ) -> Effects:
        r"""Posterior of the mediation effects.

        Parameters
        ----------
        at : mapping, optional
            Covariates and the value every row gets, for conditional effects. Effects at two
            settings have paired draws: subtract one from the other.
        average : {"sample", "population"}
            Over the observed rows, or over a Bayesian bootstrap of them, which adds the
            uncertainty about the population's covariates.
        by : str or list of str, optional
            A column, in the formulas or not: effects averaged over the rows of each of its
            values, along the dimension ``by``. Of several columns, one group for each
            combination that rows have, labelled such as ``"f, A"``. Not the mediator or the
            outcome, nor ranges of them. :meth:`Effects.differences` compares groups.
        on : {"all", "treated", "untreated"}
            Whom to average over: those observed under the treated, or the control value.
        weights : str, optional
            A column of weights of the rows in the average, such as survey weights.
        contrast : tuple, list of tuples or "pairwise", optional
            (control, treated) instead of the model's own; several along the dimension
            ``contrast``; all pairs of the treatment's values.
        of : str or Functional
            What of the outcome is averaged: "mean"; "categories" of an ordered one;
            "log_time"; "observed" of a tobit one; :func:`bayesmed.probability`,
            :func:`bayesmed.survival`, :func:`bayesmed.restricted_mean`,
            :func:`bayesmed.quantile`.
        m : number, level or list, optional
            A value of the mediator, or several along the dimension ``m``: adds the controlled
            direct effect and the four-way decomposition (:meth:`Effects.four_way`).
        scale : {"difference", "ratio", "odds_ratio", "standardised"}
            "standardised" divides by the outcome's sample standard deviation; where a numeric
            treatment has more than two values, effects are those of one standard deviation of
            it.
        rho : float, Prior or RhoBenchmark, optional
            In closed pairs with priors on the regression, the effects at another residual
            correlation, or under a prior on it, from the draws at hand: the posterior of rho is
            its prior.
        random_seed : int, optional
            Of the draws of rho; the fit's own by default.
        memory : float, optional
            Gigabytes that working arrays may take, beside the rows themselves: the means are
            taken over some rows at a time. Quantiles and ``average="population"`` need all rows
            at once and take no notice of it.

        Returns
        -------
        Effects
            On the scale of the functional. Where the means need integrals within integrals for
            many rows, at every k-th draw, as its headline says.

        Raises
        ------
        ValueError, TypeError
            For a variable, level, group, functional or scale that does not exist or does not go
            with the model; the message says what does.

        References
        ----------
        Imai, K., Keele, L., & Tingley, D. (2010). Psychological Methods, 15(4), 309-334.

        Rubin, D. B. (1981). The Bayesian bootstrap. Annals of Statistics, 9(1), 130-134.

        VanderWeele, T. J. (2014). A unification of mediation and interaction. Epidemiology,
        25(5), 749-761.

        Examples
        --------
        >>> float(fit.effects(at={"x": 1.0}).summary().loc["ACME (average)", "P(>0)"])
        1.0
        """
        if average not in ("sample", "population"):
            raise ValueError(f"average={average!r}; choose 'sample' or 'population'.")
        if random_seed is not None:
            settle_seed(random_seed)
        about = self.about
        if average == "population" and about.get("moments"):
            self.require_model("average='population'")
        bootstrap = about["settings"]["random_seed"] if average == "population" else None
        asked = ask(
            self, at=at, by=by, on=on, weights=weights, contrast=contrast, of=of, m=m, scale=scale,
            memory=memory,
        )  # fmt: skip
        draws = self.draws
        if rho is not None:
            draws, about["rho"] = draws_under(self, rho, random_seed)
        asked_for = (at, by, weights, contrast, m, rho, bootstrap)
        po = kept_means(self.tree) if on == "all" and all(v is None for v in asked_for) else None
        if po is None:
            po = means_of(asked, draws, self.shape, bootstrap)
        result = contrasts(po, asked.scale, asked.unit)
        said = {**effects_about(about, at, average, asked.said), "every": int(po.attrs["every"])}
        result.attrs["bayesmed"] = json.dumps(said)
        return Effects(result, po=po)

    def dose_response(self, values: Any = None, control: Any = None, **options: Any) -> Effects:
        """Effects of moving a numeric treatment from one value to each of several.

        Parameters
        ----------
        values : array-like of float, optional
            Treated values; nine quantiles of the observed treatment by default.
        control : float, optional
            The value they are compared with; the model's own control by default.
        **options
            As in :meth:`effects`, but ``contrast``.

        Returns
        -------
        Effects
            Along the dimension ``dose``.

        Raises
        ------
        ValueError
            If the treatment is categorical, or a value lies outside the data.
        """
        known = [n for n in parameters_of(MediationFit.effects) if n != "contrast"]
        refuse_unknown(options, ["values", "control", *known], "dose_response()")
        model = self.require_model("A dose-response curve")
        column = model.frame.data[model.treatment]
        if isinstance(column.dtype, pd.CategoricalDtype):
            raise ValueError(
                f"{model.treatment!r} is categorical, without doses; use contrast='pairwise'."
            )
        if options.get("scale") == "standardised":
            raise ValueError(
                "scale='standardised' is per standard deviation of a numeric treatment, whatever the "
                "dose; use scale='difference' for a dose-response curve."
            )
        start = model.contrast.control if control is None else control
        if values is None:
            values = np.quantile(column, np.linspace(0.05, 0.95, 9))
        try:
            doses = [float(v) for v in np.unique(np.asarray(values, dtype=float)) if v != start]
        except (TypeError, ValueError):
            raise TypeError(f"values= takes numbers; {values!r} was given.") from None
        if not doses:
            raise ValueError(
                f"values={values!r} holds no dose other than the control {start!r}, with which doses "
                "are compared."
            )
        found = self.effects(contrast=[(start, dose) for dose in doses], **options)
        named = {"contrast": "dose"}
        draws = found.draws.rename(named).assign_coords(dose=doses)
        draws.attrs["bayesmed"] = json.dumps(
            {**found.about, "contrast": f"{model.treatment}: {start} -> dose"}
        )
        assert found.po is not None
        return Effects(draws, po=found.po.rename(named).assign_coords(dose=doses))

    def sensitivity(
        self,
        rho: Any = None,
        progress: bool = True,
        at: Mapping[str, Any] | None = None,
        *,
        by: str | Sequence[str] | None = None,
        on: Literal["all", "treated", "untreated"] = "all",
        weights: str | None = None,
        contrast: Any = None,
        of: Any = "mean",
        m: Any = None,
        scale: Scale = "difference",
        memory: float | None = None,
    ) -> Sensitivity:
        """Posterior of every effect as a function of the residual correlation.

        Parameters
        ----------
        rho : array-like of float, optional
            Values in (-1, 1); by default 37 from -0.9 to 0.9.
        progress : bool
            Show how far the curve is, where each value has to be computed apart.
        at : mapping, optional
            Covariates and the value every row gets, as in :meth:`effects`.
        by, on, weights, contrast, of, m, scale, memory
            As in :meth:`effects`.

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

        Examples
        --------
        >>> sensitivity = fit.sensitivity([-0.3, 0.0, 0.3])
        >>> sensitivity.summary().index.tolist()
        [-0.3, 0.0, 0.3]
        """
        from bayesmed.sensitivity.sweep import sweep

        asked = ask(
            self, at=at, by=by, on=on, weights=weights, contrast=contrast, of=of, m=m, scale=scale,
            memory=memory,
        )  # fmt: skip
        return Sensitivity(*sweep(self, rho, progress, at, asked))

    def effects_with_error(
        self,
        reliability: float | Prior,
        rho: float | Prior | None = None,
        *,
        at: Mapping[str, Any] | None = None,
        random_seed: int | None = None,
    ) -> Effects:
        r"""Effects of the true mediator, where the observed one is measured with error.

        Parameters
        ----------
        reliability : float or Prior
            :math:`\lambda = Var(M) / Var(M^*)`, the share of the variance of the observed
            mediator that is not error, in (0, 1]. The error is normal, additive and independent
            of everything.
        rho : float or Prior, optional
            Correlation of the structural residuals of the true mediator and the outcome; by
            default the fit's own.
        at : mapping, optional
            Covariates and the value every row gets, as in :meth:`effects`.
        random_seed : int, optional
            Of the draws of priors; by default the fit's.

        Returns
        -------
        Effects
            On the scale of the response. The data say nothing about the reliability beyond a
            least value; draws below it are left out, and the table says how many.

        Raises
        ------
        ValueError
            If the mediator is not Gaussian or does not enter the outcome as a plain column, the
            pair is not closed, the reliability is outside of (0, 1], or more than 5% of the draws
            have no solution.

        Notes
        -----
        See :mod:`bayesmed.effects.measurement_error` for the exact map. At a reliability of one this is
        :meth:`effects`; the total effect does not depend on the reliability.

        References
        ----------
        Fuller, W. A. (1987). Measurement error models. Wiley. Section 1.1.

        Examples
        --------
        >>> fit.effects_with_error(reliability=0.9).draws.sizes["arm"]
        3
        """
        from bayesmed.effects.measurement_error import effects_with_error

        return Effects(effects_with_error(self, reliability, rho, at, random_seed))

    def reliability_curve(
        self,
        reliability: Any = None,
        rho: float | Prior | None = None,
        *,
        at: Mapping[str, Any] | None = None,
        random_seed: int | None = None,
    ) -> ReliabilityCurve:
        """Effects along the reliability of the observed mediator.

        Parameters
        ----------
        reliability : array-like of float, optional
            Values in (0, 1]; by default 21 from 0.5 to 1.
        rho, at, random_seed
            As :meth:`effects_with_error`.

        Returns
        -------
        ReliabilityCurve

        Raises
        ------
        ValueError
            As :meth:`effects_with_error`, where no value of the grid is possible.
        """
        from bayesmed.effects.measurement_error import check_reliabilities, curve_draws

        grid = check_reliabilities(reliability)
        return ReliabilityCurve(curve_draws(self, grid, rho, at, random_seed))

    def effects_with_treatment_confounding(
        self,
        rho_tm: float | Prior = 0.0,
        rho_ty: float | Prior = 0.0,
        rho_my: float | Prior = 0.0,
        *,
        at: Mapping[str, Any] | None = None,
        random_seed: int | None = None,
    ) -> Effects:
        """Effects where unmeasured variables also move a numeric treatment.

        Parameters
        ----------
        rho_tm, rho_ty, rho_my : float or Prior
            Correlations of the structural residuals of treatment and mediator, treatment and
            outcome, mediator and outcome; the three must form a positive definite matrix. A
            prior is not updated by the data.
        at : mapping, optional
            Covariates and the value every row gets, as in :meth:`effects`.
        random_seed : int, optional
            Of the treatment equation's posterior and the priors; by default the fit's.

        Returns
        -------
        Effects
            On the scale of the response.

        Raises
        ------
        ValueError
            If the treatment is not numeric with more than two values, the mediator not Gaussian,
            the outcome neither Gaussian nor probit, the pair not closed, or the correlations
            impossible.

        Notes
        -----
        See :mod:`bayesmed.effects.treatment_confounding` for the treatment equation and the exact map.
        With ``rho_tm = rho_ty = 0`` this is the curve of :meth:`sensitivity` at ``rho_my``.
        """
        from bayesmed.effects.treatment_confounding import effects_with_treatment_confounding

        correlations = (rho_tm, rho_ty, rho_my)
        return Effects(effects_with_treatment_confounding(self, correlations, at, random_seed))

    def benchmarks(
        self,
        times: float = 1.0,
        kind: "Kind" = "besides",
        covariates: str | Sequence[str] | None = None,
    ) -> Benchmarks:
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

        :mod:`bayesmed.sensitivity.strength` derives them and says when no such confounder exists.

        Examples
        --------
        >>> fit.benchmarks().summary().index.tolist()
        ['x']
        """
        from bayesmed.sensitivity.benchmark import make_benchmarks

        return Benchmarks(make_benchmarks(self, times, kind, covariates))

    def coefficients(
        self,
        ci_prob: float = 0.95,
        ci_kind: Literal["eti", "hdi"] = "eti",
        round_to: int | Literal["auto"] | None = "auto",
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
            to outcome), c' (treatment to outcome) or their interaction, blank elsewhere; where
            the variable interacts with others, at which of their values. On the scale of each
            linear predictor. :meth:`plot_paths` shows the paths of the contrast, averaged.

        Examples
        --------
        >>> table = fit.coefficients()
        >>> table.index[table["path"] == "a"].tolist()
        [('mediator', 'treat')]
        """
        return coefficient_table(self.posterior, self.about, ci_prob, ci_kind, round_to)

    def table(
        self,
        ci_prob: float = 0.95,
        ci_kind: Literal["eti", "hdi"] = "eti",
        style: Literal["html", "latex", "markdown", "frame"] = "html",
        title: str | None = None,
    ) -> Any:
        """Coefficients of both equations as a paper shows them.

        Parameters
        ----------
        ci_prob, ci_kind
            As :meth:`bayesmed.Effects.summary`.
        style, title
            As :meth:`bayesmed.Effects.table`.

        Returns
        -------
        great_tables.GT, str or pandas.DataFrame
            On the scale of each linear predictor.
        """
        from bayesmed.show.tables import coefficients_in_words, note_of, styled

        shown = coefficients_in_words(self.coefficients(ci_prob, ci_kind, round_to=None))
        about = {**self.about, "at": "", "averaged": "coefficients of both equations"}
        caption = f"Coefficients of {about['mediator']} and {about['outcome']}"
        note = note_of(about, ci_prob, ci_kind)
        return styled(shown, style, title, note, caption=caption)

    def to_frame(self) -> pd.DataFrame:
        """Posterior draws, one row a draw and one column a parameter (``name[label]``)."""
        from bayesmed.show.frames import wide_frame

        return wide_frame(self.posterior)

    def prior_sensitivity(
        self,
        effects: Effects | None = None,
        by: Literal["equation", "coefficient"] = "equation",
        arm: str = "average",
        where: Mapping[str, Any] | None = None,
        threshold: float = 0.05,
    ) -> pd.DataFrame:
        """How each effect moves with each prior, by power-scaling, and what that means.

        A table; see :func:`bayesmed.sensitivity.prior_scaling.prior_sensitivity` for it and the arguments.
        """
        from bayesmed.sensitivity.prior_scaling import prior_sensitivity

        own = self.effects() if effects is None else effects
        return prior_sensitivity(self, own.draws, by, arm, where, threshold)

    def rho_draws(self) -> xr.Dataset:
        """``rho(chain, draw)`` of the posterior and ``rho_prior(prior_draw)`` of its prior.

        Raises
        ------
        ValueError
            If rho was fixed.
        """
        from bayesmed.sensitivity.rho_prior import rho_draws

        return rho_draws(self)

    def plot_rho(self, ax: "Axes | None" = None, **options: Any) -> "Axes":
        """Prior and posterior density of rho; see :func:`bayesmed.show.plots.rho.plot_rho`."""
        from bayesmed.show.plots.rho import plot_rho

        return plot_rho(self.rho_draws(), ax=ax, **options)

    def add_log_likelihood(self, memory: float | None = None) -> "MediationFit":
        """Write the ``log_likelihood`` group: ``mediator`` log p(m), ``outcome`` log p(y | m).

        Parameters
        ----------
        memory : float, optional
            Gigabytes that working arrays may take, beside the result, which has 16 bytes for
            each row and draw.

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
        add_log_likelihood(self, CHUNK if memory is None else numbers_within(memory))
        return self

    def loo(self) -> pd.DataFrame:
        """Leave-one-out predictive accuracy of each equation and of both, by ArviZ.

        Adds the ``log_likelihood`` group where it is not there. See :func:`bayesmed.compare`.

        Returns
        -------
        pandas.DataFrame
            Rows mediator, outcome, joint; the sum of the rows' log predictive densities
            ``elpd``, its standard error, the effective number of parameters ``p``, the largest
            Pareto k and how many are above what is good.

        Examples
        --------
        >>> fit.loo().index.tolist()
        ['mediator', 'outcome', 'joint']
        """
        from bayesmed.api.compare import loo_table

        return loo_table(self)

    def posterior_predictive(self, draws: int = 200, random_seed: int | None = None) -> xr.DataTree:
        """Simulate mediator and outcome of every row, the outcome at the simulated mediator.

        Parameters
        ----------
        draws : int
            How many of the fit's draws, evenly spaced; memory is 16 bytes a row and draw.
        random_seed : int, optional
            By default the fit's.

        Returns
        -------
        xarray.DataTree
            Groups ``posterior_predictive`` (chain, draw, obs) and ``observed_data``, with the
            coordinate ``arm``; the first is also written into :attr:`tree`. Categories are codes
            0, 1, ...; times are uncensored.

        Raises
        ------
        ValueError
            If the fit was loaded without its model, or has fewer draws.

        Examples
        --------
        >>> tree = fit.posterior_predictive(draws=50)
        >>> dict(tree["posterior_predictive"].sizes)
        {'chain': 1, 'draw': 50, 'obs': 200}
        """
        from bayesmed.posterior.simulate import posterior_predictive

        return posterior_predictive(self, draws, random_seed)

    def check(
        self,
        draws: int = 500,
        random_seed: int | None = None,
        ci_prob: float = 0.95,
        ci_kind: Literal["eti", "hdi"] = "eti",
    ) -> pd.DataFrame:
        """Posterior predictive checks: statistics of the data against those of simulated data.

        Parameters
        ----------
        draws, random_seed
            As :meth:`posterior_predictive`.
        ci_prob, ci_kind
            Of the intervals of the simulated statistics.

        Returns
        -------
        pandas.DataFrame
            For mediator and outcome in each arm the mean, sd, least and greatest value (of 0/1
            responses the mean): observed, and of simulated data the median and interval; ``p`` is
            the share of simulated data sets above the observed. Near 0 or 1 it shows a misfit.

        Examples
        --------
        >>> fit.check(draws=50).index.names
        FrozenList(['response', 'arm', 'statistic'])
        """
        from bayesmed.show.checking import check_table

        return check_table(self.posterior_predictive(draws, random_seed), ci_prob, ci_kind)

    def plot_check(
        self, draws: int = 100, random_seed: int | None = None, **options: Any
    ) -> dict[str, Any]:
        """Simulated against observed data by arm, a figure by ArviZ for each response.

        The distribution functions of both (``arviz.plot_ppc_dist``); of a 0/1 response the
        observed share against the predicted probability (``arviz.plot_ppc_pava``), whose line
        should stay within the band around the diagonal.

        Parameters
        ----------
        draws, random_seed
            As :meth:`posterior_predictive`.
        **options
            Of these two functions.

        Returns
        -------
        dict of str to arviz_plots.PlotCollection
            By the name of the response.
        """
        from bayesmed.show.checking import plot_checks

        tree = self.posterior_predictive(draws, random_seed)
        return plot_checks(tree, self.families, self.about, options)

    def diagnose(self) -> pd.DataFrame:
        """R-hat and effective sample sizes of every parameter, worst first, by ArviZ.

        :attr:`convergence` says in words what is wrong and what to do.
        """
        import arviz_stats as az

        parts = {
            "r_hat": az.rhat(self.posterior), "ess_bulk": az.ess(self.posterior, method="bulk"),
            "ess_tail": az.ess(self.posterior, method="tail"),
        }  # fmt: skip
        from bayesmed.show.frames import wide_frame

        rows = {
            name: wide_frame(found.expand_dims(("chain", "draw")))
            .drop(columns=["chain", "draw"])
            .iloc[0]
            for name, found in parts.items()
        }
        return pd.DataFrame(rows).sort_values("ess_bulk")

    def plot_paths(self, ax: "Axes | None" = None) -> "Axes":
        """Path diagram with a, b, c' and rho; see :func:`bayesmed.show.plots.paths.plot_paths`."""
        from bayesmed.show.plots.paths import plot_paths

        rows = self.kept_counterfactuals if self.model is None else self.counterfactuals()
        paths = path_draws(rows, self.draws, self.shape)
        return plot_paths(paths, self.about, self.posterior.get("rho"), ax)

    def report(self, sensitivity: Sensitivity | None = None, effects: Effects | None = None) -> str:
        """A methods and results paragraph with this fit's figures.

        Parameters
        ----------
        sensitivity : Sensitivity, optional
            Adds the tipping point.
        effects : Effects, optional
            Those to report, such as ``fit.effects(scale="ratio")`` or of one group; by default
            :meth:`effects`.

        Raises
        ------
        ValueError
            If the effects are those of several groups or contrasts; choose one by ``.where()``.

        Examples
        --------
        >>> "ACME" in fit.report() or "causal mediation effect" in fit.report()
        True
        """
        from bayesmed.show.paragraph import paragraph

        return paragraph(*self._told(sensitivity, effects))

    def checklist(
        self, sensitivity: Sensitivity | None = None, effects: Effects | None = None
    ) -> pd.DataFrame:
        """The AGReMA checklist of a paper, filled in as far as the fit knows.

        Arguments as of :meth:`report`; see :func:`bayesmed.show.agrema.checklist` for the table.
        """
        from bayesmed.show.agrema import checklist

        return checklist(*self._told(sensitivity, effects))

    def _told(self, sensitivity: Sensitivity | None, effects: Effects | None) -> tuple[Any, ...]:
        """What a report is made of."""
        if isinstance(sensitivity, Effects):
            raise TypeError(
                "The first argument is the sensitivity, fit.sensitivity(); effects are given by name: "
                "effects=fit.effects()."
            )
        own = self.effects() if effects is None else effects
        zero = None if sensitivity is None else sensitivity.rho_zero
        about, (chains, draws) = self.about, self.shape
        about["settings"] |= {"chains": chains, "draws": draws}  # fewer where interrupted
        return about, own.draws, str(self.convergence), zero

    def save(self, path: "str | os.PathLike[str]") -> None:
        """Write the fit to a NetCDF file; see :func:`bayesmed.load`."""
        from bayesmed.posterior.file import save

        save(self, path)

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _repr_html_(self) -> str:
        from bayesmed.show.notebook import html_of

        return html_of(self._lines(), self.coefficients(), "Coefficients")

    def _lines(self) -> list[str]:
        about = self.about
        chains, draws = self.shape
        return [
            f"MediationFit: {about['contrast']} on {about['outcome']} through {about['mediator']}, "
            f"n = {about['n']}, rho {about['rho']}",
            f"{chains} chains of {draws} draws by {sampler_words(about)}, random_seed "
            f"{about['settings']['random_seed']}",
            str(self.convergence),
            *about["notes"],
        ]


def fit_of(found: Posterior) -> MediationFit:
    """The face of a posterior."""
    return MediationFit(found.tree, found.model, found.passes)


@names_nearest
def load(path: "str | os.PathLike[str]", model: System | None = None) -> MediationFit:
    """Read a fit that :meth:`bayesmed.MediationFit.save` wrote.

    Parameters
    ----------
    path : path-like
    model : MediationModel, optional
        The model, built by the user from the same data, in the same order, and formulas: needed
        for ``at=`` and for refits. Formulas in the file are text for the report and never evaluated.

    Returns
    -------
    MediationFit

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a fit of bayesmed, is damaged, or the model is not the one it was fitted
        with.
    """
    return fit_of(read(path, model))
