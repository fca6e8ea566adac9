"""The paragraph of a paper, with every figure in it from the fit."""

from html import escape
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmed.effects.numbers import chance, digits_in_common, number, percent
from bayesmed.effects.rows import UNCERTAIN, effect_rows
from bayesmed.effects.setting import Setting, setting_of
from bayesmed.effects.summary import readable_roots, require_one, summarise
from bayesmed.families.listing import in_words
from bayesmed.system.about import About, law_words


def paragraph(
    about: About,
    effects: xr.Dataset,
    convergence: str,
    rho_zero: xr.Dataset | None = None,
) -> str:
    """Methods and results in a paragraph each; see :meth:`bayesmed.MediationFit.report`."""
    setting = own_setting(about, effects, rho_zero)
    parts = [methods(setting, convergence), results(setting, effects, rho_zero)]
    return Paragraphs("\n\n".join(parts))


class Paragraphs(str):
    """A text that notebooks show as paragraphs and not as one long line."""

    def _repr_html_(self) -> str:
        return "".join(f"<p>{escape(part)}</p>" for part in self.split("\n\n"))


#: What effects and a sensitivity in one report have to share.
_SETTING = ("contrast", "of", "scale", "on", "by", "group", "weights", "m", "at")


def own_setting(about: About, effects: xr.Dataset, rho_zero: xr.Dataset | None) -> Setting:
    """The setting of a fit's effects; those of another fit, or a sensitivity of others, are refused."""
    own = setting_of(effects)
    if own.difference:
        raise ValueError(
            f"These are differences of effects ({own.at}), of which no results paragraph is "
            "written; take their .summary() or .table(), or report each setting."
        )
    curve = own if rho_zero is None else setting_of(rho_zero)
    for name, given in (("effects", own), ("sensitivity", curve)):
        if not given.fit.startswith(about.fit):
            raise ValueError(
                f"{name}= comes from another fit ({given.outcome} through {given.mediator}, "
                f"{given.fit[:8]}; this fit is {about.fit[:8]}); give fit.{name}() of this one."
            )
    told = "; ".join(
        f"{name}: {there!r} and {here!r}"
        for name in _SETTING
        if (there := _told(curve, name)) != (here := _told(own, name))
        and {there, here} != {"difference", "standardised"}  # none at the same rho
    )
    if told:
        raise ValueError(
            f"The sensitivity is of other effects than those reported ({told}); call "
            "fit.sensitivity() and fit.effects() with the same arguments."
        )
    return own.saying(settings=about.settings)


def _told(setting: Setting, name: str) -> Any:
    return getattr(setting, name) if name in setting.keys else ""


def methods(setting: Setting, convergence: str) -> str:
    """The methods paragraph."""
    mediator, outcome = map(_model_of, setting.families)
    settings, formulas = setting.settings, setting.formulas
    priors = f"{_priors(setting)} Priors are stated for {setting.priors_scale}."
    dropped = setting.n_given - setting.n
    missing = f", {dropped} of {setting.n_given} rows having missing values" if dropped else ""
    warm = f" after {settings['tune']} of warm-up" if not setting.by_laplace else ""
    versions = ", ".join(f"{name} {number}" for name, number in setting.versions.items())
    return (
        f"We estimated natural mediation effects of {setting.treatment} ({_levels(setting)}) on "
        f"{setting.outcome} through {setting.mediator} in "
        f"n = {setting.n} participants{setting.arms_words}{missing}, fitting jointly {mediator} of the mediator "
        f"({formulas['mediator']}{_further(setting, 'mediator')}) and {outcome} of the outcome "
        f"({formulas['outcome']}{_further(setting, 'outcome')}) with "
        f"residual correlation rho {setting.rho}. {priors} Effects are {scale_words(setting)}, contrasts of "
        f"counterfactual means {setting.averaged}{setting.where}, "
        f"computed for {_computed(setting)} "
        f"The posterior was sampled with {setting.sampler_words} ({settings['chains']} chains of "
        f"{settings['draws']} draws{warm}, seed {settings['random_seed']}; {versions}). {convergence}"
    )


def _computed(setting: Setting) -> str:
    """For which draws, carried from which rho, under what."""
    text = "each posterior draw" if setting.every == 1 else f"one posterior draw in {setting.every}"
    text += "."
    if setting.carried is not None:
        text += " The draws were carried there from another rho and weighted (Pareto k-hat "
        text += f"{setting.carried:.2f})."
    return text + (f" They are those under {setting.assumed}." if setting.assumed else "")


def _model_of(name: str) -> str:
    if name == "gaussian":
        return "a Gaussian linear model"
    words = "logistic" if name == "logit" else name.replace("_", " ")
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words} model"


