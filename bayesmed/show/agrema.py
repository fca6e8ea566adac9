"""The AGReMA checklist, filled in as far as a fit knows."""

import pandas as pd
import xarray as xr

from bayesmed.effects.setting import Setting
from bayesmed.show.paragraph import methods, own_setting, results, scale_words, tipping
from bayesmed.system.about import About


def checklist(
    about: About,
    effects: xr.Dataset,
    convergence: str,
    rho_zero: xr.Dataset | None = None,
) -> pd.DataFrame:
    """What a report of a mediation analysis should hold, and who has to say it.

    Parameters
    ----------
    about : About
        The fit's description.
    effects : xarray.Dataset
    convergence : str
    rho_zero : xarray.Dataset, optional
        Of :class:`bayesmed.Sensitivity`.

    Returns
    -------
    pandas.DataFrame
        Indexed by the number of the item; columns ``section``, ``item``, ``from the fit`` and
        ``for you to say``, blank where there is nothing.

    References
    ----------
    Lee, H., Cashin, A. G., Lamb, S. E., et al. (2021). A guideline for reporting mediation
    analyses of randomized trials and observational studies: The AGReMA statement. JAMA,
    326(11), 1045-1056.

    Examples
    --------
    >>> len(fit.checklist())
    25
    """
    known = _known(about, effects, convergence, rho_zero)
    lines = [(section, item, known.get(item, ""), own) for section, item, own in _ITEMS]
    columns = ["section", "item", "from the fit", "for you to say"]
    return pd.DataFrame(lines, pd.RangeIndex(1, len(lines) + 1, name="AGReMA"), columns)


def _known(
    about: About, effects: xr.Dataset, convergence: str, rho_zero: xr.Dataset | None
) -> dict[str, str]:
    setting = own_setting(about, effects, rho_zero)
    treatment, mediator, outcome = setting.treatment, setting.mediator, setting.outcome
    return {
        "Effects of interest": (
            f"Natural effects of {setting.contrast} on {outcome} through {mediator}: ACME, ADE and "
            f"total, as {scale_words(setting)}, {setting.averaged}."
        ),
        "Assumed causal model": (
            f"{treatment} → {mediator} → {outcome} and {treatment} → {outcome}; covariates "
            f"{_covariates(setting, 'mediator')} of the mediator, {_covariates(setting, 'outcome')} of the "
            f"outcome; rho {setting.rho} for unmeasured causes of both."
        ),
        "Causal assumptions": (
            f"No unmeasured confounding of the treatment{_beyond(setting)}; none of mediator and outcome "
            "beyond rho; no confounder of mediator and outcome that the treatment affects; the same "
            "rho across arms."
        ),
        "Measurement levels": (
            f"{mediator}: {setting.family['mediator']}; {outcome}: {setting.family['outcome']}."
        ),
        "Sample size": f"{setting.n} rows{setting.arms_words}.",
        "Statistical methods": methods(setting, convergence),
        "Sensitivity analyses": (
            f"The effects along the residual correlation rho, and rho*, at which the ACME is {setting.null:g}."
            if rho_zero is not None else ""
        ),
        "Participants (results)": _analysed(setting),
        "Outcomes and estimates": results(setting, effects, None),
        "Sensitivity parameters": "" if rho_zero is None else tipping(setting, effects, rho_zero),
    }  # fmt: skip


def _beyond(setting: Setting) -> str:
    return f" beyond {setting.assumed}" if "rho_tm" in setting.assumed else ""


def _covariates(about: About, equation: str) -> str:
    return ", ".join(sorted(about.used_in(equation))) or "none"


def _analysed(about: About) -> str:
    """How many rows, and in which variables values were missing."""
    told, dropped = "", about.n_given - about.n
    if dropped:
        counts = ", ".join(f"{name}: {count}" for name, count in about.missing.items())
        told = f"; {dropped} had missing values ({counts})"
    return f"{about.n} of {about.n_given} rows analysed{told}."


_ITEMS = (
    ("Title", "Title", "Call it a mediation analysis."),
    ("Abstract", "Abstract", "Aims, design, effects, methods, estimates with intervals, conclusion."),
    ("Introduction", "Background and rationale", "Why this mechanism is plausible, and what is known."),
    ("Introduction", "Objectives", "The hypotheses about the mechanism."),
    ("Methods", "Registration", "Protocol or registration; what was not planned."),
    ("Methods", "Design and source of data", "Trial or observational; who collected what, when."),
    ("Methods", "Participants", "Who was eligible, where, when."),
    ("Methods", "Sample size", "Whether and how it was chosen for this analysis."),
    ("Methods", "Effects of interest", "Why these effects answer the question."),
    ("Methods", "Assumed causal model", "A diagram, with unmeasured variables, and its defence."),
    ("Methods", "Causal assumptions", "Why each is plausible here, and which is least so."),
    ("Methods", "Measurement", "How and when each variable was measured; the mediator before the outcome; reliability."),
    ("Methods", "Measurement levels", "Codes, units, transformations; which family was chosen and why."),
    ("Methods", "Statistical methods", "Why these covariates and priors; what was done about missing values."),
    ("Methods", "Sensitivity analyses", "Which rho is plausible, and by comparison with what (fit.benchmarks())."),
    ("Methods", "Ethics", "Approval and consent."),
    ("Results", "Participants (results)", "Characteristics by arm; why values are missing."),
    ("Results", "Outcomes and estimates", "What an effect of this size means in practice."),
    ("Results", "Sensitivity parameters", "Whether a rho like that is to be feared."),
    ("Discussion", "Limitations", "Bias, measurement error, precision, multiplicity."),
    ("Discussion", "Interpretation", "What the estimates say, given the assumptions and other evidence."),
    ("Discussion", "Implications", "For practice, policy and research."),
    ("Other", "Funding", "Who paid, and what they had to do with it."),
    ("Other", "Interests", "Conflicts of interest."),
    ("Other", "Data and code", "Where data and code can be found."),
)  # fmt: skip
