"""What the parts of a checked model ask of it."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from bayesmed.data.design import Design
from bayesmed.data.frame import Frame
from bayesmed.data.levels import Contrast
from bayesmed.data.response import Response
from bayesmed.families.family import Family
from bayesmed.families.prior import Prior


class Equations(Protocol):
    """The two equations on the complete rows, and what was stated of them.

    A :class:`bayesmed.system.system.System` is one while it is still being checked.
    """

    @property
    def treatment(self) -> str: ...
    @property
    def contrast(self) -> Contrast: ...
    @property
    def frame(self) -> Frame: ...
    @property
    def families(self) -> tuple[Family, Family]: ...
    @property
    def designs(self) -> tuple[Design, Design]: ...
    @property
    def scale_designs(self) -> tuple[Design | None, Design | None]: ...
    @property
    def responses(self) -> tuple[Response, Response]: ...
    @property
    def priors(self) -> Mapping[str, Mapping[str, Prior]] | None: ...
    @property
    def prior_basis(self) -> dict[str, np.ndarray]: ...
    @property
    def counted(self) -> int | None: ...
    def values(self, equation: str) -> np.ndarray: ...
