"""Whether the chains have converged, in one message."""

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr

_R_HAT, _ESS_PER_CHAIN, _BFMI = 1.01, 100, 0.3


@dataclass(frozen=True)
class Convergence:
    """The worst value of each diagnostic over all parameters.

    Attributes
    ----------
    r_hat : float
        Largest rank-normalised split R-hat; nan with a single chain.
    ess_bulk, ess_tail : float
        Smallest effective sample sizes.
    divergences : int
        Divergent transitions after warm-up.
    bfmi : float
        Smallest energy Bayesian fraction of missing information of a chain.
    problems : tuple of str
        What is wrong, and what to do; empty when nothing is.
    """

    r_hat: float
    ess_bulk: float
    ess_tail: float
    divergences: int
    bfmi: float
    problems: tuple[str, ...]

    def __str__(self) -> str:
        r_hat = beside(self.r_hat, _R_HAT, 4)
        bulk, tail = (
            math.floor(ess) if math.isfinite(ess) else ess for ess in (self.ess_bulk, self.ess_tail)
        )
        numbers = f"R-hat at most {r_hat}, ESS at least {bulk} (bulk) and {tail} (tail)"
        if np.isfinite(self.bfmi):  # of Hamiltonian chains
            bfmi = beside(self.bfmi, _BFMI, 2)
            numbers += f", {self.divergences} divergent transitions, E-BFMI at least {bfmi}"
        if not self.problems:
            return f"Converged: {numbers}."
        return f"NOT converged: {numbers}. " + " ".join(self.problems)


def check_convergence(
    posterior: xr.Dataset, sample_stats: xr.Dataset, interrupted: bool = False
) -> Convergence:
    """Diagnose posterior draws.

    Thresholds are those of Vehtari et al. (2021): R-hat 1.01, ESS 100 per chain; and E-BFMI
    0.3 (Betancourt 2016).

    References
    ----------
    Vehtari, A., Gelman, A., Simpson, D., Carpenter, B., & Buerkner, P.-C. (2021).
    Rank-normalization, folding, and localization: an improved R-hat. Bayesian Analysis,
    16(2), 667-718.
    """
    import arviz_stats as az

    def over_all(values: xr.Dataset, largest: bool) -> float:
        flat = np.concatenate([values[name].to_numpy().ravel() for name in values.data_vars])
        flat = flat[np.isfinite(flat)]
        if not flat.size:
            return float("nan")
        return float(flat.max() if largest else flat.min())

    chains = posterior.sizes["chain"]
    r_hat = over_all(az.rhat(posterior), True) if chains > 1 else float("nan")
    bulk = over_all(az.ess(posterior, method="bulk"), False)
    tail = over_all(az.ess(posterior, method="tail"), False)
    diverging = sample_stats["diverging"].to_numpy() if "diverging" in sample_stats else np.zeros(1)
    divergences = int(diverging.sum())
    bfmi = float("nan")
    if "energy" in sample_stats:
        bfmi = float(np.min(az.bfmi(sample_stats[["energy"]])["energy"].to_numpy()))
    # Chains that propose around the mode have no warm-up.
    more = "draws=" if "accepted" in sample_stats else "tune="
    problems = []
    if interrupted:
        problems.append("Sampling was interrupted; only the draws made so far were kept.")
    if chains == 1:
        problems.append("With one chain R-hat cannot be computed; sample four.")
    elif not r_hat <= _R_HAT:
        problems.append(f"R-hat should be at most {_R_HAT}: the chains disagree; raise {more}.")
    if not min(bulk, tail) >= _ESS_PER_CHAIN * chains:
        problems.append(f"ESS should be at least {_ESS_PER_CHAIN * chains}: raise draws=.")
    if divergences:
        problems.append(
            "Divergences bias the draws: raise target_accept (for example to 0.95), or state "
            "narrower priors."
        )
    if bfmi < _BFMI:
        problems.append(f"E-BFMI should be at least {_BFMI}: raise tune=, or narrow wide priors.")
    return Convergence(r_hat, bulk, tail, divergences, bfmi, tuple(problems))


def beside(value: float, limit: float, digits: int) -> str:
    """A number with as many digits as show on which side of a limit it lies.

    Examples
    --------
    >>> from bayesmed.posterior.convergence import beside
    >>> beside(1.01, 1.01, 4), beside(1.010004, 1.01, 4), beside(0.2996, 0.3, 2)
    ('1.0100', '1.010004', '0.2996')
    """
    shown = f"{value:.{digits}f}"
    while digits < 15 and value != limit and float(shown) == limit:
        digits += 1
        shown = f"{value:.{digits}f}"
    return shown
