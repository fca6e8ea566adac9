"""Write the page of what a fit cannot be asked from the table that the package reads.

uv run python docs/capabilities.py
"""

import re
from collections import defaultdict
from pathlib import Path

from bayesmed.system.capabilities import FEATURES, PROPERTIES

PAGE = Path(__file__).with_suffix(".md")
HEAD = """\
# What a fit cannot be asked

What a fit or a model is like rules out some questions: those of this table, and no others. The package reads it when it refuses
(`bayesmed/system/capabilities.py`; `uv run python docs/capabilities.py` writes this page). The message is that of the error,
where names of the fit and of the call stand for the dots. Errors about the values of arguments, such as a level that does not
exist, are not in it.

| with | cannot be asked | message |
|---|---|---|
"""


def page() -> str:
    """The page as it should be."""
    asked = defaultdict(list)
    for feature in FEATURES.values():
        for name, reason in feature.reasons.items():
            asked[name, re.sub(r"\{[^}]*\}", "…", reason)].append(feature.title)
    order = list(PROPERTIES)
    lines = [
        f"| {PROPERTIES[name].title} | {'; '.join(dict.fromkeys(titles))} | {said} |"
        for (name, said), titles in sorted(asked.items(), key=lambda item: order.index(item[0][0]))
    ]
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
