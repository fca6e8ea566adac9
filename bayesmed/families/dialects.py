"""What formulas of other packages hold that these do not, each with what to write here."""

import builtins
import re
from collections.abc import Iterable
from typing import Any

from formulaic.transforms import TRANSFORMS

from bayesmed.families.listing import short

_QUOTED = re.compile(r"`[^`]*`|'[^']*'|\"[^\"]*\"")
_CALL = re.compile(r"(?<![\w.)])([^\W\d][\w.]*)\(")
_BARS = re.compile(r"\([^()]*\|[^()]*\)")
#: Written with a name and a parenthesis, as other packages have it.
_SMOOTH = "for a smooth curve write cr(x, df=4, constraints='center') or bs(x, df=4)"
_FACTOR = "for a factor write C(x)"
_ELSEWHERE = {
    **dict.fromkeys(("s", "te", "ti", "t2", "lo", "ns", "smooth", "rcs"), _SMOOTH),
    **dict.fromkeys(("as.factor", "as_factor", "i", "ordered"), _FACTOR),
    "interaction": "for the product of two factors write C(g):C(h)",
    "relevel": "for another reference level write C(g, Treatment('level'))",
    "as.numeric": "make a column of numbers first, df['x'] = pd.to_numeric(df['x'])",
}
NO_CLUSTERS = (
    "This package has no random effects and no clustered standard errors: rows are taken as independent "
    "given the formulas (docs/not_answered.md says what is left)."
)
_FAMILY = "Each equation has its own: mediator_family= and outcome_family=."
#: Arguments of other packages, and what stands in their place.
_ARGUMENTS = {
    name: said
    for names, said in (
        ("cluster clusters cluster_id groups group random subject vcov", NO_CLUSTERS),
        ("mediators", "A model here has one mediator, the response of mediator=."),
        ("covariates controls confounders", "Covariates stand in both formulas."),
        ("moderator moderators", "A moderator stands in the formulas, as in treat * x; fit.effects(at=...) or "
         "(by=...) asks for it."),
        ("sims boot nboot n_boot bootstrap iter iterations n_iter niter samples n_samples nsim n_sims",
         "Draws are asked for by draws=, after tune= of warm-up."),
        ("warmup warm_up burnin burn_in burn adapt", "Warm-up is asked for by tune=."),
        ("family families", _FAMILY),
        ("link link_function", f"The link comes with the family, as in 'probit' and 'logit'. {_FAMILY}"),
        ("family_outcome family_y yfamily y_family outcome_model model_y yreg",
         "The outcome's distribution is outcome_family=, its formula outcome=."),
        ("family_mediator family_m mfamily m_family mediator_model model_m mreg",
         "The mediator's distribution is mediator_family=, its formula mediator=."),
        ("treat treatment_name exposure x X a A", "The treatment's column is treatment=."),
        ("y Y response", "The outcome is the response of outcome='y ~ terms'."),
        ("m M med", "The mediator is the response of mediator='m ~ terms'."),
        ("formula formulas", "There are two formulas: mediator='m ~ terms' and outcome='y ~ terms'."),
        ("control_value treat_value a0 a1 astar", "The two levels compared are control= and treated=."),
        ("interaction EMint INT", "An interaction stands in the formula, as in outcome='y ~ m * treat'."),
        ("weight sample_weight survey_weights", "A weighted likelihood has no posterior; effects are averaged "
         "with fit.effects(weights='column')."),
        ("ci conf conf_level conf_int alpha level ci_level ci_prob hdi_prob",
         "Intervals are asked for after the fit: fit.effects().summary(ci_prob=0.95)."),
        ("missing na_action na_rm dropna impute",
         "Rows with missing values are left out and counted; impute before the fit for more."),
    )
    for name in names.split()
}  # fmt: skip


def refuse_elsewhere(given: Iterable[str]) -> None:
    """Refuse arguments of other packages, with what this one has in their place."""
    for name in given:
        if name in _ARGUMENTS:
            raise TypeError(f"There is no argument {name}=. {_ARGUMENTS[name]}")


def outside_quotes(text: str) -> str:
    """A formula with what stands in quotes or backticks blotted out, of the same length."""
    return _QUOTED.sub(lambda found: "_" * len(found.group(0)), text)


def translated(rhs: str) -> str:
    """``factor(g)`` of R as ``C(g)``, and ``Q('x')`` of Patsy as a name in backticks."""
    rhs = re.sub(r"(?<![\w.`])factor\(", "C(", rhs)
    return re.sub(r"(?<![\w.`])Q\(\s*(['\"])([^'\"`]+)\1\s*\)", r"`\2`", rhs)


