"""Log-densities as plain C functions, compiled by numba and kept on disk between processes.

All are called as nutpie calls: ``status(size, x, gradient, value, data)``. Their data are addresses
and shapes in a table, so one compiled function serves every data set of its structure, and is
called without Python objects or the interpreter's lock.
"""

import ctypes
import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import extending, float64, int64, types
from pytensor import config
from pytensor.link.numba.cache import NUMBA_CACHE_PATH, compile_numba_function_src
from pytensor.link.numba.dispatch.basic import numba_njit

# What compiled code calls has another type for Python.
intrinsic: Callable[[Callable[..., Any]], Any] = extending.intrinsic
carray: Any = numba.carray  # type: ignore[attr-defined]
farray: Any = numba.farray  # type: ignore[attr-defined]
_PLACE = types.voidptr
_SIGNATURE = types.int64(types.uint64, _PLACE, _PLACE, _PLACE, _PLACE)
#: The same call from Python; it lets go of the interpreter.
_CALL = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64, *[ctypes.c_void_p] * 4)
#: The rooms that a log-density is made by.
_ROOMS = ("numerics", "families", "data", "system", "posterior")
_LIBRARIES = ("pymc", "pytensor", "numba", "llvmlite", "numpy", "scipy")


@intrinsic
def _place(typingctx: Any, address: Any) -> Any:
    """Memory at an address."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(_PLACE))

    return _PLACE(types.int64), codegen


@intrinsic
def _further(typingctx: Any, place: Any, numbers: Any) -> Any:
    """Memory some numbers on."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.gep(arguments[0], [builder.mul(arguments[1], ir.IntType(64)(8))])

    return _PLACE(_PLACE, types.int64), codegen


@intrinsic
def _call(
    typingctx: Any, function: Any, size: Any, x: Any, gradient: Any, value: Any, data: Any
) -> Any:
    """Call the function at an address."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number, place = ir.IntType(64), context.get_value_type(_PLACE)
        kind = ir.FunctionType(number, [number, *[place] * 4])
        return builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), arguments[1:])

    return types.int64(types.int64, types.int64, *[_PLACE] * 4), codegen


def _added(size: Any, x: Any, gradient: Any, value: Any, data: Any) -> Any:
    """The sum of functions of consecutive stretches of x; the table holds each and its own data."""
    count = carray(data, (1,), int64)[0]
    table = carray(data, (1 + 3 * count,), int64)
    total, first = 0.0, 0
    for i in range(count):
        function, own, length = table[1 + 3 * i], table[2 + 3 * i], table[3 + 3 * i]
        status = _call(
            function, length, _further(x, first), _further(gradient, first), value, _place(own)
        )
        if status != 0:
            return status
        total += carray(value, (1,), float64)[0]
        first += length
    carray(value, (1,), float64)[0] = total
    return 0


def _copy(size: Any, wanted: Any, x: Any, out: Any, data: Any) -> Any:
    """What nutpie keeps of a point: the point."""
    carray(out, (wanted,), float64)[:] = carray(x, (size,), float64)
    return 0


@cache
def sum_of_parts() -> Any:
    """The function that adds up others."""
    return numba.cfunc(_SIGNATURE, cache=True)(_added)


@cache
def copy() -> Any:
    """The function by which nutpie keeps points as they are."""
    own = types.int64(types.uint64, types.uint64, _PLACE, _PLACE, _PLACE)
    return numba.cfunc(own, cache=True)(_copy)


def _table_of(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Addresses and shapes of arrays, whose columns lie one after another and which outlive it."""
    entries: list[int] = []
    for array in arrays:
        entries += [array.ctypes.data, *array.shape]
    return np.array(entries, dtype=np.int64)


