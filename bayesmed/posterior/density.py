"""One compiled log-density per model structure, with the data as inputs.

Two models of the same structure (families, distributions of the priors, fixed or random rho)
share the compiled function whatever their data, so that a refit compiles nothing.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from bayesmed.data.design import Design
from bayesmed.families.catalogue import FAMILIES
from bayesmed.families.family import Family
from bayesmed.families.prior import Prior, uncompiled
from bayesmed.numerics.threads import threads
from bayesmed.posterior.graphs import condensed_graph_of, once
from bayesmed.system.default_priors import scale_of
from bayesmed.system.system import System

if TYPE_CHECKING:
    import pymc as pm

    from bayesmed.posterior.kernels import Joined

#: Points that a thread takes at once.
_PART = 250
#: From so many numbers on even a few points are shared among threads.
_LARGE = 200_000
_CACHE: dict[tuple[Any, ...], Any] = {}
#: How many functions this process compiled, or took from disk.
compilations = 0


@dataclass(frozen=True)
class Part:
    """The density of one equation's random variables, or of all that go together.

    Attributes
    ----------
    sizes : numpy.ndarray
        Where each random variable's coordinates begin, and how many there are of all.
    data : dict of str to numpy.ndarray
        What its compiled functions read before the sizes, in their order.
    compiled : object
        Of value and gradient; see :func:`bayesmed.posterior.kernels.compiled`.
    alone : callable
        ``alone()`` returns the same of the value only, compiled at the first call.
    """

    sizes: np.ndarray
    data: dict[str, np.ndarray]
    compiled: Any
    alone: Callable[[], Any]

    def joining(self, function: Any) -> tuple[Any, int, list[np.ndarray]]:
        """One of its functions, as :class:`bayesmed.posterior.kernels.Joined` takes it."""
        return function, int(self.sizes[-1]), [*self.data.values(), self.sizes]


@dataclass(frozen=True)
class LogDensity:
    """The unnormalised log posterior on the sampler's coordinates, and its way back.

    Attributes
    ----------
    parts : tuple of Part
        Of consecutive stretches of the coordinates; their sum is the log-density.
    start : numpy.ndarray
        A sensible point, shape (dim,).
    """

    parts: tuple[Part, ...]
    start: np.ndarray

    @property
    def data(self) -> dict[str, np.ndarray]:
        """The data of all parts by name."""
        return {name: array for part in self.parts for name, array in part.data.items()}

    @property
    def size(self) -> int:
        """How many numbers the density reads."""
        return sum(array.size for part in self.parts for array in part.data.values())

    @cached_property
    def joined(self) -> "Joined":
        """Value and gradient as one compiled function with its data."""
        return _join(part.joining(part.compiled) for part in self.parts)

    @cached_property
    def _alone(self) -> "Joined":
        return _join(part.joining(part.alone()) for part in self.parts)

    def at(self, point: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and gradient at one point."""
        return self.joined.at(point)

    def batch(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values, shape (S,), and gradients, shape (S, dim), at points of shape (S, dim)."""
        found = self._each(self.joined, points)
        return np.array([value for value, _ in found]), np.stack([own for _, own in found])

    def values(self, points: np.ndarray) -> np.ndarray:
        """Values at points of shape (S, dim), in about half of the time that :meth:`batch` takes."""
        return np.array([value for value, _ in self._each(self._alone, points)])

    def _each(self, joined: "Joined", points: np.ndarray) -> list[tuple[float, np.ndarray]]:
        def some(part: np.ndarray) -> list[tuple[float, np.ndarray]]:
            return [joined.at(point) for point in part]

        # The compiled function lets go of the interpreter. Small parts, so that Ctrl-C need not
        # wait. BLAS would wait for its own threads on the same cores.
        least = min(len(points), os.cpu_count() or 1) if self.size > _LARGE else 1
        count = max(least, -(-len(points) // _PART))
        if count == 1:
            return some(points)
        with threads() as pool:
            parts = pool.map(some, np.array_split(points, count))
            return [one for part in parts for one in part]

    def with_data(self, data: Mapping[str, np.ndarray]) -> "LogDensity":
        """The same with other data of some names; compiles nothing."""
        parts = [
            replace(part, data={n: _plain(data.get(n, old)) for n, old in part.data.items()})
            for part in self.parts
        ]
        return LogDensity(tuple(parts), self.start)

    def at_rho(self, rho: float) -> "LogDensity":
        """The same with another number for a fixed rho that is not zero; compiles nothing."""
        return self.with_data({"rho": np.array(rho, dtype=float)})


def _join(parts: Iterable[tuple[Any, int, list[np.ndarray]]]) -> "Joined":
    from bayesmed.posterior.kernels import Joined  # late: it imports numba

    return Joined([*parts])


def _plain(value: Any) -> np.ndarray:
    """As compiled functions read arrays: column after column, as designs mostly are already."""
    return np.require(value, float, ["F", "A"])


def _structure(model: System, keys: tuple[str, ...]) -> tuple[Any, ...]:
    """What models must share to share the compiled density of some equations, or of rho alone."""
    prior = model.correlation.prior
    parts: list[Any] = []
    if not model.independent or "rho" in keys:
        parts.append("fixed" if prior is None else _kind(prior))
    if not model.independent:
        parts += [model.prior_scale, model.identification.map is not None]
    for equation in (model.equations[key] for key in keys if key in model.equations):
        priors, response = equation.priors[equation.key], equation.response
        names = [name for name in equation.family.parameters if name in priors]
        parts.append(tuple((name, _kind(priors[name])) for name in names))
        parts.append((tuple(response.rowwise), response.offset is not None))
        for name, design in equation.designs.items():
            parts.append((_bare(name, keys), _equation_structure(design, equation.priors[name])))
    return tuple(parts)


def _bare(name: Any, keys: tuple[str, ...]) -> str:
    """A variable's name in a density, the same for an equation in either place and on either scale."""
    own = str(name).removeprefix(keys[0]) if len(keys) == 1 else str(name)
    return own.replace("_rho0", "")


def _equation_structure(design: Design, priors: dict[str, Prior]) -> tuple[Any, ...]:
    from bayesmed.posterior.coefficients import group_priors

    groups = group_priors(design.terms, priors)
    # One group takes any number of columns; several are told apart by position.
    index = [tuple(group.index) for group in groups] if len(groups) > 1 else "all"
    bounded = tuple(np.isfinite(priors[term].bounds).any() for term in design.terms)
    return (
        tuple((group.distribution.__name__, group.names) for group in groups),
        str(index), bounded if any(bounded) else "none",
    )  # fmt: skip


def _kind(prior: Prior) -> tuple[Any, ...]:
    low, high = prior.bounds
    ends = (bool(np.isfinite(low)), low == 0.0, bool(np.isfinite(high)))
    return (prior.distribution, tuple(prior.parameters), ends)


@contextmanager
def told_if_slow(progress: bool, after: float = 5.0) -> Iterator[None]:
    """Say that something compiles, if it takes more than some seconds."""
    message = (
        "Compiling the model: the first fit of its kind on a machine takes up to a minute; later "
        "ones load what was compiled from disk."
    )
    timer = threading.Timer(after, print, [message], {"file": sys.stderr, "flush": True})
    timer.daemon = True
    if progress:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def log_density(model: System, progress: bool = False) -> LogDensity:
    """Return the log-density of a model, compiled at the first call for its structure.

    Where residuals are independent it is the sum of the equations' own, so that a pair whose
    equations were met in other pairs is not compiled.
    """
    graph = condensed_graph_of(model)
    lengths, parts = np.diff(_sizes(graph)), []
    for keys, variables in _together(model, graph).items():
        free = [i for i, variable in enumerate(graph.free_RVs) if variable in variables]
        sizes = np.cumsum([0, *lengths[free]])
        parts.append(_part(model, keys, graph, variables, sizes, progress))
    return LogDensity(tuple(parts), start_point(model))


def _together(model: System, graph: "pm.Model") -> dict[tuple[str, ...], list[Any]]:
    """Random variables and potentials whose density is a factor of its own, by their equations."""
    variables = [*graph.free_RVs, *graph.potentials]
    if not model.independent:
        return {tuple(model.equations): variables}
    found: dict[tuple[str, ...], list[Any]] = {}
    for variable in variables:
        found.setdefault((variable.name.partition("_")[0],), []).append(variable)
    return found


def _part(
    model: System,
    keys: tuple[str, ...],
    graph: "pm.Model",
    variables: list[Any],
    sizes: np.ndarray,
    progress: bool,
) -> Part:
    from bayesmed.posterior.kernels import compiled

    values = [graph.rvs_to_values[v] for v in variables if v in graph.rvs_to_values]
    shared = sorted(_shared_inputs(variables), key=lambda variable: _bare(variable.name, keys))
    data = {variable.name: _plain(variable.get_value(borrow=True)) for variable in shared}
    families = tuple(model.families[key] for key in keys if key in model.families)
    ranks = tuple(array.ndim for array in data.values())
    order = tuple(_bare(variable.name, keys) for variable in (*values, *shared))
    assert len(set(order)) == len(order)
    structure = (_structure(model, keys), order, ranks)

    def function(gradient: bool) -> Any:
        global compilations
        key = (families, structure, gradient)
        if key not in _CACHE:
            compilations += 1
            _CACHE[key] = compiled(
                (*ranks, 1), gradient, _on_disk(families, structure, gradient),
                lambda: _kernel(graph, variables, shared, gradient), told_if_slow(progress),
            )  # fmt: skip
        return _CACHE[key]

    return Part(sizes, data, function(True), lambda: function(False))


def _on_disk(
    families: tuple[Family, ...], structure: tuple[Any, ...], gradient: bool
) -> str | None:
    """The name of a compiled density on disk; a user's own families have none."""
    from bayesmed.posterior.kernels import versions

    if any(FAMILIES.get(family.name) is not family for family in families):
        return None
    return repr(([family.name for family in families], structure, gradient, versions()))


def _shared_inputs(variables: list[Any]) -> list[Any]:
    """The data that random variables and potentials are made of."""
    from pytensor.compile import SharedVariable
    from pytensor.graph.traversal import graph_inputs
    from pytensor.tensor import TensorType

    found = graph_inputs(variables)
    return [v for v in found if isinstance(v, SharedVariable) and isinstance(v.type, TensorType)]


def _sizes(graph: "pm.Model") -> np.ndarray:
    """Cumulative lengths of the value variables, so that their sizes are data too."""
    sizes = []
    for variable in graph.free_RVs:
        dims = graph.named_vars_to_dims.get(variable.name, ())
        sizes.append(int(np.prod([len(graph.coords[dim]) for dim in dims])))
    return np.cumsum([0, *sizes])


def start_point(model: System) -> np.ndarray:
    """Zero in the orthogonal coordinates; a log scale at its spread, cutpoints at their shares."""
    graph = condensed_graph_of(model)
    sizes = _sizes(graph)
    start = np.zeros(sizes[-1])
    for i, variable in enumerate(graph.free_RVs):
        transform = graph.rvs_to_transforms[variable]
        key, _, parameter = variable.name.partition("_")
        if key not in model.equations:
            continue
        family, response = model.equations[key].family, model.equations[key].response
        if parameter.startswith("sigma") and getattr(transform, "name", "").startswith("log"):
            spread = scale_of(family, response)[1]
            start[sizes[i]] = np.log(spread)
        elif parameter.startswith("cutpoints"):
            share = np.bincount(response.values.astype(int)).cumsum()[:-1] / len(response.values)
            cuts = (1.7 if family.link == "logit" else 1.0) * ndtri(share)
            start[sizes[i] : sizes[i + 1]] = [cuts[0], *np.log(np.diff(cuts))]
    return start


def constrain(model: System, points: np.ndarray) -> dict[str, np.ndarray]:
    """Random variables and deterministics of the model at many sampler points.

    Parameters
    ----------
    points : numpy.ndarray
        Shape (..., dim).

    Returns
    -------
    dict of str to numpy.ndarray
        Each of shape (..., *own shape).
    """
    names, function = once(model, "constrain", lambda: _constraining(condensed_graph_of(model)))
    found = function(points.reshape(-1, points.shape[-1]))
    return {
        name: np.asarray(value).reshape(*points.shape[:-1], *np.shape(value)[1:])
        for name, value in zip(names, found, strict=True)
    }


def _constraining(graph: "pm.Model") -> tuple[list[str], Callable[..., Any]]:
    """Names of what a sampler point says, and a function of many points to their values."""
    import pytensor
    import pytensor.tensor as pt
    from pytensor.graph.replace import clone_replace, vectorize_graph

    sizes = pt.constant(_sizes(graph))
    values = set(graph.value_vars)
    wanted = [v for v in graph.unobserved_value_vars if v not in values]
    x, batch = pt.vector("x"), pt.matrix("batch")
    single = clone_replace(wanted, _replacements(graph.value_vars, x, sizes))
    # All draws at once in NumPy: nothing is compiled.
    function = pytensor.function([batch], vectorize_graph(single, {x: batch}), mode=uncompiled())
    return [variable.name for variable in wanted], function


def unconstrain(model: System, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Sampler points of given random variables: the inverse of :func:`constrain`.

    Parameters
    ----------
    values : mapping of str to numpy.ndarray
        Each free random variable, shape (..., *own shape); others are ignored.

    Returns
    -------
    numpy.ndarray
        Shape (..., dim).
    """
    import pytensor
    import pytensor.tensor as pt
    from pytensor.graph.replace import clone_replace, vectorize_graph

    graph = condensed_graph_of(model)
    single, batch, flat = {}, {}, []
    for variable in graph.free_RVs:
        given, ndim = np.asarray(values[variable.name], dtype=float), variable.ndim
        lead, own = given.shape[: given.ndim - ndim], given.shape[given.ndim - ndim :]
        flat.append(given.reshape(-1, *own))
        single[variable] = variable.type()
        batch[single[variable]] = pt.tensor(dtype="float64", shape=(None,) * (ndim + 1))
    # A transform may depend on other random variables: those too are the given ones.
    points = clone_replace([_forward(graph, variable) for variable in single], single)
    function = pytensor.function(
        list(batch.values()), vectorize_graph(points, batch),
        mode=uncompiled(), on_unused_input="ignore",
    )  # fmt: skip
    return np.concatenate(function(*flat), axis=1).reshape(*lead, -1)


def _forward(graph: "pm.Model", variable: Any) -> Any:
    """A random variable in the sampler's coordinates, as a vector."""
    transform = graph.rvs_to_transforms[variable]
    if transform is not None:
        variable = transform.forward(variable, *variable.owner.inputs)
    return variable.reshape((-1,))


def _replacements(values: list[Any], x: Any, sizes: Any) -> dict[Any, Any]:
    parts = {}
    for i, value in enumerate(values):
        piece = x[sizes[i] : sizes[i + 1]] if value.ndim else x[sizes[i]]
        parts[value] = value.type.filter_variable(piece, allow_convert=True)
    return parts


def _kernel(
    graph: "pm.Model", variables: list[Any], shared: list[Any], gradient: bool
) -> tuple[Callable[..., Any], str]:
    """Numba's function of a log-density, and PyTensor's name for its graph."""
    import pytensor
    import pytensor.tensor as pt
    from pytensor.graph.replace import clone_replace
    from pytensor.link.numba.cache import CACHED_SRC_FUNCTIONS

    logp = graph.logp(vars=variables, jacobian=True)
    values = [graph.rvs_to_values[v] for v in variables if v in graph.rvs_to_values]
    wanted = [logp]
    if gradient:
        wanted.append(pt.concatenate([part.ravel() for part in pt.grad(logp, values)]))
    x, sizes = pt.vector("x"), pt.lvector("sizes")
    inputs = [variable.type(name=variable.name) for variable in shared]
    replaced = {**_replacements(values, x, sizes), **dict(zip(shared, inputs, strict=True))}
    outputs = clone_replace(wanted, replaced)
    function = pytensor.function(
        [x, *inputs, sizes], outputs, mode="NUMBA", trust_input=True, on_unused_input="ignore"
    )
    python = function.vm.jit_fn.py_func
    return python, CACHED_SRC_FUNCTIONS[python]
