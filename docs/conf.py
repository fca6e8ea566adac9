"""Sphinx configuration of the documentation."""

import bayesmed

project = "bayesmed"
author = "the bayesmed developers"
project_copyright = author
version = release = bayesmed.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "_templates"]
templates_path = ["_templates"]

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
    "header_links_before_dropdown": 8,
    "show_toc_level": 2,
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
}
# Only the API reference has pages below it to navigate.
_flat = ["index", "estimands", "model", "sensitivity", "differences", "data", "files",
         "families", "calibration", "conclusions", "prior_sensitivity", "measurement_error",
         "treatment_confounding", "r_mediation", "benchmarks", "questions"]  # fmt: skip
html_sidebars = {**{page: [] for page in _flat}, "genindex": [], "search": []}
html_show_sourcelink = False
