"""Sphinx configuration of the documentation."""

import shutil
import sys
from pathlib import Path

import bayesmed

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

project = "bayesmed"
author = "the bayesmed developers"
project_copyright = author
version = release = bayesmed.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "mathml",
]
exclude_patterns = ["_build", "_templates", "_ext"]
templates_path = ["_templates"]
html_static_path = ["_static"]
html_css_files = ["page.css"]
html_math_renderer = "mathml"

# The notebooks are committed with their output and run again by .ci/run.
nb_execution_mode = "off"
(HERE / "notebooks").mkdir(exist_ok=True)
for notebook in (HERE.parent / "examples").glob("*.ipynb"):
    shutil.copy(notebook, HERE / "notebooks")

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc's parameter lists hold the types
autodoc_member_order = "bysource"
numpydoc_show_class_members = False  # the class template lists them
numpydoc_class_members_toctree = False

html_theme = "pydata_sphinx_theme"
html_title = "bayesmed"
html_theme_options = {
    "logo": {"text": "bayesmed"},
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
html_show_sourcelink = False
