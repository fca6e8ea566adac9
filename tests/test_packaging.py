"""Wheel and sdist: complete, small, typed."""

import subprocess
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import bayesmed as bm

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        ["uv", "build", "--quiet", "--out-dir", str(folder)], cwd=ROOT, check=True, timeout=240
    )
    return next(folder.glob("*.whl")), next(folder.glob("*.tar.gz"))


@pytest.mark.slow
def test_small(built):
    assert all(path.stat().st_size < 1_000_000 for path in built)


@pytest.mark.slow
def test_the_wheel_is_the_package_and_nothing_else(built):
    names = set(zipfile.ZipFile(built[0]).namelist())
    own = {str(path.relative_to(ROOT)) for path in (ROOT / "bayesmed").rglob("*")
           if path.is_file() and "__pycache__" not in path.parts}  # fmt: skip
    assert {name for name in names if ".dist-info/" not in name} == own
    assert "bayesmed/py.typed" in own and "bayesmed/data/framing.csv" in own


@pytest.mark.slow
def test_the_sdist_has_what_tests_and_docs_need(built):
    with tarfile.open(built[1]) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    for needed in ("README.md", "pyproject.toml", "tests/conftest.py", "docs/index.md", "docs/conf.py",
                   "tests/reference/r_mediation.json", "examples/framing.py"):  # fmt: skip
        assert needed in names
    assert not {name for name in names if name.startswith(("docs/_build", "tests/evidence/state"))}


@pytest.mark.slow
def test_metadata(built):
    wheel = zipfile.ZipFile(built[0])
    name = next(n for n in wheel.namelist() if n.endswith("METADATA"))
    data = Parser().parsestr(wheel.read(name).decode())
    assert data["Version"] == bm.__version__ and data["License-Expression"] == "Apache-2.0"
    assert data["Requires-Python"] == ">=3.12"
    assert "Typing :: Typed" in data.get_all("Classifier")
    assert not data.get_all("Project-URL")  # no invented places
