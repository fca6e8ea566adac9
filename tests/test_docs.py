"""The code of the documentation runs as it stands, page after page."""

import re
import warnings
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pytest

DOCS = Path(__file__).parents[1] / "docs"
#: Pages that go on from one another, run in one namespace.
CHAINS = [
    ("index",),
    ("start",),
    ("workflow", "reporting"),
    ("moderation",),
    ("index", "files"),
    ("index", "priors"),
]


def blocks(page):
    return re.findall(
        r"^```python\n(.*?)^```", (DOCS / f"{page}.md").read_text(), flags=re.S | re.M
    )


@pytest.mark.fit
@pytest.mark.slow
@pytest.mark.parametrize("pages", CHAINS, ids="-".join)
def test_code_of_the_pages(pages, tmp_path, monkeypatch):
    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    names = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for page in pages:
            found = blocks(page)
            assert found, f"{page} has no code"
            for code in found:
                exec(compile(code, f"{page}.md", "exec"), names)
            if page == "workflow":  # what the next page starts from
                names["sensitivity"] = names["fit"].sensitivity()
    plt.close("all")


def test_readme_runs_by_name_what_it_shows():
    """Names that the README uses exist."""
    import bayesmed as bm

    text = (DOCS.parent / "README.md").read_text()
    for name in set(re.findall(r"\bbm\.(\w+)", text)):
        assert hasattr(bm, name)


def test_every_page_is_reached():
    """Each page stands in a table of contents."""
    listed = {"index"}
    for page in DOCS.glob("*.md"):
        for tree in re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(), flags=re.S):
            for line in tree.splitlines():
                if line and not line.startswith(":"):
                    listed.add(re.sub(r".*<(.*)>", r"\1", line).strip())
    assert {page.stem for page in DOCS.glob("*.md")} <= listed


def test_files_that_the_pages_show_are_there():
    for page in DOCS.glob("*.md"):
        for name in re.findall(r"\]\((_static/[^)]+)\)", page.read_text()):
            assert (DOCS / name).is_file(), f"{page.name}: {name}"