def refuse_no_formula(formula: Any, equation: str) -> None:
    """Refuse what is no formula with one response."""
    if isinstance(formula, (list, tuple, dict, set)):
        again = " bm.fit_many screens several, each by a model of its own." * (
            equation == "mediator"
        )
        raise ValueError(
            f"{equation}= takes one {equation} formula, 'response ~ terms': a model here has one "
            f"{equation}; {short(formula)} was given.{again}"
        )
    if not isinstance(formula, str) or outside_quotes(formula).count("~") != 1:
        raise ValueError(
            f"The {equation} formula must read 'response ~ terms'; {short(formula)} was given."
        )


def why_no_response(left: str, equation: str) -> str:
    """What to write in place of a response that is more than a name."""
    if not left:
        return f" Name the {equation} before the '~'."
    if re.match(r"Surv\(", left):
        return (
            f" For a time with censoring the response is the time, with {equation}_data="
            "{'event': 'column'}."
        )
    several = re.match(r"(\(|\[|(cbind|c|mvbind)\()", left) and "," in left
    if several or re.search(r"[+,&]", outside_calls(left)):
        again = {
            "mediator": " bm.fit_many screens several, each by a model of its own.",
            "outcome": " For successes out of trials give outcome_data={'trials': 'column'} and "
            "outcome_family='binomial'.",
        }.get(equation, "")
        return f" A model here has one {equation}; of a sum or mean of columns make a column first.{again}"
    log = ""
    if re.match(r"(np\.)?log\(", left):
        log = f" Or take the variable as it is, with {equation}_family='lognormal'."
    return (
        " A transformed response must be a column of its own: compute it first, df['new'] = ..., and "
        f"write 'new ~ ...'.{log}"
    )


def refuse_dialect(formula: str, rhs: str, equation: str) -> None:
    """Refuse random effects, offsets, dots and functions of other packages; say what to write instead."""
    start, bare = f"The {equation} formula {short(formula)} cannot be read: ", outside_quotes(rhs)
    terms = outside_calls(bare)
    bars = _BARS.search(terms)
    if bars:
        shown = rhs[bars.start() : bars.end()]
        raise ValueError(f"{start}{shown} would be a random effect. {NO_CLUSTERS}")
    if "|" in terms:
        raise ValueError(
            f"{start}a formula here has one part, without '|'. Fixed effects stand among the terms, as in "
            f"C(g). {NO_CLUSTERS}"
        )
    if re.search(r"(?<![\w.])\.(?![\w.])", bare):
        raise ValueError(
            f"{start}'.' would stand for every column, the outcome among them; write the covariates "
            "that are meant, one by one."
        )
    for call in _CALL.finditer(bare):
        name = call.group(1)
        if name == "offset":
            raise ValueError(f"{start}{_offset(rhs[call.end() :], equation)}")
        dotted = "." in name and name not in _ELSEWHERE
        if not dotted and name not in TRANSFORMS and not hasattr(builtins, name):
            raise ValueError(f"{start}there is no function {name}() here; {_mend(name)}.")


def outside_calls(text: str) -> str:
    """A formula with the arguments of functions and what is in braces blotted out, of the same length.

    Examples
    --------
    >>> outside_calls("x + I(x / z) + (1 | g)")
    'x + I_______ + (1 | g)'
    """
    kept, within = [], list[bool]()  # whether each open parenthesis is a function's, or a brace
    for place, sign in enumerate(text):
        if sign in "({":
            within.append(sign == "{" or bool(re.match(r"[\w.]", text[place - 1 : place])))
        kept.append("_" if any(within) else sign)
        if sign in ")}" and within:
            within.pop()
    return "".join(kept)


def _offset(rest: str, equation: str) -> str:
    inside = rest.partition(")")[0]
    plain = re.fullmatch(r"\s*`?([\w. ]+?)`?\s*", inside)
    name = plain.group(1) if plain else "column"
    more = "" if plain else " (for the logarithm of a count, {'exposure': 'column'})"
    return (
        f"an offset is no term here. Give it by {equation}_data={{'offset': {name!r}}}, the name of a "
        f"column{more}."
    )


def _mend(name: str) -> str:
    if name in _ELSEWHERE:
        return _ELSEWHERE[name]
    if hasattr(TRANSFORMS["np"], name):
        return f"write np.{name}()"
    return "make a column of it first, and put that into the formula"
