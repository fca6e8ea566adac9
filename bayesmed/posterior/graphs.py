"""The PyMC graphs of a system, each made once."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from bayesmed.system.condensed import Rows, condense
from bayesmed.system.system import System

if TYPE_CHECKING:
    import pymc as pm

#: Made once for each system; not in its fields, since graphs do not travel to workers.
_GRAPHS: WeakKeyDictionary[System, dict[str, Any]] = WeakKeyDictionary()


def once(system: System, name: str, make: Callable[[], Any]) -> Any:
    """What is made of a system's graph, kept by its name."""
    kept = _GRAPHS.setdefault(system, {})
    if name not in kept:
        kept[name] = make()
    return kept[name]


def graph_of(system: System) -> "pm.Model":
    """The PyMC model; see :meth:`bayesmed.MediationModel.build`."""
    return once(system, "plain", lambda: _build(system))  # type: ignore[no-any-return]


def condensed_rows_of(system: System) -> dict[str, Rows | None]:
    """Rows that serve for all in the likelihood of an equation; None for all."""
    return once(system, "rows", lambda: condense(system))  # type: ignore[no-any-return]


def condensed_graph_of(system: System) -> "pm.Model":
    """The same log-density over fewer rows, where those suffice; see ``condense``."""
    rows = condensed_rows_of(system)
    return once(system, "condensed", lambda: _build(system, rows))  # type: ignore[no-any-return]


def _build(system: System, rows: dict[str, Rows | None] | None = None) -> "pm.Model":
    from bayesmed.posterior.graph import build_graph  # late: it imports PyMC

    return build_graph(system, rows)
