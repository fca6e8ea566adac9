"""The order of the rooms, and that none has a circle of files."""

import ast
import graphlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "bayesmed"
ORDER = [
    "numerics",
    "families",
    "data",
    "system",
    "posterior",
    "means",
    "effects",
    "sensitivity",
    "show",
    "api",
]
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
INSIDE = {name: path for name, path in MODULES.items() if name.count(".") > 1}


def room_of(module):
    return module.split(".")[1]


def imports(path):
    """Modules of the package that a file imports, inside functions and for annotations too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names if one.name.startswith("bayesmed"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bayesmed"):
            for one in node.names:
                whole = f"{node.module}.{one.name}"
                yield whole if whole in MODULES else node.module


@pytest.mark.parametrize("module", INSIDE)
def test_a_room_imports_only_rooms_before_it(module):
    for other in imports(INSIDE[module]):
        assert other in INSIDE, f"{module} imports {other}, a door of the package"
        assert ORDER.index(room_of(other)) <= ORDER.index(room_of(module)), (module, other)


def test_no_circles():
    graph = {name: set(imports(path)) & set(INSIDE) for name, path in INSIDE.items()}
    list(graphlib.TopologicalSorter(graph).static_order())


def test_figures_and_words_read_no_draws_and_no_models():
    for module, path in INSIDE.items():
        if room_of(module) == "show":
            assert not {room_of(other) for other in imports(path)} & {"posterior", "means"}, module


@pytest.mark.parametrize(
    ("room", "library"),
    [(room, library) for room in ("system", "effects", "sensitivity", "means")
     for library in ("pymc", "pytensor", "nutpie")],
)  # fmt: skip
def test_what_computes_from_draws_imports_no_sampler_at_the_top(room, library):
    for module, path in INSIDE.items():
        if room_of(module) != room:
            continue
        for node in ast.parse(path.read_text()).body:
            names = [one.name for one in getattr(node, "names", [])]
            home = getattr(node, "module", None)
            found = [home] if home else names if isinstance(node, ast.Import) else []
            assert not any(str(name).split(".")[0] == library for name in found), module


def test_nothing_lies_flat_but_the_doors():
    assert {path.name for path in PACKAGE.glob("*.py")} == {
        "__init__.py", "estimands.py", "special.py"
    }  # fmt: skip


@pytest.mark.parametrize("module", INSIDE)
def test_modules_and_functions_are_short(module):
    """450 lines of a module, 45 of a function without its docstring."""
    text = INSIDE[module].read_text()
    assert len(text.splitlines()) <= 450
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            own = node.body[0] if ast.get_docstring(node) else None
            docstring = own.end_lineno - own.lineno + 1 if own is not None else 0
            assert node.end_lineno - node.lineno + 1 - docstring <= 45, node.name
