"""What a user states beside the two formulas: regressions of sigma, and data columns."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from bayesmed.data.formula import Parsed, as_factors, parse_scale
from bayesmed.data.frame import Frame, clean, is_declared, with_code_notes, with_text_notes
from bayesmed.data.response import Response, build_response, data_variables
from bayesmed.families.family import EQUATIONS, SCALES, Family
from bayesmed.families.listing import few
from bayesmed.families.names import nearest

#: Of the mediator and of the outcome.
Formulas = tuple[Parsed, Parsed]
Scales = tuple[Parsed | None, Parsed | None]
Families = tuple[Family, Family]
Stated = tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]


def parse_scales(
    given: tuple[str | None, str | None], parsed: Formulas, families: Families, columns: list[str]
) -> Scales:
    """Read the formulas of log sigma.

    Raises
    ------
    ValueError
        If a family has no sigma, or a formula holds the mediator or the outcome.
    """
    both: list[Parsed | None] = []
    for name, text, part, family in zip(SCALES, given, parsed, families, strict=True):
        if text is None:
            both.append(None)
            continue
        if family.scale != "sigma":
            raise ValueError(
                f"{name}={text!r}: the {family.name} family has no sigma that could have a regression "
                "of its own."
            )
        own = parse_scale(text, part.response, columns, name)
        refused = {parsed[0].response, parsed[1].response} & set(own.variables)
        if refused:
            raise ValueError(
                f"{name}={text!r} holds {sorted(refused)}: sigma may depend on the treatment and on "
                "covariates, but not on the mediator or the outcome."
            )
        both.append(own)
    return both[0], both[1]


def complete_rows(
    given: pd.DataFrame,
    parsed: Formulas,
    scales: Scales,
    families: Families,
    stated: Stated,
    treatment: str,
) -> Frame:
    """Keep the rows that are complete in every variable of the formulas and data mappings.

    Raises
    ------
    ValueError, TypeError
        If a data mapping cannot be used or names an unknown column.
    """
    used = [name for part in parsed for name in (part.response, *part.variables)]
    used += [name for part in scales if part is not None for name in part.variables]
    extra: list[str] = []
    for equation, family, data in zip(EQUATIONS, families, stated, strict=True):
        extra += data_variables(data, equation, family)
    unknown = [name for name in extra if name not in given.columns]
    if unknown:
        raise ValueError(
            f"{unknown} in mediator_data or outcome_data is not a column of the data; the columns are "
            f"{few(given.columns)}.{nearest(unknown[0], given.columns)}"
        )
    limits = {
        value
        for key, value in (stated[1] or {}).items()
        if key in ("lower", "upper") and isinstance(value, str)
    }
    roles = {treatment: "treatment"} | {
        part.response: name for name, part in zip(EQUATIONS, parsed, strict=True)
    }
    frame = clean(given, [*used, *extra], set(extra) - set(used), limits - set(used), roles)
    both = [part for part in (*parsed, *scales) if part is not None]
    numbers = {part.response for part in parsed if not is_declared(given[part.response])}
    names = [name for name in dict.fromkeys(used) if name not in numbers]
    factors = {name for part in both for name in as_factors(part)}
    frame = with_text_notes(frame, given, names, factors)
    frame = with_code_notes(frame, dict.fromkeys(used))
    said = () if treatment in factors else dose_notes(frame.data[treatment])
    return replace(frame, notes=(*frame.notes, *said))


def dose_notes(treatment: pd.Series) -> tuple[str, ...]:
    """What to say of a numeric treatment whose few whole values may be codes of arms."""
    if isinstance(treatment.dtype, pd.CategoricalDtype) or not 3 <= treatment.nunique() <= 5:
        return ()
    if not (treatment % 1 == 0).all():
        return ()
    name, values = treatment.name, ", ".join(f"{one:g}" for one in sorted(treatment.unique()))
    return (f"{name!r} ({values}) is taken as a dose; write C({name}) where these are arms.",)


def observed_responses(
    given: pd.DataFrame, frame: Frame, parsed: Formulas, families: Families, stated: Stated
) -> tuple[Response, Response]:
    """Check and code both responses; see :func:`bayesmed.data.response.build_response`."""
    built = []
    for equation, part, family, data in zip(EQUATIONS, parsed, families, stated, strict=True):
        column = given[part.response]
        categorical = isinstance(column.dtype, pd.CategoricalDtype)
        declared = column.cat.categories.tolist() if categorical else None
        built.append(build_response(frame, part.response, family, data, equation, declared))
    return built[0], built[1]
