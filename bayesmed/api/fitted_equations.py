"""The fitted equations: what a user does with them before asking for effects."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import pandas as pd
import xarray as xr

from bayesmed.api.benchmarks import Benchmarks
from bayesmed.effects.paths import coefficient_table, path_draws
from bayesmed.effects.setting import Kind
from bayesmed.families.names import names_nearest
from bayesmed.means.slices import numbers_within
from bayesmed.posterior.likelihood import CHUNK, add_log_likelihood
from bayesmed.posterior.state import Posterior
from bayesmed.show.notebook import fit_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@names_nearest
@dataclass(frozen=True, eq=False, repr=False)
class FittedEquations(Posterior):
    """Coefficients, checks and files of a fit; see :class:`bayesmed.MediationFit`."""

    @property
    def about(self) -> dict[str, Any]:
        """The model in words and numbers, as plain data."""
        return dict(json.loads(self.tree.attrs["bayesmed"]))

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
        return coefficient_table(self.posterior, self.description, ci_prob, ci_kind, round_to)

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
        from bayesmed.show.tables import coefficients_shown

        found = self.coefficients(ci_prob, ci_kind, round_to=None)
        return coefficients_shown(found, self.description, ci_prob, ci_kind, style, title)

    def to_frame(self) -> pd.DataFrame:
        """Posterior draws, one row a draw and one column a parameter (``name[label]``)."""
        from bayesmed.show.frames import wide_frame

        return wide_frame(self.posterior)

    def benchmarks(
        self,
        times: float = 1.0,
        kind: Kind = "besides",
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
        """Prior and posterior density of rho; see :func:`bayesmed.show.plots.plot_rho`."""
        from bayesmed.show.plots import plot_rho

        return plot_rho(self.rho_draws(), ax=ax, **options)

    def plot_paths(self, ax: "Axes | None" = None) -> "Axes":
        """Path diagram with a, b, c' and rho; see :func:`bayesmed.show.plots.plot_paths`."""
        from bayesmed.show.plots import plot_paths

        return plot_paths(path_draws(self), self.description, self.posterior.get("rho"), ax)

    def add_log_likelihood(self, memory: float | None = None) -> Self:
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
        return plot_checks(tree, self.families, self.description, options)

    def diagnose(self) -> pd.DataFrame:
        """R-hat and effective sample sizes of every parameter, worst first, by ArviZ.

        :attr:`convergence` says in words what is wrong and what to do.
        """
        from bayesmed.show.checking import diagnostics

        return diagnostics(self.posterior)

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
        return fit_lines(self.description, self.shape, str(self.convergence))