def _further(setting: Setting, equation: str) -> str:
    """Data columns of a family and a regression of sigma, as they were stated."""
    parts = [f"{key} = {value}" for key, value in setting.data.get(equation, {}).items()]
    if equation in setting.sigma:
        parts.append(f"log sigma ~ {setting.sigma[equation]}")
    return f"; {', '.join(parts)}" if parts else ""


def _levels(setting: Setting) -> str:
    """The contrast in words, that of the effects where it is another than the model's."""
    if setting.per_sd:
        return "one standard deviation more of it"
    named = setting.contrast.split(": ", 1)[-1]
    return " against ".join(reversed(named.split(" -> "))) if named.count(" -> ") == 1 else named


def scale_words(setting: Setting) -> str:
    """What the effects are, and on what scale."""
    kind, unit = {
        "ratio": ("ratios of", ""),
        "odds_ratio": ("odds ratios of", ""),
        "standardised": ("differences in", ", in its standard deviations"),
    }.get(setting.scale, ("differences in", ""))
    return f"{kind} {_mean_words(setting)}{unit}"


def _mean_words(setting: Setting) -> str:
    outcome, data = setting.outcome, setting.data.get("outcome", {})
    family = setting.traits("outcome")
    if setting.what:
        return setting.what
    if family.kind == "binary":
        return f"the probability of {outcome} = 1"
    if family.kind == "count":
        given = [name for name in ("exposure", "trials") if name in data]
        observed = bool(given) and f"{data[given[0]]} = " not in setting.at
        at = f" at the observed {given[0]}" if observed else ""
        return f"the expected count of {outcome}{at}"
    if family.kind == "ordered":
        return f"the mean score of the categories of {outcome}"
    if "event" in data:
        return f"the uncensored mean of {outcome}"
    return f"the mean of {outcome}{' before censoring' if family.limited else ''}"


def _priors(setting: Setting) -> str:
    """Those stated, and how wide the others are."""
    stated = [
        f"{name} of {_equation(equation)} ~ {law_words(setting.priors[equation][name])}"
        for equation, names in setting.prior_source.items()
        for name in names
    ]
    told = f"Stated priors: {', '.join(stated)}." if stated else ""
    if len(stated) == sum(map(len, setting.priors.values())):
        return told
    widths = [_width(setting, equation) for equation in setting.family]
    centred = ", of columns centred before products," if setting.centred else ""
    default = (
        f"Default priors were weakly informative: coefficients{centred} normal around zero with a "
        f"standard deviation, per standard deviation of the column, of {' and '.join(widths)}."
        if all(widths)
        else "Default priors were weakly informative, on the scale of the data."
    )
    return f"{default} {told}".strip()


def _equation(name: str) -> str:
    own, sigma, _ = name.partition("_sigma")
    return f"the {'log sigma of the ' if sigma else ''}{own}"


def _width(setting: Setting, equation: str) -> str:
    """Where one formula gives the default: a fixed scale, or that of all the response's values."""
    family = setting.traits(equation)
    if not {"Intercept", "cutpoints"} & set(setting.priors[equation]):
        return ""
    if family.coefficient_scale is not None:
        return f"{family.coefficient_scale:g} in the {equation} equation"
    whole = family.link == "identity" and not setting.data.get(equation)
    return f"2.5 times that of the response in the {equation} equation" if whole else ""


def results(setting: Setting, effects: xr.Dataset, rho_zero: xr.Dataset | None) -> str:
    """The results paragraph."""
    require_one(effects["total"])
    null = setting.null
    table, said = _quotes(effects, null)
    quoted = [
        f"{said[name]}, {_direction(table.loc[name], null)}"
        for name in ("ACME (average)", "ADE (average)", "Total effect")
    ]
    means = (
        "Averaged over both arms" if null == 0.0 else "As ratios, in geometric means of both arms"
    )
    text = (
        f"{means}, the causal mediation effect (ACME) was {quoted[0]}, the direct effect (ADE) "
        f"{quoted[1]} and the total effect {quoted[2]}. "
    )
    if _is_unsure(table.loc["ACME (average)"], null):
        text += (
            f"The interval of the mediation effect includes {null:g}: the data are compatible with no "
            "mediation and with effects of either sign. "
        )
    if "prop_mediated" in effects:
        shown = said["Prop. mediated (average)"]
        text += _share(table, shown, null)
    text += "These are medians with 95% equal-tailed credible intervals. "
    if rho_zero is not None:
        text += tipping(setting, effects, rho_zero) + " "
    return text + _assumptions(setting)


def _assumptions(setting: Setting) -> str:
    """What the figures rest on."""
    ignorable = (
        "that the treatment is ignorable given the covariates up to the correlations stated"
        if "rho_tm" in setting.assumed
        else "that the treatment is ignorable given the covariates"
    )
    return (
        f"The figures assume {ignorable}, and the mediator "
        f"given treatment and covariates up to the residual correlation rho {setting.rho}; they do "
        f"not cover confounders that the treatment affects.{_held(setting)}"
    )


