"""One compiled log-density per model structure, with the data as inputs.

Two models of the same structure (families, distributions of the priors, fixed or random rho)
share the compiled function whatever their data, so that a refit compiles nothing.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from bayesmed.data.design import Design
from bayesmed.families.prior import Prior, uncompiled
from bayesmed.numerics.threads import threads
from bayesmed.posterior.graphs import condensed_graph_of
from bayesmed.system.default_priors import scale_of
from bayesmed.system.system import System

if TYPE_CHECKING:
    import pymc as pm

#: Points that a thread takes at once.
_PART = 250
#: From so many numbers on even a few points are shared among threads.
_LARGE = 200_000
_CACHE: dict[tuple[Any, ...], Callable[..., Any]] = {}
#: How many log-densities were compiled in this process.
compilations = 0


@dataclass(frozen=True)
class LogDensity:
    """The unnormalised log posterior on the sampler's coordinates, and its way back.

    Attributes
    ----------
    function : callable
        ``function(x, *data)`` returns the log-density and its gradient, shape (dim,).
    data : tuple of numpy.ndarray
        The shared data of the model in the function's order.
    start : numpy.ndarray
        A sensible point, shape (dim,).
    names : tuple of str
        Of the shared data.
    alone : callable or None
        ``alone()`` returns ``function(x, *data)`` of the log-density without its gradient,
        compiled at the first call.
    """

    function: Callable[..., Any]
    data: tuple[np.ndarray, ...]
    start: np.ndarray
    names: tuple[str, ...]
    alone: Callable[[], Callable[..., Any]] | None = None

    @property
    def size(self) -> int:
        """How many numbers the density reads."""
        return sum(np.size(part) for part in self.data)

    def at(self, point: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and gradient at one point."""
        value, gradient = self.function(point, *self.data)
        return float(value), gradient

    def batch(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values, shape (S,), and gradients, shape (S, dim), at points of shape (S, dim)."""

        found = self._each(self.function, points)
        return np.array([float(value) for value, _ in found]), np.stack([own for _, own in found])

    def values(self, points: np.ndarray) -> np.ndarray:
        """Values at points of shape (S, dim), in about half of the time that :meth:`batch` takes."""
        function = self.function if self.alone is None else self.alone()
        return np.array([float(found[0]) for found in self._each(function, points)])

    def _each(self, function: Callable[..., Any], points: np.ndarray) -> list[Any]:
        def some(part: np.ndarray) -> list[Any]:
            return [function(point, *self.data) for point in part]

        # The compiled function lets go of the interpreter. Small parts, so that Ctrl-C need not
        # wait. BLAS would wait for its own threads on the same cores.
        least = min(len(points), os.cpu_count() or 1) if self.size > _LARGE else 1
        count = max(least, -(-len(points) // _PART))
        if count == 1:
            return some(points)
        with threads() as pool:
            parts = pool.map(some, np.array_split(points, count))
            return [one for part in parts for one in part]

    def at_rho(self, rho: float) -> "LogDensity":
        """The same with another number for a fixed rho that is not zero; compiles nothing."""
        place = self.names.index("rho")
        value = np.array(rho, dtype=float)
        return replace(self, data=(*self.data[:place], value, *self.data[place + 1 :]))


def structure(model: System) -> tuple[Any, ...]:
    """What two models must share to share compiled code."""
    prior, closed = model.correlation.prior, model.identification.map is not None
    parts: list[Any] = [tuple(model.families.items()), model.prior_scale, closed]
    parts += ["fixed" if prior is None else _kind(prior), model.independent]
    for equation in model.equations.values():
        priors, response = equation.priors[equation.key], equation.response
        names = [name for name in equation.family.parameters if name in priors]
        parts.append(tuple((name, _kind(priors[name])) for name in names))
        parts.append((tuple(response.rowwise), response.offset is not None))
        for name, design in equation.designs.items():
            parts.append((name, _equation_structure(design, equation.priors[name])))
    return tuple(parts)


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
    """Return the log-density of a model, compiled at the first call for its structure."""
    graph = condensed_graph_of(model)
    shared = _shared_inputs(graph)
    key = (structure(model), tuple((variable.name, variable.ndim) for variable in shared))
    data = (*(variable.get_value(borrow=True) for variable in shared), _sizes(graph))
    start, names = start_point(model), tuple(variable.name for variable in shared)
    if key not in _CACHE:
        with told_if_slow(progress):
            compiled = _compile(graph, shared)
            compiled(start, *data)  # Numba's own part happens at the first call
        _CACHE[key] = compiled

    def alone() -> Callable[..., Any]:
        own = ("value", *key)
        if own not in _CACHE:
            _CACHE[own] = _compile(graph, shared, gradient=False)
            _CACHE[own](start, *data)  # once, before threads call it
        return _CACHE[own]

    return LogDensity(_CACHE[key], data, start, names, alone)


def _shared_inputs(graph: "pm.Model") -> list[Any]:
    """The shared data of the log-density, in the graph's own order."""
    from pytensor.compile import SharedVariable
    from pytensor.graph.traversal import graph_inputs
    from pytensor.tensor import TensorType

    found = graph_inputs([graph.logp(jacobian=True)])
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
    import pytensor
    import pytensor.tensor as pt
    from pytensor.graph.replace import clone_replace, vectorize_graph

    graph = condensed_graph_of(model)
    sizes = pt.constant(_sizes(graph))
    values = set(graph.value_vars)
    wanted = [v for v in graph.unobserved_value_vars if v not in values]
    x, batch = pt.vector("x"), pt.matrix("batch")
    single = clone_replace(wanted, _replacements(graph, x, sizes))
    # All draws at once in NumPy: nothing is compiled.
    function = pytensor.function([batch], vectorize_graph(single, {x: batch}), mode=uncompiled())
    flat = points.reshape(-1, points.shape[-1])
    return {
        variable.name: np.asarray(value).reshape(*points.shape[:-1], *np.shape(value)[1:])
        for variable, value in zip(wanted, function(flat), strict=True)
    }


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


def _replacements(graph: "pm.Model", x: Any, sizes: Any) -> dict[Any, Any]:
    parts = {}
    for i, value in enumerate(graph.value_vars):
        piece = x[sizes[i] : sizes[i + 1]] if value.ndim else x[sizes[i]]
        parts[value] = value.type.filter_variable(piece, allow_convert=True)
    return parts


def _compile(graph: "pm.Model", shared: list[Any], gradient: bool = True) -> Callable[..., Any]:
    global compilations
    import pytensor
    import pytensor.tensor as pt
    from pytensor.graph.replace import clone_replace

    compilations += 1
    logp = graph.logp(jacobian=True)
    wanted = [logp]
    if gradient:
        gradients = pt.grad(logp, graph.value_vars)
        wanted.append(pt.concatenate([part.ravel() for part in gradients]))
    x, sizes = pt.vector("x"), pt.lvector("sizes")
    inputs = [variable.type(name=variable.name) for variable in shared]
    replaced = {**_replacements(graph, x, sizes), **dict(zip(shared, inputs, strict=True))}
    outputs = clone_replace(wanted, replaced)
    function = pytensor.function(
        [x, *inputs, sizes], outputs, mode="NUMBA", trust_input=True, on_unused_input="ignore"
    )
    # The bare compiled kernel holds no state: threads may share it, and run it at once.
    kernel = function.vm.jit_fn
    kernel.targetoptions["nogil"] = True
    return kernel
