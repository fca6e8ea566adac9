"""The checked half of a model: equations, correlation and contrast on the complete rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from bayesmed.data.design import Design
from bayesmed.data.formula import NoRows
from bayesmed.data.frame import Frame, assign, warn_outside
from bayesmed.data.levels import Contrast, Level, contrast
from bayesmed.families.family import Families
from bayesmed.families.names import names_nearest
from bayesmed.families.prior import Prior
from bayesmed.system.closed import Closedness, closedness
from bayesmed.system.correlation import Correlation
from bayesmed.system.equation import Equation, edges
from bayesmed.system.rows import Counterfactuals, FittedRows, arm_frames, counterfactuals
from bayesmed.system.statement import PriorScale, Statement


class IdentificationWarning(UserWarning):
    """What a reader must know about where the answer's identification comes from."""


@names_nearest
@dataclass(frozen=True, eq=False, repr=False)
class System:
    """What everything below the front doors takes; :class:`bayesmed.MediationModel` is one.

    Attributes
    ----------
    statement : Statement
        What the user gave beside the data.
    frame : Frame
        The complete rows.
    equations : mapping of str to Equation
        By their keys, each after its parents, the outcome last. The order is that of the random
        variables of the graph, and so of what a seed draws.
    correlation : Correlation
    contrast : Contrast
        The one that is meant where none is asked for.
    counted : int or None
        Number of rows, where those at hand stand for others.
    stand_in : Counterfactuals or None
        Their rows under either arm, which are then not those of the frame.
    passes : FittedRows or None
        Rows that are read anew whenever something is computed from them.
    """

    statement: Statement
    frame: Frame
    equations: Mapping[str, Equation]
    correlation: Correlation
    contrast: Contrast
    counted: int | None = None
    stand_in: Counterfactuals | None = field(default=None, repr=False)
    passes: FittedRows | None = None

    @property
    def treatment(self) -> str:
        """The treatment's column."""
        return self.statement.treatment

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to the data."""
        return self.frame.notes

    @property
    def size(self) -> int:
        """Number of complete rows, those that only their moments stand for among them."""
        return len(self.frame.data) if self.counted is None else self.counted

    @property
    def only_mediator(self) -> Equation:
        """The mediator's equation, where the code knows of one."""
        mediator, _ = self.equations.values()
        return mediator

    @property
    def last(self) -> Equation:
        """The outcome's equation."""
        return list(self.equations.values())[-1]

    @property
    def families(self) -> Families:
        """By the equations' keys."""
        return {key: equation.family for key, equation in self.equations.items()}

    @property
    def designs(self) -> tuple[Design, ...]:
        """In the order of the equations."""
        return tuple(equation.design for equation in self.equations.values())

    @property
    def priors_in_use(self) -> dict[str, dict[str, Prior]]:
        """Every prior by equation, and by ``mediator_sigma`` and ``outcome_sigma``."""
        return {name: own for one in self.equations.values() for name, own in one.priors.items()}

    @property
    def prior_basis(self) -> dict[str, np.ndarray]:
        """What the priors speak of, by the same names."""
        return {name: own for one in self.equations.values() for name, own in one.basis.items()}

    @property
    def prior_scale(self) -> PriorScale:
        """Whether priors speak of the regression at rho = 0 or of the structural equations."""
        if self.statement.priors_on is not None:
            return self.statement.priors_on
        return "regression" if self.identification.map is not None else "structural"

    @property
    def independent(self) -> bool:
        """Whether the likelihood is the product of two regressions: rho = 0, or its equivalent."""
        return self.prior_scale == "regression" or self.correlation.fixed == 0.0

    @cached_property
    def identification(self) -> Closedness:
        """Whether the pair is closed under rho, and if not why."""
        return self.closed_under(self.contrast)

    def closed_under(self, chosen: Contrast) -> Closedness:
        """Whether the pair is closed on the observed rows and on those of a contrast.

        Raises
        ------
        ValueError
            If a formula has no value under an arm.
        """
        data = self.frame.data
        try:
            found = closedness(self.equations, data, chosen)
            for arm in arm_frames(data, chosen):
                for equation in self.equations.values():
                    for design in equation.designs.values():
                        design.rows(arm)
        except NoRows as error:
            raise ValueError(
                f"The formulas cannot be evaluated at control={chosen.control!r} and "
                f"treated={chosen.treated!r}: {error}; choose levels that the data hold."
            ) from None
        return found

    def check(self) -> None:
        """Refuse what shows at the counterfactual rows only.

        Raises
        ------
        ValueError
            For priors of a regression that has no equivalent, and for steps along the mediator that
            no mean can be taken over.
        """
        closed, stated = self.identification, self.statement.priors_on
        if stated not in (None, "regression", "structural"):
            raise ValueError(f"priors_on={stated!r}; choose 'regression' or 'structural'.")
        if stated == "regression" and closed.map is None:
            raise ValueError(
                "priors_on='regression' needs a closed pair, which has an equivalent model at "
                f"rho = 0; here rho is identified by {closed.reason}. Use "
                "priors_on='structural'."
            )
        if any(
            parent.family.kind == "continuous" and not child.design.is_affine(parent.name)
            for parent, child in edges(self.equations)
        ):
            _ = self.counterfactuals

    @cached_property
    def counterfactuals(self) -> Counterfactuals:
        """Rows of both equations under either arm, at the observed covariates."""
        return self.counterfactuals_at({}) if self.stand_in is None else self.stand_in

    def counterfactuals_at(
        self, at: Mapping[str, Any], chosen: Contrast | None = None
    ) -> Counterfactuals:
        """Rows under either arm with some covariates set to one value.

        Parameters
        ----------
        at : mapping of str to value
            Covariates and the values all rows get.
        chosen : Contrast, optional
            The model's own where None is given.

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
        self._refuse_set(at)
        frame = assign(self.frame.data, dict(at))
        try:
            rows = counterfactuals(
                self.equations, replace(self.frame, data=frame), chosen or self.contrast
            )
        except NoRows as error:
            raise ValueError(
                f"The formulas cannot be evaluated at={dict(at)}: {error}; choose values that the "
                "data hold."
            ) from None
        own = {column for one in self.equations.values() for column in one.data.values()}
        warn_outside(self.frame.data, {n: v for n, v in at.items() if n not in own})
        return rows

    def _refuse_set(self, at: Mapping[str, Any]) -> None:
        if not isinstance(at, Mapping):
            raise TypeError(
                f"at= takes a mapping of covariates to values, such as {{'age': 60}}; {at!r} was given."
            )
        instead = {
            self.treatment: "the treatment; contrast=(control, treated) sets its values",
            self.only_mediator.name: "the mediator; m= sets its value, for the controlled direct effect",
            self.last.name: "the outcome, whose mean the effects are of",
        }
        for name in at:
            if name in instead:
                raise ValueError(f"at= sets covariates; {name!r} is {instead[name]}.")
        hidden = [
            value
            for key, value in self.last.data.items()
            if key in ("event", "lower", "upper") and value in at
        ]
        if hidden:
            raise ValueError(
                f"at= sets covariates; {hidden} says which outcomes were hidden, and effects are on "
                "those of all rows, seen or not."
            )

    def contrast_of(self, control: Level, treated: Level) -> Contrast:
        """Another contrast of the treatment.

        Raises
        ------
        ValueError
            If a value does not exist or lies outside the data, or both are the same.
        """
        column = self.frame.data[self.treatment]
        return contrast(self.frame, self.treatment, control, treated, column)

    def with_rho(self, rho: float | Prior) -> Self:
        """The same model at another residual correlation, fixed or with a prior."""
        return self.changed(
            correlation=Correlation(rho), statement=replace(self.statement, rho=rho)
        )

    @property
    def parts(self) -> dict[str, Any]:
        """What it is made of, by name."""
        return {one.name: getattr(self, one.name) for one in fields(System)}

    def changed(self, **parts: Any) -> Self:
        """The same with other parts; nothing is read again. A subclass may take other arguments."""
        again = object.__new__(type(self))
        System.__init__(again, **{**self.parts, **parts})
        return again