def _held(setting: Setting) -> str:
    """That covariates are held fixed, and what follows if the treatment changes one."""
    mediator, outcome = (setting.covariates.get(e, []) for e in setting.formulas)
    only = [name for name in mediator if name not in outcome]
    text = ""
    if outcome:
        text += (
            f" They hold {in_words(outcome, 8)} fixed: should the treatment change "
            f"{'it' if len(outcome) == 1 else 'any of these'}, that is a mediator as well, and no figure "
            "here, the total effect included, has what passes through it."
        )
    if only:
        text += (
            f" The mediator's model alone holds {in_words(only, 8)} fixed: should the treatment change it, "
            f"what passes through it to {setting.mediator} is not in the ACME."
        )
    known = setting.associated
    seen = f" In these data the treatment is associated with {in_words(known)}." if known else ""
    return text + seen


def tipping(setting: Setting, effects: xr.Dataset, rho_zero: xr.Dataset) -> str:
    """Where along rho the mediation effect is none."""
    null = setting.null
    text = _tipping(setting, rho_zero, null)
    acme = summarise({"ACME": effects["acme"].sel(arm="average", drop=True)}, null=null)
    if _is_unsure(acme.loc["ACME"], null) and "rho* = " in text:
        text += (
            f" rho* therefore says where the curve crosses {_none(null)} and not how robust a finding "
            "is."
        )
    return text


def _share(table: pd.DataFrame, shown: str, null: float) -> str:
    row = table.loc["Prop. mediated (average)"]
    positive = float(table[f"P(>{null:g})"]["Total effect"])
    text = f"The proportion mediated had median {shown}"
    if UNCERTAIN[0] < positive < UNCERTAIN[1]:
        return f"{text}; a total effect of {null:g} is plausible, so the proportion is hard to interpret. "
    if row["eti95_low"] < 0.0 or row["eti95_high"] > 1.0:
        return f"{text}, beyond 0 to 1 where direct and mediated effects have opposite signs. "
    return f"{text}. "


def _is_unsure(row: Any, null: float) -> bool:
    """Whether the interval includes no effect."""
    return bool(row["eti95_low"] < null < row["eti95_high"])


def _tipping(setting: Setting, rho_zero: xr.Dataset, null: float) -> str:
    values = readable_roots(rho_zero, "average").to_numpy()
    found = values[np.isfinite(values)]
    if not found.size:
        low, high = rho_zero.attrs["searched"]
        share = float(np.isfinite(rho_zero["rho_zero"].sel(arm="average")).mean())
        if [low, high] == [-1.0, 1.0]:
            return (
                f"No residual correlation makes the mediation effect {_none(null)} in "
                f"{percent(1.0 - share)} of the draws."
            )
        return (
            f"Between rho = {low:g} and {high:g} a residual correlation that makes the mediation "
            f"effect {_none(null)} was found in {percent(share)} of the draws; a wider range is needed to say more."
        )
    low, middle, high = (
        number(end, 2, minus="-") for end in np.quantile(found, [0.025, 0.5, 0.975])
    )
    missing = 1.0 - found.size / values.size
    note = f" (no such value in {percent(missing)} of draws)" if missing > 0 else ""
    identified = (
        " The data carry no information about rho in this model."
        if setting.closed
        else f" In this model rho is identified by {setting.identified_by}, which is no evidence "
        "about confounding."
    )
    return (
        f"The mediation effect would be {_none(null)} at a residual correlation of rho* = {middle} "
        f"[{low}, {high}]{note}.{identified}"
    )


def _none(null: float) -> str:
    return "zero" if null == 0.0 else f"{null:g} (no effect)"


def _quotes(effects: xr.Dataset, null: float) -> tuple[pd.DataFrame, dict[str, str]]:
    """The summary, and the median and interval of each row with the digits of the table."""
    table = summarise(effect_rows(effects), null=null, direction=True)
    digits = digits_in_common(table, [name.startswith("Prop.") for name in table.index])
    said = {}
    for (name, row), own in zip(table.iterrows(), digits, strict=True):
        middle, low, high = (
            number(row[c], own, minus="-") for c in ("median", "eti95_low", "eti95_high")
        )
        said[str(name)] = f"{middle} [{low}, {high}]"
    return table, said


def _direction(row: Any, null: float) -> str:
    """The probability of the likelier side."""
    likelier = float(row["P(direction)"])
    side, shown = chance(likelier)
    sign = ">" if likelier == float(row[f"P(>{null:g})"]) else "<"
    return f"P({sign} {null:g}) {side or '='} {shown}"
