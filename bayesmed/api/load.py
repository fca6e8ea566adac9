"""A saved fit."""

import os

from bayesmed.api.fit import MediationFit, fit_of
from bayesmed.families.names import names_nearest
from bayesmed.posterior.file import read
from bayesmed.system.system import System


@names_nearest
def load(path: "str | os.PathLike[str]", model: System | None = None) -> MediationFit:
    """Read a fit that :meth:`bayesmed.MediationFit.save` wrote.

    Parameters
    ----------
    path : path-like
    model : MediationModel, optional
        The model, built by the user from the same data, in the same order, and formulas: needed
        for ``at=`` and for refits. Formulas in the file are text for the report and never evaluated.

    Returns
    -------
    MediationFit

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a fit of bayesmed, is damaged, or the model is not the one it was fitted
        with.
    """
    return fit_of(read(path, model))
