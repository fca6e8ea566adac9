"""What can be asked of a fit, and why not: one table, read by all that refuses.

A property says what stands in the way, in the words of a sentence, and nothing where it does not. A
feature has a sentence for each property that rules it out; with any other it works. A new kind of model
or data adds a property here, and a reason to each feature that it rules out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bayesmed.families.family import Family
from bayesmed.system.about import About
from bayesmed.system.rows import equal_rows

#: What there is of a property, for a sentence; false where there is nothing.
type Held = str | bool | None


@dataclass(frozen=True)
class Property:
    """A column of the table.

    Attributes
    ----------
    title : str
        What it is a property of, in a few words.
    of : callable
        What a fit has of it; false where it has not. An outcome's family, a target or a model's
        arguments take the place of the fit where a feature is one of these.
    """

    title: str
    of: Callable[[Any], Held]


@dataclass(frozen=True)
class Feature:
    """A row of the table.

    Attributes
    ----------
    title : str
        What a user types.
    reasons : mapping of str to str
        By property, in the order in which they are looked for, what to say. ``{what}`` is what the
        fit has of the property; other words in braces are of the call.
    subject : str
        ``{subject}`` of the reasons.
    """

    title: str
    reasons: Mapping[str, str]
    subject: str = ""


def refuse(feature: str, given: Any, **words: Any) -> None:
    """Say why a feature is not there, if it is not.

    Parameters
    ----------
    feature : str
        A name in :data:`FEATURES`.
    given : Posterior, Family, Target or mapping
        Whose properties count.
    **words
        Of the call, for the sentence.
    """
    found = obstacle(feature, given)
    if found is not None:
        name, words["what"] = found
        own = FEATURES[feature]
        raise ValueError(own.reasons[name].format(subject=own.subject.format(**words), **words))


def obstacle(feature: str, given: Any) -> tuple[str, str | bool] | None:
    """The first property that rules a feature out, and what there is of it."""
    for name in FEATURES[feature].reasons:
        what = PROPERTIES[name].of(given)
        if what:
            return name, what
    return None


def _treatment(fit: Any, kind: str) -> str | None:
    """The treatment and its kind, if it is of that kind."""
    column = fit.model.frame.data[fit.model.treatment]
    categorical = isinstance(column.dtype, pd.CategoricalDtype)
    own = "categorical" if categorical else "two-valued" if column.nunique() < 3 else "numeric"
    return f"{fit.model.treatment!r} is {kind}" if own == kind else None


def _in_function(fit: Any) -> str | None:
    return (
        repr(fit.description.formulas["outcome"])
        if fit.counterfactuals().outcome.base is None
        else None
    )


def _not_plain(fit: Any) -> str | None:
    rows = fit.counterfactuals().outcome
    plain = rows.slope is not None and not rows.log_mediator
    plain = plain and all(equal_rows(rows.slope[t]) for t in (0, 1))
    return None if plain else repr(fit.description.formulas["outcome"])


def _beyond_probit(fit: Any) -> str | None:
    mediator, outcome = fit.families.values()
    probit = outcome.kind == "binary" and outcome.latent == "unit"
    covered = mediator.is_normal and (outcome.is_normal or probit)
    return None if covered else f"{mediator.name!r} and {outcome.name!r}"


def _no_residual(fit: Any) -> str | None:
    for equation, family in fit.families.items():
        logistic = family.link == "logit" and family.kind in ("binary", "ordered")
        if family.latent is None and not logistic:
            return (
                f"the {equation} is of the {family.name} family, which is no linear model with a "
                "residual of its own; gaussian, lognormal, tobit, probit, ordered_probit, logit "
                "and ordered_logit are"
            )
    return None


def _uneven_sigma(fit: Any) -> str | None:
    for equation, formula in fit.description.sigma.items():
        return (
            f"sigma of the {equation} differs between rows ({formula!r}), so that its residual has "
            "no one variance"
        )
    return None


def _about(what: Callable[[About], Held]) -> Callable[[Any], Held]:
    """Of what a fit says that it is of."""
    return lambda fit: what(fit.description)


def _loaded(what: Callable[[About], Held]) -> Callable[[Any], Held]:
    """The same, if the model is not there."""
    return lambda fit: what(fit.description) if fit.model is None else None


def _unless(holds: Callable[[Family], bool]) -> Callable[[Family], str | None]:
    """The name of a family for which something does not hold."""
    return lambda family: None if holds(family) else family.name


def _of_mean(target: Any) -> tuple[bool, str]:
    """Whether a target is the mean, and its functional and family in words."""
    kind = target.functional.kind
    return kind == "mean", f"{kind.replace('_', ' ')} of a {target.base.name}"


def _no_chance(target: Any) -> str | None:
    mean, words = _of_mean(target)
    chance = target.functional.kind == "probability" or (mean and target.base.kind == "binary")
    return None if chance else words


def _not_positive(target: Any) -> str | None:
    kind = target.functional.kind
    positive = target.base.support[0] >= 0.0 and kind in ("mean", "quantile")
    return None if positive or kind == "restricted_mean" else _no_chance(target)


def _other_unit(target: Any) -> str | None:
    kind = target.functional.kind
    return None if kind in ("mean", "observed", "quantile") else kind.replace("_", " ")


#: What rules some features out.
PROPERTIES: Mapping[str, Property] = {
    "saved": Property("loaded without its model", _loaded(lambda about: not about.moments)),
    "moments": Property(
        "rows read part by part, of which the moments are kept", _loaded(lambda about: bool(about.moments))
    ),
    "passes": Property(
        "rows read part by part, an equation not Gaussian", lambda fit: fit.passes is not None
    ),
    "parts": Property("rows read part by part (a path, a Dask frame, `moments=True`)", lambda arguments: True),
    "saved family": Property(
        "loaded without its model, a family of one's own",
        _loaded(lambda about: next(map(repr, about.own_families), None)),
    ),
    "saved function": Property(
        "loaded without its model, the mediator inside a function of the outcome formula",
        _loaded(lambda about: not about.affine),
    ),
    "saved without unit": Property(
        "loaded without its model, written by a version that did not keep the treatment's standard deviation",
        _loaded(lambda about: "contrast_in_sd" not in about.keys),
    ),
    "saved without variables": Property(
        "written by a version that did not keep the covariates", _about(lambda about: not about.variables)
    ),
    "saved without prior": Property(
        "written by a version that kept the prior of rho in words only",
        _about(lambda about: about.rho_prior if about.rho_stated is None else None),
    ),
    "open": Property("rho is identified (the pair is not closed)", _about(lambda about: about.identified_by)),
    "structural": Property(
        "priors of the structural coefficients", _about(lambda about: about.priors_on != "regression")
    ),
    "fixed rho": Property(
        "rho fixed", _about(lambda about: None if about.rho_fixed is None else f"{about.rho_fixed:g}")
    ),
    "mediator not Gaussian": Property(
        "a mediator that is not Gaussian",
        lambda fit: _unless(lambda family: family.is_normal)(fit.families["mediator"]),
    ),
    "beyond probit": Property("not a Gaussian mediator with a Gaussian or probit outcome", _beyond_probit),
    "no residual": Property("an equation without a residual on a latent scale", _no_residual),
    "uneven sigma": Property("a regression of sigma", _uneven_sigma),
    "in function": Property("the mediator inside a function of the outcome formula", _in_function),
    "not plain": Property("the mediator inside a function, or in a product with a covariate", _not_plain),
    "categorical treatment": Property("a categorical treatment", lambda fit: _treatment(fit, "categorical")),
    "two-valued treatment": Property("a treatment of two values", lambda fit: _treatment(fit, "two-valued")),
    "not ordered": Property(
        "an outcome without ordered categories", _unless(lambda family: family.kind == "ordered")
    ),
    "no time": Property(
        "an outcome that is no time", _unless(lambda family: "event" in family.takes and family.multiplicative)
    ),
    "no limits": Property(
        "an outcome that is not cut at limits",
        _unless(lambda family: family.limited and family.latent == "free" and family.link == "identity"),
    ),
    "continuous": Property("a continuous outcome", _unless(lambda family: family.discrete)),
    "discrete": Property("a discrete outcome", _unless(lambda family: not family.discrete)),
    "no chance": Property("of what is no probability", _no_chance),
    "not positive": Property("of what may be zero or negative", _not_positive),
    "other unit": Property("of what has another unit than the outcome", _other_unit),
}  # fmt: skip

_ROWS = (
    "{subject} needs the rows, of which this fit holds the moments only; fit rows that are in memory, "
    "all or a sample, for it."
)
_FORMULAS = (
    "{subject} needs the formulas, which a saved file never evaluates; build the model again and load "
    "the fit with bm.load(path, model=model)."
)
_MODEL = {"moments": _ROWS, "saved": _FORMULAS}
_CLOSED = {
    "open": "{subject} needs a closed pair, whose likelihood is the same at every rho; here rho is "
    "identified by {what}.",
    "structural": "{subject} acts on draws of the regression at rho = 0, but the priors of this fit "
    "speak of the structural coefficients; fit the model with priors_on='regression'.",
}
_TREATMENT = (
    "The treatment {what}: its residual is not normal, so a correlation with it does not describe "
    "confounding. This needs a numeric treatment, such as a dose."
)
_WORDS = "The file of this fit holds the prior of rho in words only, {what}; fit the model again."
_SHARES = "Shares of residual variances, and benchmarks, have no meaning here: {what}. Read rho itself instead."

#: What can be asked, and by property why not.
FEATURES: Mapping[str, Feature] = {
    "families": Feature("whatever needs the distributions", {
        "saved family": _FORMULAS,
    }, "The family {what}, which is not one of the package's own,"),
    "rows of passes": Feature("corrections that average over rows", {"passes": _ROWS}, "This question"),
    "rows of functions": Feature(
        "whatever averages over rows", {"saved function": _FORMULAS}, "the mediator inside a function"
    ),
    "at": Feature("`at=`", _MODEL, "at="),
    "groups": Feature("`by=`, `on=`, `weights=`", _MODEL, "{asked}"),
    "contrast": Feature("`contrast=`", _MODEL, "contrast="),
    "population": Feature('`average="population"`', {"moments": _ROWS}, "average='population'"),
    "of": Feature("`of=` but the mean", {"moments": _ROWS}, "of={asked!r}"),
    "unit": Feature(
        '`scale="standardised"`', {"moments": _ROWS, "saved without unit": _FORMULAS}, "scale='standardised'"
    ),
    "categories": Feature('`of="categories"`', {
        "not ordered": "of='categories' is for an ordered outcome; a {what} outcome has none. Ask for "
        "bm.probability(...).",
    }),
    "time": Feature('`of="log_time"`, `bm.restricted_mean()`', {
        "no time": "{asked} is for times: a lognormal, gamma, weibull or loglogistic outcome, not a {what} "
        "one.",
    }),
    "observed": Feature('`of="observed"`', {
        "no limits": "of='observed' is for a tobit outcome, whose values are cut at limits; a {what} "
        "outcome is observed as it is: use of='mean'.",
    }),
    "equals": Feature("`bm.probability(equals=)`", {
        "continuous": "A {what} outcome takes any one value with probability zero; ask for "
        "bm.probability(above=...).",
    }),
    "quantile": Feature("`bm.quantile()`", {
        "discrete": "Quantiles of a {what} outcome are whole numbers and do not move smoothly; ask for "
        "bm.probability(above=...).",
    }),
    "odds_ratio": Feature('`scale="odds_ratio"`', {
        "no chance": "An odds ratio needs a probability; this is the {what} outcome. Ask for "
        "of=bm.probability(...), or scale='difference'.",
    }),
    "ratio": Feature('`scale="ratio"`', {
        "not positive": "A ratio needs what is always positive; the {what} outcome is not. Use "
        "scale='difference', or ask for of=bm.probability(above=...).",
    }),
    "standardised": Feature('`scale="standardised"`', {
        "other unit": "scale='standardised' divides by the outcome's standard deviation, which a {what} "
        "is not measured in. Use scale='difference'.",
    }),
    "rho": Feature("`effects(rho=)`", _CLOSED,
        "effects(rho=...) (elsewhere use fit.sensitivity(), or fit model.with_rho(...))"),
    "dose_response": Feature("`dose_response()`", {
        **_MODEL, "categorical treatment": "{what}, without doses; use contrast='pairwise'.",
    }, "A dose-response curve"),
    "transport": Feature("`sensitivity()` where rho is identified", _MODEL, "carrying draws along rho"),
    "refits": Feature(
        "`sensitivity()` of structural priors and a prior of rho", _MODEL, "refitting at each rho"
    ),
    "effects_with_error": Feature("`effects_with_error()`, `reliability_curve()`", {
        "mediator not Gaussian": "A reliability describes additive error in a Gaussian mediator; the "
        "mediator family here is {what!r}. Misclassified categories and counts need a model of their own.",
        **_CLOSED,
        "not plain": "A correction for measurement error needs a mediator that enters the outcome as a "
        "plain column, alone or in a product with the treatment; here it stands inside a function or in a "
        "product with a covariate, where an error does more than flatten a slope. The outcome formula is "
        "{what}.",
    }, "A correction for measurement error"),
    "treatment equation": Feature("`effects_with_treatment_confounding()`", {
        **_MODEL,
        "beyond probit": "Confounding of the treatment is covered for a Gaussian mediator with a Gaussian "
        "or probit outcome; here they are {what}. rho alone does not cover it in any pair: measure the "
        "confounders, or find a design that does without them.",
        "categorical treatment": _TREATMENT, "two-valued treatment": _TREATMENT,
    }, "The equation of the treatment"),
    "treatment confounding": Feature("`effects_with_treatment_confounding()`", {
        **_CLOSED,
        "in function": "The outcome holds the mediator inside a function ({what}); confounding of the "
        "treatment is covered where it enters as itself, in products or alone.",
    }, "A correction for confounding of the treatment"),
    "shares": Feature("`r_squared()`, `benchmarks()`, `RhoBenchmark`", {
        "no residual": _SHARES, "uneven sigma": _SHARES,
    }),
    "covariates": Feature("`benchmarks()`", {
        "saved without variables": "The fit was saved by a version of bayesmed that did not keep which "
        "covariate each column comes from; fit the model again.",
    }),
    "mean mediator": Feature("`benchmarks()` of a covariate in a product with the mediator", _MODEL,
        "A benchmark of a covariate that interacts with the mediator"),
    "rho_draws": Feature("`rho_draws()`, `plot_rho()`", {
        "fixed rho": "rho was fixed at {what} and has no prior; fit with one, for example "
        'model.with_rho(bm.Prior("Uniform", lower=-0.5, upper=0.5)).fit().',
        "saved without prior": _WORDS,
    }),
    "prior_sensitivity": Feature("`prior_sensitivity()`", {
        "passes": _ROWS, "saved without prior": _WORDS,
    }, "The log-likelihood at each draw"),
    "log_likelihood": Feature("`add_log_likelihood()`, `loo()`, `bm.compare()`", {"moments": _ROWS},
        "A log-likelihood by row"),
    "posterior_predictive": Feature(
        "`posterior_predictive()`, `check()`, `plot_check()`", _MODEL, "Simulating data"
    ),
    "family of parts": Feature("most other families", {
        "parts": "{asked}: rows that are read part by part serve the families {known}. Fit a sample of the "
        "rows in memory, or rows that fit in it, where equal ones are put together by themselves.",
    }),
    "method of parts": Feature('`method="nuts"` of a pair that is not Gaussian', {
        "parts": "method={asked!r} needs all rows in memory, which a {families} equation would take at each "
        "step; rows that are read part by part are fitted by method='laplace'.",
    }),
    "columns of parts": Feature("`mediator_data=`, `mediator_sigma=`, and those of the outcome", {
        "parts": "{asked}= needs all rows in memory; it cannot be used with moments.",
    }),
}  # fmt: skip
