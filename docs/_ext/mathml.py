"""Formulas as MathML, which browsers draw by themselves: no script, no network.

Their font comes with the pages: without a mathematical font, browsers misplace superscripts.
"""

import re
import shutil
from importlib.resources import files
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx

FONT = "STIXTwoMath-Regular.ttf"


#: A function's name and what it is applied to without brackets, "log f", need a space between.
_APPLIED = re.compile(r"(<mi>(?:log|exp|max|min)</mi>)(?=<(?:mi|msub|msup|msubsup)>)")


def _converted(text: str, display: str = "inline") -> str:
    return _APPLIED.sub(r'\1<mspace width="0.17em"/>', convert(text, display=display))


def _inline(writer, node: nodes.math) -> None:
    writer.body.append(_converted(node.astext()))
    raise nodes.SkipNode


def _block(writer, node: nodes.math_block) -> None:
    text = node.astext().strip()
    if r"\\" in text and r"\begin{" not in text:  # as Sphinx does for its other renderers
        text = rf"\begin{{split}}{text}\end{{split}}"
    text = text.replace("{aligned}", "{split}")  # the one of the two that is converted
    writer.body.append(f'<div class="math-block">{_converted(text, "block")}</div>')
    raise nodes.SkipNode


def _copy_font(app: Sphinx, exception: Exception | None) -> None:
    if exception is None and app.builder.format == "html":
        font = files("ziamath").joinpath("fonts", FONT)
        shutil.copyfile(str(font), Path(app.outdir) / "_static" / FONT)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", _copy_font)
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
