"""From a statement and data to the checked system."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bayesmed.data.derived import refuse_derived
from bayesmed.data.frame import Frame, to_pandas
from bayesmed.data.levels import contrast, control_first
from bayesmed.data.matrix import build_design
from bayesmed.data.roles import refuse_data_roles
from bayesmed.data.warn import warn
from bayesmed.families.listing import few
from bayesmed.system.checks import refuse_exact_fit
from bayesmed.system.correlation import Correlation
from bayesmed.system.covariates import covariates_of, moved_question
from bayesmed.system.default_priors import with_priors
from bayesmed.system.equation import Equation, edges
from bayesmed.system.reading import (
    Read,
    complete_rows,
    families_of,
    observed_response,
    read_formulas,
)
from bayesmed.system.rows import check_mediator_terms
from bayesmed.system.separation import UnboundedWarning, likelihood_notes, refuse_no_spread
from bayesmed.system.statement import Statement
from bayesmed.system.system import IdentificationWarning, System


def settle(data: Any, statement: Statement) -> System:
    """Read what was stated, and check all but :meth:`System.check`."""
    if statement.weights is not None:
        raise ValueError(
            "A weighted likelihood has no posterior: survey weights are not numbers of "
            "observations, and intervals from them would be wrong. Put what the weights depend on "
            "into both formulas, and average the effects with fit.effects(weights='column')."
        )
    correlation, families = Correlation(statement.rho), families_of(statement)
    given, treatment = to_pandas(data), statement.treatment
    read = read_formulas(statement, families, given)
    frame = complete_rows(given, read, treatment)
    for note in frame.told:  # before an error that may come of it
        warn(note)
    frame = control_first(frame, given, treatment, statement.control)
    roles = {"treatment": treatment} | {one.key: one.formula.response for one in read.values()}
    refuse_data_roles(frame.data, {f"{one.key}_data": one.data for one in read.values()}, roles)
    equations = _equations(given, frame, read)
    for equation in equations.values():
        _refuse_exact(equation, frame.data)
    _refuse_variables(equations, frame, read, treatment)
    chosen = contrast(frame, treatment, statement.control, statement.treated, given[treatment])
    equations = with_priors(equations, statement.priors)
    return System(statement, frame, equations, correlation, chosen)


def _equations(given: pd.DataFrame, frame: Frame, read: Mapping[str, Read]) -> dict[str, Equation]:
    """The equations on the complete rows, in the order of their formulas."""
    responses = {key: observed_response(given, frame, one) for key, one in read.items()}
    designs = {
        key: build_design(one.formula, frame.data, key, one.family.kind == "ordered")
        for key, one in read.items()
    }
    scales = {
        key: build_design(one.sigma, frame.data, f"{key}_sigma")
        for key, one in read.items()
        if one.sigma is not None
    }
    keys = {one.formula.response: key for key, one in read.items()}
    return {
        key: Equation(
            key, one.family, designs[key], responses[key], scales.get(key),
            tuple(keys[name] for name in one.formula.variables if name in keys), one.data or {},
        )
        for key, one in read.items()
    }  # fmt: skip


def _refuse_exact(equation: Equation, frame: pd.DataFrame) -> None:
    """Refuse a continuous response that its columns give without error, in all rows or in a cell."""
    family, response = equation.family, equation.response
    if family.kind != "continuous" or family.working is None or not response.whole:
        return
    offset = 0.0 if response.offset is None else response.offset
    working = family.working(response.values) - offset
    refuse_exact_fit(equation.design, working, equation.key)
    if equation.sigma is not None:
        refuse_no_spread(equation.design, equation.sigma, frame, working, equation.key)


def _refuse_variables(
    equations: Mapping[str, Equation], frame: Frame, read: Mapping[str, Read], treatment: str
) -> None:
    """Refuse what is computed from treatment or mediator, and functions of it without a value."""
    formulas = [part for one in read.values() for part in (one.formula, one.sigma) if part]
    used = {name for part in formulas for name in part.variables}
    covariates = sorted(used - {treatment, *(one.name for one in equations.values())})
    for parent, child in edges(equations):
        own = parent.design.parsed.variables
        refuse_derived(frame.data, covariates, treatment, parent.name, own, frame.others)
        if parent.family.kind in ("continuous", "count"):
            check_mediator_terms(child.design, frame.data, parent.name, parent.family)


def tell(system: System) -> None:
    """Warn of what the data leave to the priors, and of what identifies rho."""
    for note in system.notes:
        if note[0].isdigit():
            warn(note)
    for note in likelihood_notes(system):
        warn(note, UnboundedWarning)
    for equation in system.equations.values():
        if equation.family.kind == "continuous" and set(np.unique(equation.response.values)) == {
            0.0,
            1.0,
        }:
            warn(
                f"The {equation.key} {equation.name!r} holds 0 and 1 only, and its family is "
                f"{equation.family.name!r}; {equation.key}_family='probit' or 'logit' is meant for such."
            )
    found = system.identification
    if found.outcome_only:
        names = list(found.outcome_only)
        warn(
            f"{few(names)} stand in the outcome equation only. {moved_question(system, names, 'outcome')} "
            "If it changes none, this asserts that the mediator does not depend on them given the "
            "treatment and its covariates; where it may, add them to the mediator formula.",
            IdentificationWarning,
        )
    if found.exclusion:
        known = covariates_of(system, "outcome")
        names = [name for name in covariates_of(system, "mediator") if name not in known]
        warn(
            f"The pair is not closed under rho: {found.reason}."
            f"{f' {moved_question(system, names, "mediator")}' if names else ''}",
            IdentificationWarning,
        )
