"""The fit: what a user asks of posterior draws."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from bayesmed.api.effects import Effects
from bayesmed.api.fitted_equations import FittedEquations
from bayesmed.api.reliability import ReliabilityCurve
from bayesmed.api.sensitivity import Sensitivity
from bayesmed.effects.answer import answer, dose_response
from bayesmed.effects.estimands import Scale
from bayesmed.effects.question import Question
from bayesmed.families.names import names_nearest, parameters_of, refuse_unknown
from bayesmed.families.prior import Prior
from bayesmed.means.accuracy import Accuracy
from bayesmed.posterior.state import Posterior


@names_nearest
@dataclass(frozen=True, eq=False, repr=False)
class MediationFit(FittedEquations):
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
        accuracy: Accuracy = "posterior",
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
        accuracy : {"posterior", "exact"}
            Of the means: their error is at most a thousandth of the posterior standard deviation
            of the effect that varies least (what was reached is ``error`` in the attribute
            ``bayesmed`` of ``draws``), or integrals are refined until they settle to 1e-8.

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
        question = Question(
            at=at, average=average, by=by, on=on, weights=weights, contrast=contrast, of=of, m=m,
            scale=scale, memory=memory, accuracy=accuracy,
        )  # fmt: skip
        draws, po = answer(self, question, rho, random_seed)
        return Effects(draws, po=po)

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
        draws, po = dose_response(self, values, control, **options)
        return Effects(draws, po=po)

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
        accuracy: Accuracy = "posterior",
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
        by, on, weights, contrast, of, m, scale, memory, accuracy
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
        are carried along rho by affine Laplace transport, with Pareto-smoothed importance
        weights at each value, and the compiled model is fitted again where their k-hat is above
        0.7. Weights and means are taken at a few values of rho and interpolated in arcsin(rho),
        unless ``accuracy="exact"``. Another ``scale`` of the last curve computes nothing again.

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

        question = Question(
            at=at, by=by, on=on, weights=weights, contrast=contrast, of=of, m=m, scale=scale,
            memory=memory, accuracy=accuracy,
        )  # fmt: skip
        return Sensitivity(*sweep(self, rho, progress, question))

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
        about, (chains, draws) = self.description, self.shape
        counts = {"chains": chains, "draws": draws}  # fewer where interrupted
        about = about.saying(settings={**about.settings, **counts})
        return about, own.draws, str(self.convergence), zero


def fit_of(found: Posterior) -> MediationFit:
    """The face of a posterior."""
    return MediationFit(found.tree, found.model, found.passes)
