r"""How strong a confounder each observed covariate would make, had it been omitted.

On the latent scales of both equations let :math:`\beta, \theta` be covariate j's coefficients
in the mediator's equation and in the outcome's regression at rho = 0, V the residual covariance
of its columns given the treatment and the other covariates, and

.. math::

    a = \frac{\beta' V \beta}{\sigma_m^2}, \qquad
    b = \frac{\beta' V \theta}{\sigma_m s}, \qquad
    c = \frac{\theta' V \theta}{s^2}.

**Besides j.** A confounder that is k times as strong as j has j's structural coefficients times
:math:`\sqrt k` and V, and is independent of all that was observed. Were it omitted, theta would
differ from j's structural coefficients by what the confounder itself does, which gives

.. math::

    y = \frac{\pm k b}{1 \mp \omega k a}, \qquad \rho = \frac{y}{\sqrt{1 + \omega y^2}},

with the upper signs where it acts as j does, and the lower ones where its effect on the outcome
is j's with the opposite sign. It explains the shares

.. math::

    R^{2*}_M = k a, \qquad
    R^{2*}_Y = \frac{k (c + 2 \omega y b + \omega^2 y^2 a)}{1 + \omega y^2}

of the residual variances. Where one of them is 1 or more there is no such confounder. omega is
1 for a continuous mediator (see ``latent``), and the formulas are exact then.

**Leave-out.** Were rho zero with all covariates, dropping a covariate k times as strong as j
would give :math:`\rho = k b / \sqrt{(1 + k a)(1 + k c)}`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg

from bayesmed.data.design import sizes
from bayesmed.data.frame import assign
from bayesmed.effects.setting import Kind
from bayesmed.posterior.state import Posterior
from bayesmed.sensitivity.latent_scales import LatentScales
from bayesmed.system.about import About

#: Relative singular values below this are those of repeated columns.
_SAME = 1e-10
KINDS: tuple[Kind, Kind] = ("besides", "leave-out")


def shared_covariates(about: About) -> list[str]:
    """Covariates that stand in both equations, in the order of the mediator's."""
    return [name for name in about.used_in("mediator") if name in about.used_in("outcome")]