class Joined:
    """The sum of compiled functions of consecutive stretches of a point, with their data.

    Parameters
    ----------
    parts : sequence of tuple
        Of each the compiled function, the length of its stretch, and its arrays.
    """

    def __init__(self, parts: Sequence[tuple[Any, int, Sequence[np.ndarray]]]):
        tables = [_table_of(arrays) for _, _, arrays in parts]
        entries = [len(parts)]
        for (function, length, _), table in zip(parts, tables, strict=True):
            entries += [function.address, table.ctypes.data, length]
        self.table = np.array(entries, dtype=np.int64)
        self._kept = parts, tables  # their addresses are in the table
        self._call = _CALL(sum_of_parts().address)

    def at(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and gradient at a point; the latter is nan where it is not computed.

        Raises
        ------
        RuntimeError
            If the compiled function failed.
        """
        x = np.ascontiguousarray(x, dtype=float)
        value, gradient = np.empty(1), np.full(x.size, np.nan)
        places = (array.ctypes.data for array in (x, gradient, value, self.table))
        if self._call(x.size, *places) < 0:
            raise RuntimeError("The compiled log-density failed.")
        return float(value[0]), gradient


def compiled(
    ranks: Sequence[int],
    gradient: bool,
    structure: str | None,
    make: Callable[[], tuple[Callable[..., Any], str]],
    compiling: AbstractContextManager[Any],
) -> Any:
    """A function of a point and of float64 arrays, the last of int64, as a C function.

    Parameters
    ----------
    ranks : sequence of int
        Numbers of dimensions of the arrays, the point not among them.
    gradient : bool
        Whether the kernel returns a gradient after the value.
    structure : str or None
        What the kernel depends on, so that it need not be made where it is on disk.
    make : callable
        ``make()`` returns the kernel, a function that numba takes, and a name that two kernels
        share only where they are the same.
    compiling : context manager
        Entered where there is nothing on disk.
    """
    source = _source(ranks, gradient)
    names = {
        "__name__": __name__, "carray": carray, "farray": farray, "float64": float64, "int64": int64,
        "place": _place, "isfinite": np.isfinite,
    }  # fmt: skip
    note = None if structure is None else NUMBA_CACHE_PATH / f"bayesmed-{_hash(structure)}"
    if note is not None and note.exists() and (found := _built(source, names, note.read_text())):
        return found
    kernel, name = make()
    found = _built(source, names, name)
    if found is None:
        with compiling:
            found = _built(source, {**names, "kernel": numba_njit(kernel)}, name)
    if note is not None:
        note.write_text(name)
    return found


def _built(source: str, names: dict[str, Any], name: str) -> Any:
    """The compiled function; None where it is not on disk and its kernel is not among the names."""
    key = _hash(f"{name} {source}")
    function = compile_numba_function_src(source, "density", names, cache_key=key)
    try:
        return numba.cfunc(_SIGNATURE, cache=True)(function)
    except numba.TypingError:
        if "kernel" in names:
            raise
        return None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _source(ranks: Sequence[int], gradient: bool) -> str:
    """The C call around a kernel: arrays from the table, and whether the value is a number."""
    arrays, i = ["carray(x, (size,), float64)"], 0
    for position, rank in enumerate(ranks):
        shape = "".join(f"table[{j}], " for j in range(i + 1, i + 1 + rank))
        kind = "int64" if position == len(ranks) - 1 else "float64"
        arrays.append(f"farray(place(table[{i}]), ({shape}), {kind})")
        i += 1 + rank
    # Numba reads no call, and no tuple, of more than 30.
    tuples = " + ".join(f"({', '.join(arrays[i : i + 20])},)" for i in range(0, len(arrays), 20))
    kept = "carray(gradient, (size,), float64)[:] = found[1]" if gradient else "pass"
    return f"""
def density(size, x, gradient, value, data):
    table = carray(data, ({i},), int64)
    try:
        found = kernel(*({tuples}))
        carray(value, (1,), float64)[0] = found[0].item()
        {kept}
    except Exception:
        return -1
    return 0 if isfinite(carray(value, (1,), float64)[0]) else 4
"""


@cache
def versions() -> str:
    """A name for all that compiled code depends on besides the structure of a model."""
    found = hashlib.sha256(str([version(name) for name in _LIBRARIES]).encode())
    found.update(str(config.get_config_hash()).encode())
    home = Path(__file__).parents[1]
    for path in sorted(path for room in _ROOMS for path in (home / room).glob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()
