"""What all results have: draws, and what they say that they are of."""

import json
from dataclasses import dataclass
from typing import Any

import xarray as xr

from bayesmed.effects.setting import Setting, setting_of


@dataclass(frozen=True)
class Drawn:
    """Draws in a Dataset."""

    draws: xr.Dataset

    @property
    def about(self) -> dict[str, Any]:
        """What a table says: contrast, families, rho, averaging, and what else was asked."""
        return dict(json.loads(self.draws.attrs["bayesmed"]))

    @property
    def _setting(self) -> Setting:
        return setting_of(self.draws)
