"""Warnings that name the caller's line, however deep in the package they arise."""

import sys
import warnings
from types import FrameType

_PACKAGE = __name__.partition(".")[0]


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line outside the package that called into it.

    Frames are known by their module, not by their file as ``skip_file_prefixes`` does: the
    ``__init__`` of a dataclass has no file, and a context manager comes through contextlib.
    """
    frame: FrameType | None = sys._getframe()
    depth = outermost = 1
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] == _PACKAGE:
            outermost = depth
        frame, depth = frame.f_back, depth + 1
    warnings.warn(message, category, stacklevel=outermost + 1)
