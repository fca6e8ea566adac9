"""The joint model of mediator and outcome: what a user states, checked."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
import pandas as pd

from bayesmed.data.derived import refuse_derived
from bayesmed.data.design import Design
from bayesmed.data.formula import NoRows, parse
from bayesmed.data.frame import Frame, assign, to_pandas, warn_outside
from bayesmed.data.levels import Contrast, Level, contrast, control_first
from bayesmed.data.matrix import build_design
from bayesmed.data.response import Response, columns_at, offset_of
from bayesmed.data.roles import refuse_data_roles
from bayesmed.data.warn import warn
from bayesmed.families.catalogue import resolve_family
from bayesmed.families.check import check_family
from bayesmed.families.family import EQUATIONS, SCALES, Family
from bayesmed.families.listing import few
from bayesmed.families.names import names_nearest
from bayesmed.families.prior import Prior, check_rho
from bayesmed.system.checks import check_roles, refuse_exact_fit
from bayesmed.system.closed import Closedness, closedness
from bayesmed.system.covariates import covariates_of, moved_question
from bayesmed.system.default_priors import centred_terms, settle_basis, settle_priors
from bayesmed.system.reading import complete_rows, observed_responses, parse_scales
from bayesmed.system.rows import (
    Counterfactuals,
    FittedRows,
    arm_frames,
    check_mediator_terms,
    counterfactuals,
)
from bayesmed.system.separation import UnboundedWarning, likelihood_notes, refuse_no_spread

PriorScale = Literal["regression", "structural"]


class IdentificationWarning(UserWarning):
    """What a reader must know about where the answer's identification comes from."""


