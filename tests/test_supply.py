"""Nothing in the package runs what it reads, or reaches the network; dependencies are bounded."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "bayesmed").rglob("*.py"))
#: Modules that run what they read, or talk to others.
BANNED_MODULES = {
    "pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "urllib", "http", "socket",
    "requests", "ftplib", "subprocess",
}  # fmt: skip
BANNED_CALLS = {"eval", "exec", "compile", "__import__"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.parent.name + "/" + path.name)
def test_no_module_runs_text_or_reaches_out(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert not {alias.name.split(".")[0] for alias in node.names} & BANNED_MODULES
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.module.split(".")[0] not in BANNED_MODULES
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in BANNED_CALLS
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert not any(word.arg == "allow_pickle" for word in node.keywords)


def test_every_dependency_has_a_lower_bound_and_those_that_broke_before_an_upper_one():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [one for part in project["optional-dependencies"].values() for one in part]
    for requirement in [*project["dependencies"], *extras]:
        assert ">=" in requirement, requirement
    bounded = {"pymc", "pytensor", "arviz", "nutpie", "formulaic"}
    capped = {re.split(r"[\[><=]", one)[0] for one in project["dependencies"] if ",<" in one}
    assert bounded <= capped


def test_every_import_is_declared():
    """What the package imports is a dependency, an extra or Python's own."""
    import sys

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [one for part in project["optional-dependencies"].values() for one in part]
    declared = {
        re.split(r"[\[><=]", one)[0].replace("-", "_").lower()
        for one in [*project["dependencies"], *extras]
    }
    declared |= {"bayesmed", "distributed", "arviz_plots"}  # with dask's extra, and with arviz
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                found.add(node.module.split(".")[0])
    assert not {name for name in found if name not in sys.stdlib_module_names} - declared
