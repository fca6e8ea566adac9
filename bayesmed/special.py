"""The functions that a family of one's own may need, for arrays and tensors alike."""

from bayesmed.numerics.special import *  # noqa: F403