@names_nearest
@dataclass(frozen=True, eq=False, repr=False)
class System:
    """The checked statement of a model: frame, contrast, designs, responses, priors, correlation.

    What :class:`bayesmed.MediationModel` documents; everything below the front doors takes this.
    """

    data: Any = field(repr=False)
    mediator: str = field(kw_only=True)
    outcome: str = field(kw_only=True)
    treatment: str = field(kw_only=True)
    control: Level | None = field(default=None, kw_only=True)
    treated: Level | None = field(default=None, kw_only=True)
    mediator_family: str | Family = field(default="gaussian", kw_only=True)
    outcome_family: str | Family = field(default="gaussian", kw_only=True)
    rho: float | Prior = field(default=0.0, kw_only=True)
    priors: Mapping[str, Mapping[str, Prior]] | None = field(default=None, kw_only=True)
    priors_on: PriorScale | None = field(default=None, kw_only=True)
    mediator_data: Mapping[str, Any] | None = field(default=None, kw_only=True)
    outcome_data: Mapping[str, Any] | None = field(default=None, kw_only=True)
    mediator_sigma: str | None = field(default=None, kw_only=True)
    outcome_sigma: str | None = field(default=None, kw_only=True)
    weights: None = field(default=None, kw_only=True, repr=False)

    families: tuple[Family, Family] = field(init=False, repr=False)
    frame: Frame = field(init=False, repr=False)
    contrast: Contrast = field(init=False, repr=False)
    designs: tuple[Design, Design] = field(init=False, repr=False)
    scale_designs: tuple[Design | None, Design | None] = field(init=False, repr=False)
    responses: tuple[Response, Response] = field(init=False, repr=False)
    priors_in_use: dict[str, dict[str, Prior]] = field(init=False, repr=False)
    prior_basis: dict[str, np.ndarray] = field(init=False, repr=False)
    identification: Closedness = field(init=False, repr=False)
    notes: tuple[str, ...] = field(init=False, repr=False)
    counted: int | None = field(init=False, default=None, repr=False)
    passes: FittedRows | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        if self.weights is not None:
            raise ValueError(
                "A weighted likelihood has no posterior: survey weights are not numbers of "
                "observations, and intervals from them would be wrong. Put what the weights depend on "
                "into both formulas, and average the effects with fit.effects(weights='column')."
            )
        check_rho(self.rho)
        families = (
            resolve_family(self.mediator_family, "mediator"),
            resolve_family(self.outcome_family, "outcome"),
        )
        for family in families:
            check_family(family)
        given = to_pandas(self.data)
        columns = list(given.columns)
        parsed = (
            parse(self.mediator, columns, "mediator"),
            parse(self.outcome, columns, "outcome"),
        )
        check_roles(parsed[0], parsed[1], self.treatment, given)
        scales = parse_scales((self.mediator_sigma, self.outcome_sigma), parsed, families, columns)
        frame = complete_rows(given, parsed, scales, families, self.stated_data, self.treatment)
        for note in frame.told:  # before an error that may come of it
            warn(note)
        frame = control_first(frame, given, self.treatment, self.control)
        roles = (self.treatment, parsed[0].response, parsed[1].response)
        stated = dict(zip(("mediator_data", "outcome_data"), self.stated_data, strict=True))
        refuse_data_roles(
            frame.data, stated, dict(zip(("treatment", "mediator", "outcome"), roles, strict=True))
        )
        responses = observed_responses(given, frame, parsed, families, self.stated_data)
        designs = (
            build_design(parsed[0], frame.data, "mediator", families[0].kind == "ordered"),
            build_design(parsed[1], frame.data, "outcome", families[1].kind == "ordered"),
        )
        scale_designs = tuple(
            None if part is None else build_design(part, frame.data, name)
            for part, name in zip(scales, SCALES, strict=True)
        )
        for design, scale, family, response, equation in zip(
            designs, scale_designs, families, responses, EQUATIONS, strict=True
        ):
            if family.kind == "continuous" and family.working is not None and response.whole:
                offset = 0.0 if response.offset is None else response.offset
                working = family.working(response.values) - offset
                refuse_exact_fit(design, working, equation)
                if scale is not None:
                    refuse_no_spread(design, scale, frame.data, working, equation)
        used = {n for part in (*parsed, *scales) if part is not None for n in part.variables}
        covariates = sorted(used - set(roles))
        own = parsed[0].variables
        refuse_derived(
            frame.data, covariates, self.treatment, parsed[0].response, own, frame.others
        )
        if families[0].kind in ("continuous", "count"):
            check_mediator_terms(designs[1], frame.data, parsed[0].response, families[0])
        chosen = contrast(frame, self.treatment, self.control, self.treated, given[self.treatment])
        settled = {
            "families": families,
            "frame": frame,
            "contrast": chosen,
            "designs": designs,
            "scale_designs": scale_designs,
            "responses": responses,
            "notes": frame.notes,
        }
        for name, value in settled.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "priors_in_use", settle_priors(self))
        object.__setattr__(self, "prior_basis", settle_basis(self))
        object.__setattr__(self, "identification", self._closed())
        # The clean frame serves from here on; a later change to the caller's data must not.
        object.__setattr__(self, "data", None)
        self._check_prior_scale()
        if families[0].kind == "continuous" and not designs[1].is_affine(parsed[0].response):
            _ = self.counterfactuals  # which refuses steps that no mean can be taken over
        self._warn()

    @property
    def stated_data(self) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
        """``mediator_data`` and ``outcome_data``."""
        return self.mediator_data, self.outcome_data

    def _closed(self) -> Closedness:
        chosen = self.contrast
        try:
            found = closedness(self)
            for design in (*self.designs, *self.scale_designs):
                for arm in arm_frames(self.frame.data, chosen):
                    if design is not None:
                        design.rows(arm)
        except NoRows as error:
            raise ValueError(
                f"The formulas cannot be evaluated at control={chosen.control!r} and "
                f"treated={chosen.treated!r}: {error}; choose levels that the data hold."
            ) from None
        return found

    def _check_prior_scale(self) -> None:
        if self.priors_on not in (None, "regression", "structural"):
            raise ValueError(f"priors_on={self.priors_on!r}; choose 'regression' or 'structural'.")
        if self.priors_on == "regression" and self.identification.map is None:
            raise ValueError(
                "priors_on='regression' needs a closed pair, which has an equivalent model at "
                f"rho = 0; here rho is identified by {self.identification.reason}. Use "
                "priors_on='structural'."
            )

    def _warn(self) -> None:
        found = self.identification
        for note in self.notes:
            if note[0].isdigit():
                warn(note)
        for note in likelihood_notes(self):
            warn(note, UnboundedWarning)
        for design, family, equation in zip(self.designs, self.families, EQUATIONS, strict=True):
            if family.kind == "continuous" and set(np.unique(self.values(equation))) == {0.0, 1.0}:
                warn(
                    f"The {equation} {design.parsed.response!r} holds 0 and 1 only, and its family is "
                    f"{family.name!r}; {equation}_family='probit' or 'logit' is meant for such."
                )
        if found.outcome_only:
            names = list(found.outcome_only)
            warn(
                f"{few(names)} stand in the outcome equation only. {moved_question(self, names, 'outcome')} "
                "If it changes none, this asserts that the mediator does not depend on them given the "
                "treatment and its covariates; where it may, add them to the mediator formula.",
                IdentificationWarning,
            )
        if found.exclusion:
            names = [n for n in covariates_of(self, 0) if n not in covariates_of(self, 1)]
            warn(
                f"The pair is not closed under rho: {found.reason}."
                f"{f' {moved_question(self, names, EQUATIONS[0])}' if names else ''}",
                IdentificationWarning,
            )

    @property
    def size(self) -> int:
        """Number of complete rows, those that only their moments stand for among them."""
        return len(self.frame.data) if self.counted is None else self.counted

    def values(self, equation: str) -> np.ndarray:
        """Observed mediator or outcome on the complete rows, float, shape (obs,).

        Categories of an ordered family are coded 0, 1, ...
        """
        return self.responses[EQUATIONS.index(equation)].values

    @property
    def prior_scale(self) -> PriorScale:
        """Whether priors speak of the regression at rho = 0 or of the structural equations."""
        if self.priors_on is not None:
            return self.priors_on
        return "regression" if self.identification.map is not None else "structural"

    @property
    def independent(self) -> bool:
        """Whether the likelihood is the product of two regressions: rho = 0, or its equivalent."""
        if self.prior_scale == "regression":
            return True
        return not isinstance(self.rho, Prior) and self.rho == 0.0

    @cached_property
    def counterfactuals(self) -> Counterfactuals:
        """Rows of both equations under either arm, at the observed covariates."""
        return self.counterfactuals_at({})

    def counterfactuals_at(self, at: Mapping[str, Any]) -> Counterfactuals:
        """Rows under either arm with some covariates set to one value.

        Parameters
        ----------
        at : mapping of str to value
            Covariates and the values all rows get.

        Raises
        ------
        ValueError
            For the treatment, the mediator or the outcome, an unknown variable, or a level
            that does not exist.

        Warns
        -----
        UserWarning
            If a number lies outside the observed range of its covariate.
        """
        if not isinstance(at, Mapping):
            raise TypeError(
                f"at= takes a mapping of covariates to values, such as {{'age': 60}}; {at!r} was given."
            )
        mediator, outcome = (design.parsed.response for design in self.designs)
        instead = {
            self.treatment: "the treatment; contrast=(control, treated) sets its values",
            mediator: "the mediator; m= sets its value, for the controlled direct effect",
            outcome: "the outcome, whose mean the effects are of",
        }
        for name in at:
            if name in instead:
                raise ValueError(f"at= sets covariates; {name!r} is {instead[name]}.")
        hidden = [
            value
            for key, value in (self.outcome_data or {}).items()
            if key in ("event", "lower", "upper") and value in at
        ]
        if hidden:
            raise ValueError(
                f"at= sets covariates; {hidden} says which outcomes were hidden, and effects are on "
                "those of all rows, seen or not."
            )
        frame = assign(self.frame.data, dict(at))
        try:
            rows = counterfactuals(
                *self.designs,
                frame,
                self.contrast,
                self.families[0],
                list(self.responses[0].levels),
            )
            rows = replace(rows, **self._further_rows(frame))
        except NoRows as error:
            raise ValueError(
                f"The formulas cannot be evaluated at={dict(at)}: {error}; choose values that the "
                "data hold."
            ) from None
        own = {*(self.mediator_data or {}).values(), *(self.outcome_data or {}).values()}
        warn_outside(self.frame.data, {n: v for n, v in at.items() if n not in own})
        return rows

    def _further_rows(self, frame: pd.DataFrame) -> dict[str, Any]:
        """Offsets, designs of log sigma and data columns of counterfactual rows."""
        at = replace(self.frame, data=frame)
        arms = arm_frames(frame, self.contrast)
        found: dict[str, Any] = {}
        for name, design, response, data in zip(
            EQUATIONS, self.scale_designs, self.responses, self.stated_data, strict=True
        ):
            found[f"{name}_offset"] = offset_of(at, data, name)
            found[f"{name}_columns"] = columns_at(at, response, data, name)
            if design is not None:
                found[f"{name}_sigma"] = np.stack([design.rows(arm) for arm in arms])
        return found

    def with_rho(self, rho: float | Prior) -> Self:
        """The same model at another residual correlation, fixed or with a prior."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # this model has said it all
            again = replace(self, data=self.frame.data, rho=rho)
        # The count of dropped rows is the first frame's.
        object.__setattr__(again, "frame", self.frame)
        object.__setattr__(again, "notes", self.notes)
        return again

    def with_contrast(self, control: Level, treated: Level) -> Self:
        """The same model with another pair of treatment values; its posterior is the same.

        Raises
        ------
        ValueError
            If a value does not exist or lies outside the data, or both are the same.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # this model has said it all
            again = replace(self, data=self.frame.data, control=control, treated=treated)
        object.__setattr__(again, "frame", self.frame)
        object.__setattr__(again, "notes", self.notes)
        return again

    def with_data(self, data: Any) -> Self:
        """The same model on other data; a fit of it compiles nothing new.

        Default priors are taken anew from the scale of the new data.
        """
        return replace(self, data=data)

    def prior_summary(self) -> pd.DataFrame:
        """Every prior in use: equation, parameter, prior, and where it comes from.

        A default that is "centred" speaks of the coefficient where the columns that its column is
        multiplied with are at their means (:func:`bayesmed.data.centring.centred_basis`).
        """
        given = self.priors or {}
        centred = centred_terms(self)
        rows = [
            (
                equation,
                name,
                repr(prior),
                "user"
                if name in given.get(equation, {})
                else "default, centred"
                if name in centred[equation]
                else "default",
            )
            for equation, priors in self.priors_in_use.items()
            for name, prior in priors.items()
        ]
        rho = repr(self.rho) if isinstance(self.rho, Prior) else f"fixed at {self.rho:g}"
        source = "default" if self.rho == 0.0 else "user"
        rows.append(("both", "rho", rho, source))
        return pd.DataFrame(rows, columns=["equation", "parameter", "prior", "source"])
