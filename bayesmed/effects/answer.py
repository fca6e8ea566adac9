"""From a question to its answer: the effects that a fit's draws give, and the means behind them."""

from typing import Any

import numpy as np
import xarray as xr

from bayesmed.effects.assumed import draws_under
from bayesmed.effects.estimands import contrasts
from bayesmed.effects.means_of import error_of, means_of
from bayesmed.effects.question import Question, ask
from bayesmed.effects.setting import setting_of
from bayesmed.posterior.nuts import settle_seed
from bayesmed.posterior.state import Posterior
from bayesmed.posterior.streamed import kept_means


def answer(
    fit: Posterior, question: Question, rho: Any = None, random_seed: int | None = None
) -> tuple[xr.Dataset, xr.DataArray]:
    """Draws of the effects and the counterfactual means; see :meth:`bayesmed.MediationFit.effects`."""
    if question.average not in ("sample", "population"):
        raise ValueError(f"average={question.average!r}; choose 'sample' or 'population'.")
    if random_seed is not None:
        settle_seed(random_seed)
    asked, setting = ask(fit, question)
    bootstrap = setting.settings["random_seed"] if question.average == "population" else None
    draws = fit.draws
    if rho is not None:
        draws, words = draws_under(fit, rho, random_seed)
        setting = setting.saying(rho=words)
    po = kept_means(fit.tree) if rho is None and question.of_all_rows else None
    if po is None or (asked.exact and error_of(po) is not None):
        po = means_of(asked, draws, fit.shape, bootstrap)
    result = contrasts(po, asked.scale, asked.unit)
    result.attrs["bayesmed"] = setting.saying(
        every=int(po.attrs["every"]), error=error_of(po)
    ).to_json()
    return result, po


def dose_response(
    fit: Posterior, values: Any, control: Any, rho: Any = None, random_seed: int | None = None,
    **question: Any,
) -> tuple[xr.Dataset, xr.DataArray]:  # fmt: skip
    """The same along doses of the treatment; see :meth:`bayesmed.MediationFit.dose_response`."""
    model = fit.require_model("dose_response")
    if question.get("scale") == "standardised":
        raise ValueError(
            "scale='standardised' is per standard deviation of a numeric treatment, whatever the "
            "dose; use scale='difference' for a dose-response curve."
        )
    start = model.contrast.control if control is None else control
    if values is None:
        observed = model.frame.data[model.treatment]
        values = np.quantile(observed, np.linspace(0.05, 0.95, 9))
    try:
        doses = [float(v) for v in np.unique(np.asarray(values, dtype=float)) if v != start]
    except (TypeError, ValueError):
        raise TypeError(f"values= takes numbers; {values!r} was given.") from None
    if not doses:
        raise ValueError(
            f"values={values!r} holds no dose other than the control {start!r}, with which doses "
            "are compared."
        )
    contrast = [(start, dose) for dose in doses]
    draws, po = answer(fit, Question(contrast=contrast, **question), rho, random_seed)
    draws = draws.rename(contrast="dose").assign_coords(dose=doses)
    setting = setting_of(draws).saying(contrast=f"{model.treatment}: {start} -> dose")
    draws.attrs["bayesmed"] = setting.to_json()
    return draws, po.rename(contrast="dose").assign_coords(dose=doses)
