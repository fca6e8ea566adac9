"""The arguments of a model, of its fit and of the samplers, told apart by name."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from bayesmed.families.names import refuse_unknown
from bayesmed.posterior.draw import DEFAULTS
from bayesmed.posterior.nuts import SAMPLERS, check_sampler, sampler_options
from bayesmed.system.statement import Statement

#: Arguments of :class:`MediationModel`, beside the data.
MODEL_ARGUMENTS = [one.name for one in fields(Statement)]


def split_arguments(
    given: Mapping[str, Any], door: str, own: Iterable[str] = ()
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Those of :class:`MediationModel`, and those of its ``fit``.

    Parameters
    ----------
    given : mapping
    door : str
        What they were given to.
    own : iterable of str
        Further arguments that it has.

    Raises
    ------
    TypeError
        For a name that neither has, nor the sampler.
    """
    model = {name: value for name, value in given.items() if name in MODEL_ARGUMENTS}
    settings = {name: value for name, value in given.items() if name not in MODEL_ARGUMENTS}
    fit = list(DEFAULTS)
    further = {name: value for name, value in settings.items() if name not in fit}
    if further:
        sampler = given.get("sampler", SAMPLERS[0])
        check_sampler(sampler)
        known = sampler_options(sampler, further)
        refuse_unknown(further, [*MODEL_ARGUMENTS, *fit, *own, *known], door)
    return model, settings
