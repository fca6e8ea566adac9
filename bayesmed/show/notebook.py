"""What models and fits show of themselves in a notebook."""

from collections.abc import Sequence
from html import escape

import pandas as pd

from bayesmed.system.about import About, law_words


def _title(about: About) -> str:
    of = f"{about.contrast} on {about.outcome} through {about.mediator}"
    return f"{of}, n = {about.n}, rho {about.rho}"


def model_lines(about: About) -> list[str]:
    """A model in a few lines: contrast, equations, rho, what the data say about it, priors."""
    lines = [f"MediationModel: {_title(about)}"]
    for equation, family in about.family.items():
        lines.append(f"{equation}: {about.formulas[equation]} ({family})")
    lines.append(f"Priors are stated for {about.priors_scale}; see .priors_in_use.")
    lines.append(
        "The data say nothing about rho in this pair (closed)." if about.closed
        else f"rho is identified by {about.identified_by}, which is no evidence about confounding."
    )  # fmt: skip
    return [*lines, *about.notes]


def fit_lines(about: About, shape: tuple[int, int], convergence: str) -> list[str]:
    """A fit in a few lines: contrast, sampler, whether it converged, what was done to the data."""
    chains, draws = shape
    return [
        f"MediationFit: {_title(about)}",
        f"{chains} chains of {draws} draws by {about.sampler_words}, random_seed "
        f"{about.settings['random_seed']}",
        convergence,
        *about.notes,
    ]


def prior_frame(about: About) -> pd.DataFrame:
    """Priors in use: equation, name, distribution with its numbers, and whether it was stated."""
    rows = [
        (equation, name, law_words(law),
         "stated" if name in about.prior_source.get(equation, []) else "default")
        for equation, priors in about.priors.items() for name, law in priors.items()
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["equation", "name", "prior", "source"])
    return table.set_index(["equation", "name"])


def html_of(lines: Sequence[str], table: pd.DataFrame, caption: str) -> str:
    """Lines, then a table that can be folded away; no scripts, styles or links."""
    first, *rest = (escape(line) for line in lines)
    words = "".join(f"<br>{line}" for line in rest)
    return (
        f"<p><b>{first}</b>{words}</p><details><summary>{escape(caption)}</summary>"
        f"{table.to_html()}</details>"
    )
