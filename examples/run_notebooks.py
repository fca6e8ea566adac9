"""Run every notebook of this folder anew; fails where a cell does.

    uv run python examples/run_notebooks.py [--write] [name ...]

``--write`` keeps the new output in the files.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent


def run(path: Path, write: bool) -> None:
    notebook = nbformat.read(path, as_version=4)
    place = {"metadata": {"path": str(FOLDER)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=place).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
    if write:
        nbformat.write(notebook, path)
    print(f"ran {path.name}", flush=True)


if __name__ == "__main__":
    named = [word for word in sys.argv[1:] if word != "--write"]
    for path in sorted(FOLDER.glob("*.ipynb")):
        if not named or path.stem in named:
            run(path, "--write" in sys.argv)
