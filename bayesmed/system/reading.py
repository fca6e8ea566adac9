"""From what a user states to formulas that were read, complete rows and coded responses."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from bayesmed.data.formula import Parsed, as_factors, parse, parse_scale
from bayesmed.data.frame import Frame, clean, is_categorical, is_declared, told_of
from bayesmed.data.response import Response, build_response, data_variables
from bayesmed.families.catalogue import resolve_family
from bayesmed.families.check import check_family
from bayesmed.families.family import EQUATIONS, Family
from bayesmed.families.listing import few
from bayesmed.families.names import nearest
from bayesmed.system.checks import check_roles
from bayesmed.system.statement import Statement


@dataclass(frozen=True)
class Read:
    """One equation as it was stated, its formulas read.

    Attributes
    ----------
    key : str
    family : Family
    formula : Parsed
    sigma : Parsed or None
        That of log sigma.
    data : mapping or None
    """

    key: str
    family: Family
    formula: Parsed
    sigma: Parsed | None
    data: Mapping[str, Any] | None


def families_of(statement: Statement) -> dict[str, Family]:
    """The stated families by the equations' keys."""
    found: dict[str, Family] = {}
    for key in EQUATIONS:
        found[key] = resolve_family(getattr(statement, f"{key}_family"), key)
    for family in found.values():
        check_family(family)
    return found


def read_formulas(
    statement: Statement, families: Mapping[str, Family], given: pd.DataFrame
) -> dict[str, Read]:
    """Read the formulas of all equations."""
    columns = list(given.columns)
    formulas = {key: parse(getattr(statement, key), columns, key) for key in families}
    check_roles(formulas["mediator"], formulas["outcome"], statement.treatment, given)
    responses = {formula.response for formula in formulas.values()}
    found = {}
    for key, family in families.items():
        text, formula = getattr(statement, f"{key}_sigma"), formulas[key]
        sigma = None
        if text is not None:
            sigma = _read_sigma(text, f"{key}_sigma", family, formula.response, responses, columns)
        found[key] = Read(key, family, formula, sigma, getattr(statement, f"{key}_data"))
    return found


def _read_sigma(
    text: str, name: str, family: Family, response: str, responses: set[str], columns: list[str]
) -> Parsed:
    if family.scale != "sigma":
        raise ValueError(
            f"{name}={text!r}: the {family.name} family has no sigma that could have a regression "
            "of its own."
        )
    own = parse_scale(text, response, columns, name)
    refused = responses & set(own.variables)
    if refused:
        raise ValueError(
            f"{name}={text!r} holds {sorted(refused)}: sigma may depend on the treatment and on "
            "covariates, but not on the mediator or the outcome."
        )
    return own


def complete_rows(given: pd.DataFrame, read: Mapping[str, Read], treatment: str) -> Frame:
    """Keep the rows that are complete in every variable of the formulas and data mappings."""
    formulas = [one.formula for one in read.values()]
    scales = [one.sigma for one in read.values() if one.sigma is not None]
    used = [name for part in formulas for name in (part.response, *part.variables)]
    used += [name for part in scales for name in part.variables]
    extra: list[str] = []
    for one in read.values():
        extra += data_variables(one.data, one.key, one.family)
    unknown = [name for name in extra if name not in given.columns]
    if unknown:
        raise ValueError(
            f"{unknown} in mediator_data or outcome_data is not a column of the data; the columns are "
            f"{few(given.columns)}.{nearest(unknown[0], given.columns)}"
        )
    limits = {
        value
        for one in read.values()
        for key, value in (one.data or {}).items()
        if key in ("lower", "upper") and isinstance(value, str)
    }
    roles = {treatment: "treatment"} | {one.formula.response: one.key for one in read.values()}
    frame = clean(given, [*used, *extra], set(extra) - set(used), limits - set(used), roles)
    numbers = {part.response for part in formulas if not is_declared(given[part.response])}
    names = [name for name in dict.fromkeys(used) if name not in numbers]
    factors = {name for part in (*formulas, *scales) for name in as_factors(part)}
    told = told_of(frame.data[list(dict.fromkeys(used))], given, names, factors)
    said = () if treatment in factors else dose_notes(frame.data[treatment])
    return replace(frame, notes=(*frame.notes, *told, *said), told=told)


def dose_notes(treatment: pd.Series) -> tuple[str, ...]:
    """What to say of a numeric treatment whose few whole values may be codes of arms."""
    if is_categorical(treatment) or not 3 <= treatment.nunique() <= 5:
        return ()
    if not (treatment % 1 == 0).all():
        return ()
    name, values = treatment.name, ", ".join(f"{one:g}" for one in sorted(treatment.unique()))
    return (f"{name!r} ({values}) is taken as a dose; write C({name}) where these are arms.",)


def observed_response(given: pd.DataFrame, frame: Frame, read: Read) -> Response:
    """Check and code a response; see :func:`bayesmed.data.response.build_response`."""
    column = given[read.formula.response]
    categorical = is_categorical(column)
    declared = column.cat.categories.tolist() if categorical else None
    return build_response(frame, read.formula.response, read.family, read.data, read.key, declared)
