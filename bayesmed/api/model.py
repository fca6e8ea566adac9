"""The model as a user states it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self

import pandas as pd

from bayesmed.api.arguments import MODEL_ARGUMENTS, split_arguments
from bayesmed.api.effects import Effects
from bayesmed.api.fit import MediationFit, fit_of
from bayesmed.data.chunks import is_dask
from bayesmed.data.levels import Level
from bayesmed.effects.prior_effects import prior_effects
from bayesmed.families.family import Family
from bayesmed.families.names import names_nearest
from bayesmed.families.prior import Prior
from bayesmed.posterior.draw import draw_posterior
from bayesmed.posterior.graphs import graph_of
from bayesmed.posterior.streamed import keep_means
from bayesmed.show.notebook import html_of, model_lines, prior_frame
from bayesmed.system.about import describe
from bayesmed.system.default_priors import centred_terms
from bayesmed.system.settle import settle, tell
from bayesmed.system.statement import PriorScale, Statement
from bayesmed.system.system import System

if TYPE_CHECKING:
    import pymc as pm


@names_nearest
@dataclass(frozen=True, init=False, eq=False, repr=False)
class MediationModel(System):
    r"""A Bayesian model of causal mediation: two equations and one residual correlation.

    The mediator and the outcome have normal residual scores
    :math:`(e_m, e_y)` with correlation :math:`\rho`:

    .. math::

        M(t) = Q_m(\Phi(e_m); \theta_m(t, x)), \qquad
        Y(t, m) = Q_y(\Phi(e_y); \theta_y(t, m, x))

    with Q the quantile function of the equation's family. :math:`\rho = 0` is sequential
    ignorability (Imai, Keele & Tingley 2010, assumption 1).

    Parameters
    ----------
    data : pandas.DataFrame or polars.DataFrame
        Rows with missing values in any variable of either formula are dropped, counted and
        reported by a warning.
    mediator, outcome : str
        Formulas ``"response ~ terms"`` in formulaic's syntax. The treatment must stand in
        both, the mediator in the outcome's. A formula is code: do not take one from a
        source you do not trust.
    treatment : str
        Column of the treatment, numeric or categorical.
    control, treated : number or level, optional
        The contrast. 0 and 1 where the column holds nothing else; must be given otherwise.
    mediator_family, outcome_family : str or Family
        A name in :data:`bayesmed.FAMILIES`, or a :class:`bayesmed.Family` of your own.
    mediator_data, outcome_data : mapping, optional
        Further data of an equation, each the name of a column or a number: ``"trials"``
        (binomial), ``"exposure"`` (counts; its logarithm is added to the linear predictor),
        ``"event"`` (positive outcomes: 1 seen, 0 right-censored), ``"lower"`` and
        ``"upper"`` (tobit: limits at which values are censored), ``"offset"`` (any family;
        added to the linear predictor).
    mediator_sigma, outcome_sigma : str, optional
        Right-hand side of a regression of log sigma, such as ``"~ treat"``, for families
        with a sigma; it must not hold the mediator. Its priors go by the same names.
    rho : float or Prior
        Residual correlation in (-1, 1), fixed or with a prior.
    priors : mapping, optional
        ``{"mediator": {term: Prior}, "outcome": {term: Prior}}``, by column name of the
        design, as the formula has it, ``"Intercept"`` (at the means of the columns) or a
        parameter of the family, such as ``"sigma"``; ``"cutpoints"`` takes one prior for each of them, at the means
        of the columns, before they are put in order. What is not named keeps its default
        (:func:`bayesmed.system.default_priors.default_priors`).
    priors_on : {"regression", "structural"}, optional
        Which coefficients of the outcome the priors speak of: those of the regression at
        :math:`\rho = 0` or the structural ones at the model's :math:`\rho`. The default is
        ``"regression"`` in closed pairs, where the data say nothing about :math:`\rho`,
        and ``"structural"`` elsewhere, where there is no other choice.
    weights : None
        Refused: a weighted likelihood has no posterior. Effects take ``weights=``.

    Attributes
    ----------
    equations : dict of str to Equation
        ``"mediator"`` and ``"outcome"``: family, design, response and priors of each.
    designs : tuple of Design
        Those of the equations.
    families : dict of str to Family
        By the equations' keys.
    notes : tuple of str
        What was done to the data.
    priors_in_use : dict
        Every prior of both equations.
    prior_basis : dict of str to numpy.ndarray
        By equation, the matrix of shape (term, term) whose product with the coefficients is what
        the priors speak of: the coefficient itself where its prior was stated, that of the design
        with its columns centred before products where it is the default.
    identification : Closedness
        Whether the pair is closed under :math:`\rho`, and if not why.

    Raises
    ------
    ValueError, TypeError
        For data, formulas, contrasts or priors that cannot be used; the message says how to
        mend them.

    Warns
    -----
    IdentificationWarning
        Where something other than the data alone speaks about :math:`\rho`, or a covariate
        stands in the outcome equation only.
    UserWarning
        For dropped rows, numbers that arrived as text, coefficients that the likelihood does not
        bound (separation, an arm without events), a response with one value in an arm, and factors
        of very small groups.

    References
    ----------
    Imai, K., Keele, L., & Tingley, D. (2010). A general approach to causal mediation
    analysis. Psychological Methods, 15(4), 309-334.

    Imai, K., Keele, L., & Yamamoto, T. (2010). Identification, inference and sensitivity
    analysis for causal mediation effects. Statistical Science, 25(1), 51-71.

    Examples
    --------
    >>> import bayesmed as bm
    >>> model = bm.MediationModel(
    ...     bm.load_data("framing"),
    ...     mediator="emo ~ treat + age + educ + gender + income",
    ...     outcome="cong_mesg ~ emo + treat + age + educ + gender + income",
    ...     treatment="treat",
    ...     outcome_family="probit",
    ... )
    >>> model.identification.map is not None
    True
    """

    def __init__(
        self,
        data: Any,
        *,
        mediator: str,
        outcome: str,
        treatment: str,
        control: Level | None = None,
        treated: Level | None = None,
        mediator_family: str | Family = "gaussian",
        outcome_family: str | Family = "gaussian",
        rho: float | Prior = 0.0,
        priors: Mapping[str, Mapping[str, Prior]] | None = None,
        priors_on: PriorScale | None = None,
        mediator_data: Mapping[str, Any] | None = None,
        outcome_data: Mapping[str, Any] | None = None,
        mediator_sigma: str | None = None,
        outcome_sigma: str | None = None,
        weights: None = None,
    ) -> None:
        stated = {name: value for name, value in locals().items() if name in MODEL_ARGUMENTS}
        super().__init__(**settle(data, Statement(**stated)).parts)
        self.check()
        tell(self)

    def __getattr__(self, name: str) -> Any:
        if name in MODEL_ARGUMENTS:
            return getattr(self.statement, name)
        if not name.startswith("_") and hasattr(MediationFit, name):
            raise AttributeError(
                f"{name!r} is of the fit, not of the model: fit = model.fit(), then fit.{name}."
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __repr__(self) -> str:
        return "\n".join(model_lines(describe(self)))

    def _repr_html_(self) -> str:
        about = describe(self)
        return html_of(model_lines(about), prior_frame(about), "Priors")

    def with_contrast(self, control: Level, treated: Level) -> Self:
        """The same model with another pair of treatment values; its posterior is the same.

        Raises
        ------
        ValueError
            If a value does not exist or lies outside the data, or both are the same.
        """
        stated = replace(self.statement, control=control, treated=treated)
        again = self.changed(contrast=self.contrast_of(control, treated), statement=stated)
        again.check()
        return again

    def with_data(self, data: Any) -> Self:
        """The same model on other data; a fit of it compiles nothing new.

        Default priors are taken anew from the scale of the new data.
        """
        return type(self)(data, **vars(self.statement))

    def prior_summary(self) -> pd.DataFrame:
        """Every prior in use: equation, parameter, prior, and where it comes from.

        A default that is "centred" speaks of the coefficient where the columns that its column is
        multiplied with are at their means (:func:`bayesmed.data.centring.centred_basis`).
        """
        given, rows = self.statement.priors or {}, []
        for equation in self.equations.values():
            centred = centred_terms(equation)
            for key, priors in equation.priors.items():
                for name, prior in priors.items():
                    own = "default, centred" if name in centred[key] else "default"
                    own = "user" if name in given.get(key, {}) else own
                    rows.append((key, name, repr(prior), own))
        rho = self.correlation
        shown = str(rho) if rho.prior is None else repr(rho.prior)
        rows.append(("both", "rho", shown, "default" if rho.fixed == 0.0 else "user"))
        return pd.DataFrame(rows, columns=["equation", "parameter", "prior", "source"])

    def build(self) -> "pm.Model":
        """Return the PyMC model.

        Its observed variables are ``mediator``, with log p(m), and ``outcome``, with
        log p(y | m). Under ``priors_on="regression"`` the outcome's coefficients at
        rho = 0 are the random variable ``outcome_coef_rho0``; the likelihood, which does
        not depend on rho, is evaluated there, and the structural ``outcome_coef`` at rho is
        a deterministic function of it.

        Returns
        -------
        pymc.Model
            Dims ``obs``, ``mediator_term``, ``outcome_term``. ``rho`` is data where it is
            fixed. It is made once; do not change it.
        """
        return graph_of(self)

    def prior_predictive(self, draws: int = 500, random_seed: int | None = None) -> Effects:
        """Draw from the prior: data and the effects it implies.

        Parameters
        ----------
        draws : int
            Number of draws.
        random_seed : int, optional
            Drawn and kept in the attributes when None.

        Returns
        -------
        Effects
            Effects under the prior; ``.tree`` holds the groups ``prior`` (parameters) and
            ``prior_predictive`` with ``mediator`` and ``outcome`` of dims (chain, draw, obs),
            the outcome drawn at the simulated mediator.
        """
        return Effects(*prior_effects(self, draws, random_seed))

    def fit(
        self,
        *,
        draws: int = 1000,
        tune: int = 1000,
        chains: int = 4,
        cores: int | None = None,
        random_seed: int | None = None,
        sampler: Literal["nutpie", "pymc", "numpyro"] = "nutpie",
        method: Literal["nuts", "laplace"] = "nuts",
        progress: bool = True,
        **sampler_options: Any,
    ) -> MediationFit:
        """Draw from the joint posterior.

        Parameters
        ----------
        draws, tune, chains : int
            Kept draws and warm-up draws of each chain, and the number of chains.
        cores : int, optional
            Chains run at once; all cores by default.
        random_seed : int, optional
            The same seed gives the same draws. Drawn, kept and reported when None.
        sampler : {"nutpie", "pymc", "numpyro"}
            numpyro must be installed to be named.
        method : {"nuts", "laplace"}
            "laplace" proposes from a multivariate t around the mode and accepts by the exact
            density (independence Metropolis-Hastings), in a fraction of the time; where the
            proposals' Pareto k-hat is above 0.7 it warns and samples by NUTS. Two Gaussian
            equations with flat priors (``Flat``, and ``HalfFlat`` of sigma) have independent draws
            of the exact posterior.
        progress : bool
            Show the sampler's progress bar.
        **sampler_options
            Passed to the sampler, such as ``target_accept``.

        Returns
        -------
        MediationFit

        Raises
        ------
        ImportError
            If the sampler is not installed.
        RuntimeError
            If sampling was interrupted before any draw was kept.
        """
        found = draw_posterior(
            self, draws=draws, tune=tune, chains=chains, cores=cores, random_seed=random_seed,
            sampler=sampler, progress=progress, method=method, **sampler_options,
        )  # fmt: skip
        return MediationFit(found.tree, self)


@names_nearest
def fit(data: Any, *, moments: bool | None = None, **arguments: Any) -> MediationFit:
    """Build a :class:`MediationModel` and fit it in one call.

    Parameters
    ----------
    data : pandas.DataFrame, polars.DataFrame, dask DataFrame, or path
        A path is of a Parquet file or directory.
    moments : bool, optional
        Read the rows part by part and keep their moments only, which two Gaussian equations
        need; so for Dask frames and paths. The fit then has effects and sensitivity, averaged
        over all rows, but nothing that needs single rows, such as ``by=`` and ``at=``.
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
    >>> fit = bm.fit(
    ...     bm.load_data("jobs"),
    ...     mediator="job_seek ~ treat + econ_hard + sex + age",
    ...     outcome="depress2 ~ treat + job_seek + econ_hard + sex + age",
    ...     treatment="treat",
    ...     random_seed=1,
    ...     progress=False,
    ... )
    """
    own, settings = split_arguments(arguments, "fit()", ("moments",))
    if moments or isinstance(data, (str, os.PathLike)) or is_dask(data):
        from bayesmed.posterior.moments import posterior_of_parts

        found = fit_of(posterior_of_parts(data, own, settings))
        if found.passes is not None:
            means = found.effects().po
            assert means is not None
            keep_means(found.tree, means)
        return found
    return MediationModel(data, **own).fit(**settings)
