"""Contrasts of counterfactual means, for one's own and those that the package has."""

from bayesmed.effects.estimands import *  # noqa: F403