@dataclass(frozen=True)
class Strength:
    """A covariate's contributions, per draw, in units of the residuals at rho = 0.

    Attributes
    ----------
    mediator, product, outcome : numpy.ndarray
        a, b and c of the module, shape (S,).
    shown : numpy.ndarray
        omega, shape (S,).
    """

    mediator: np.ndarray
    product: np.ndarray
    outcome: np.ndarray
    shown: np.ndarray

    def confounder(self, times: Any, sign: Any = 1.0, kind: Kind = "besides") -> "Confounder":
        """The omitted confounder that is some times as strong as the covariate.

        Parameters
        ----------
        times : float or numpy.ndarray
            k >= 0, a number or one for each draw.
        sign : float or numpy.ndarray
            1 where it acts as the covariate does, -1 where its effect on the outcome has the
            opposite sign.
        """
        a, b, c, shown = (
            times * self.mediator,
            times * self.product,
            times * self.outcome,
            self.shown,
        )
        if kind == "leave-out":
            rho = sign * b / np.sqrt((1.0 + a) * (1.0 + c))
            return Confounder(rho, a / (1.0 + a), c / (1.0 + c))
        with np.errstate(divide="ignore", invalid="ignore"):
            y = sign * b / (1.0 - sign * shown * a)
            explained = c + times * (2.0 * shown * y * self.product)
            explained = explained + times * (shown * y) ** 2 * self.mediator
            share = explained / (1.0 + shown * y * y)
            rho = y / np.sqrt(1.0 + shown * y * y)
        none = ~((a < 1.0) & (share < 1.0))
        return Confounder(*(np.where(none, np.nan, value) for value in (rho, a, share)))

    def times_for(self, rho: np.ndarray, sign: float = 1.0, kind: Kind = "besides") -> np.ndarray:
        """How many times as strong as the covariate a confounder must be to produce rho.

        The inverse of :meth:`confounder`.

        Parameters
        ----------
        rho : numpy.ndarray
            Shape (S,).

        Returns
        -------
        numpy.ndarray
            k, shape (S,): infinite where no confounder of that sign produces rho, however
            strong; NaN where rho is.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            if kind == "leave-out":
                k = self._times_left_out(rho, sign)
            else:
                y = rho / np.sqrt(1.0 - self.shown * rho * rho)
                k = y / (sign * (self.product + self.shown * self.mediator * y))
            k = np.where(rho == 0.0, 0.0, k)
            there = self.confounder(k, sign, kind).rho
        reached = (k >= 0.0) & np.isfinite(k) & np.isclose(there, rho, rtol=1e-6, atol=1e-9)
        return np.where(np.isnan(rho), np.nan, np.where(reached, k, np.inf))

    def _times_left_out(self, rho: np.ndarray, sign: float) -> np.ndarray:
        """The positive root of k^2 (b^2 - rho^2 a c) - k rho^2 (a + c) - rho^2 = 0."""
        square = rho * rho
        lead = self.product**2 - square * self.mediator * self.outcome
        linear = square * (self.mediator + self.outcome)
        root = (linear + np.sqrt(linear**2 + 4.0 * lead * square)) / (2.0 * lead)
        return np.where(sign * self.product * rho > 0.0, root, np.inf)


@dataclass(frozen=True)
class Confounder:
    """What an omitted confounder produces and explains, per draw; NaN where there is none.

    Attributes
    ----------
    rho : numpy.ndarray
        The residual correlation, shape (S,).
    mediator, outcome : numpy.ndarray
        Shares of the residual variances of M and Y that it explains, shape (S,).
    """

    rho: np.ndarray
    mediator: np.ndarray
    outcome: np.ndarray


def covariate_strength(fit: Posterior, covariate: str, scales: LatentScales) -> Strength:
    """A covariate's contributions to both equations, per draw.

    Parameters
    ----------
    covariate : str
        One of :func:`shared_covariates`.

    Notes
    -----
    The covariate's columns are all those it stands in: of a factor, a spline, or interactions
    with the treatment or with other covariates, pooled over the rows. Its interactions with the
    mediator are taken where the mediator is at its mean.
    """
    draws = fit.draws
    columns = _columns(fit, covariate)
    v_m, v_my, v_y = columns.covariances()
    beta = draws.mediator.coef[:, columns.of_mediator]
    theta = draws.outcome.coef[:, columns.of_outcome]
    mm, my, yy = (
        np.einsum("sp,sp->s", left @ v, right)
        for left, v, right in ((beta, v_m, beta), (beta, v_my, theta), (theta, v_y, theta))
    )
    # From the structural coefficients at the draw's rho to those of the regression at 0.
    pull = scales.shown * scales.pull
    yy, my = yy - 2.0 * pull * my + pull**2 * mm, my - pull * mm
    s_m, s_y = scales.mediator_sd, scales.regression_sd
    return Strength(mm / s_m**2, my / (s_m * s_y), yy / s_y**2, scales.shown)


@dataclass(frozen=True)
class _Columns:
    """A covariate's columns in both designs, and the columns without it.

    ``mediator`` and ``outcome`` have shape (obs, p), ``others`` (obs, q); ``of_mediator`` and
    ``of_outcome`` are positions among the terms.
    """

    mediator: np.ndarray
    outcome: np.ndarray
    others: np.ndarray
    of_mediator: np.ndarray
    of_outcome: np.ndarray

    def covariances(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Residual covariances given the others (divisor n): M's, M's with Y's, Y's."""
        own = np.hstack([self.mediator, self.outcome])
        others = self.others / sizes(self.others)
        if others.shape[1]:
            # Columns that stand in both equations are there twice.
            own = own - others @ linalg.lstsq(others, own, _SAME)[0]
        v, p = own.T @ own / len(own), self.mediator.shape[1]
        return v[:p, :p], v[:p, p:], v[p:, p:]


def _columns(fit: Posterior, covariate: str) -> _Columns:
    about, data = fit.description, fit.tree["constant_data"].to_dataset()
    used_m, used_y = about.variables.values()
    mediator, outcome = data["mediator_design"].to_numpy(), data["outcome_design"].to_numpy()
    own_m = np.array([covariate in used for used in used_m], dtype=bool)
    own_y = np.array([covariate in used for used in used_y], dtype=bool)
    with_m = np.array([about.mediator in used for used in used_y], dtype=bool)
    if (own_y & with_m).any():
        outcome = np.where(own_y & with_m, _at_mean_mediator(fit), outcome)
    others = [mediator[:, ~own_m], outcome[:, ~own_y & ~with_m]]
    if any(
        family.vectors for family in fit.families.values()
    ):  # the constant that cutpoints supply
        others.append(np.ones((len(mediator), 1)))
    return _Columns(
        mediator[:, own_m], outcome[:, own_y], np.hstack(others),
        np.flatnonzero(own_m), np.flatnonzero(own_y),
    )  # fmt: skip


def _at_mean_mediator(fit: Posterior) -> np.ndarray:
    """The outcome's design with the mediator at its mean in every row, shape (obs, term).

    That of its logarithm where that enters; of a mediator with categories, the mean of the
    designs at each, weighted by their shares.
    """
    model = fit.require_model("mean mediator")
    mediator, design = model.only_mediator, model.last.design
    family, values = mediator.family, mediator.response.values
    if family.discrete:
        levels = list(mediator.response.levels) or [0, 1]
        at = zip(levels, [float((values == j).mean()) for j in range(len(levels))], strict=True)
    else:
        middle = np.exp(np.log(values).mean()) if fit.description.log_mediator else values.mean()
        at = zip([float(middle)], [1.0], strict=True)
    rows = [
        share * design.rows(assign(model.frame.data, {mediator.name: level})) for level, share in at
    ]
    return np.asarray(sum(rows))
