"""Separation of rows that are read part by part: a direction of some rows, held against all."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bayesmed.data.chunks import Parts, rows_of_part
from bayesmed.data.design import Design
from bayesmed.data.response import Response
from bayesmed.families.family import Family
from bayesmed.system.separation import (
    broken_by,
    by_columns,
    ends_of,
    separated,
    unbounded,
    units_of,
)
from bayesmed.system.system import System

#: Rows of a part that are kept where a direction breaks them.
_KEPT = 200
#: Relative to the spread of the columns; rounding of a long sum stays below it.
_TOLERANCE = 1e-6


def notes_of_parts(
    model: System, parts: Parts, variables: list[str], levels: Mapping[str, list[Any]]
) -> list[str]:
    """Say where the likelihood of all rows bounds no coefficient.

    Parameters
    ----------
    model : System
        On some of the rows.
    parts : Parts
        All of them. They are read only where the model's own rows are separated, and again as long
        as a direction is left that the rows seen so far allow.
    variables, levels
        As of the other passes.
    """
    found = []
    for key, equation in model.equations.items():
        design, family, y = equation.design, equation.family, equation.response.values
        if not family.discrete:
            continue
        while True:
            response = Response(y)
            ends = ends_of(family, response, design.parsed.response)
            direction = unbounded(design, family, response, ends)
            if direction is None:
                break
            units = units_of(design, family)
            read = _Broken(design, family, units, direction, tuple(variables), dict(levels))
            added = [one for one in parts.each(read, variables) if len(one[1])]
            if not added:
                found.append(separated(key, [by_columns(design, ends, direction)]))
                break
            rows = np.concatenate([design.matrix, *(columns for columns, _ in added)])
            design = replace(design, matrix=rows)
            y = np.concatenate([y, *(own for _, own in added)])
    return found


@dataclass(frozen=True)
class _Broken:
    """The rows of a part that a direction breaks; a class, so that it travels to workers."""

    design: Design
    family: Family
    units: tuple[np.ndarray, np.ndarray]
    direction: np.ndarray
    variables: tuple[str, ...]
    levels: dict[str, list[Any]]

    def __call__(self, part: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        frame = rows_of_part(part, self.variables, self.levels)
        name = self.design.parsed.response
        y = frame[name].to_numpy(dtype=float)
        if not len(y):
            return np.empty((0, len(self.design.terms))), y
        columns = self.design.rows(frame)
        scaled = (columns - self.units[0]) / self.units[1]
        ends = ends_of(self.family, Response(y), name)
        rows = broken_by(self.direction, scaled, ends, _TOLERANCE)[:_KEPT]
        return columns[rows], y[rows]
