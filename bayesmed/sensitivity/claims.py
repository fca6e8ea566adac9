"""A statement about one effect, and by how much each draw meets it."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr

from bayesmed.effects import estimands
from bayesmed.effects.estimands import SCALES
from bayesmed.effects.rows import NAMES, pick
from bayesmed.effects.setting import setting_of
from bayesmed.effects.summary import check_rope

Direction = Literal["positive", "negative", "outside", "inside"]
Rope = tuple[float, float]
#: Parts that sum to the (excess) total, and shares of it: none is 0, on the scale of a ratio too.
_PARTS = ("int_ref", "int_med", "pnie", "excess_cde")
_FIRST = ("acme", "ade", "total", "prop_mediated")
_OWN = ("rho", "chain", "draw")


@dataclass(frozen=True)
class Claim:
    """A statement about one effect, true or false in each draw.

    Attributes
    ----------
    effect : str
        A variable of the Dataset: ``"acme"``, ``"ade"``, ``"total"``, ``"prop_mediated"``, or
        another that has draws.
    arm : str
        Not used where the effect has none.
    direction : {"positive", "negative", "outside", "inside"}
        Above or below the value of no effect (0, or 1 on the scale of a ratio), or outside or
        inside the ROPE.
    rope : tuple of float, optional
        Region of practical equivalence, its lower and upper end, on the scale of the effect;
        an end may be infinite.
    where : mapping, optional
        One coordinate of each further dimension, such as ``{"by": "female"}``.

    Raises
    ------
    ValueError, TypeError
        For an unknown direction, or a ROPE that is missing, superfluous, not two numbers, or
        the wrong way round.
    """

    effect: str = "acme"
    arm: str = "average"
    direction: Direction = "positive"
    rope: Rope | None = None
    where: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        directions = list(get_args(Direction))
        if self.direction not in directions:
            raise ValueError(f"direction={self.direction!r}; choose one of {directions}.")
        needed = self.direction in ("outside", "inside")
        if needed and self.rope is None:
            raise ValueError(
                f"direction={self.direction!r} needs rope=(low, high), the effects that are too "
                "small to matter, on the scale of the effect."
            )
        if self.rope is not None:
            check_rope(self.rope)
            if not needed:
                raise ValueError(
                    f"rope={self.rope!r} has no use with direction={self.direction!r}; ask for "
                    "direction='outside' or 'inside', or leave rope= out."
                )
        if self.where is not None and not isinstance(self.where, Mapping):
            raise TypeError(
                "where= names one value of each further dimension, for example "
                f"{{'by': 'female'}}; {self.where!r} was given."
            )

    def text(self, draws: xr.Dataset) -> str:
        """The statement in words, such as ``ACME (average) > 0``."""
        label = effect_label(draws, self.effect, self.arm, self.where)
        if self.rope is not None:
            low, high = self.rope
            return f"{label} {self.direction} ({low:g}, {high:g})"
        sign = ">" if self.direction == "positive" else "<"
        return f"{label} {sign} {null_value(draws, self.effect):g}"


def null_value(draws: xr.Dataset, effect: str) -> float:
    """The value of no effect: 1 on the scale of a ratio, else 0.

    The scale is that of the Dataset, unless the variable has its own attribute ``scale``. Shares of
    the total, and parts that sum to its excess (interactions, PNIE), have 0 on every scale.
    """
    if is_share(effect) or effect in _PARTS:
        return 0.0
    scale = draws[effect].attrs.get("scale", setting_of(draws).scale)
    if scale not in SCALES:
        raise ValueError(f"{effect!r} is on the scale {scale!r}; known are {list(SCALES)}.")
    return estimands.null_value(scale)


def is_share(effect: str) -> bool:
    """Whether an effect is divided by the total, and so has long tails."""
    return effect == "prop_mediated" or effect.startswith("share_")


def effect_names(draws: xr.Dataset) -> list[str]:
    """Variables of a Dataset that have draws, along rho where the Dataset has it."""
    needed = {"chain", "draw"} | ({"rho"} & set(draws.dims))
    return [str(name) for name, value in draws.data_vars.items() if needed <= {*value.dims}]


def choose_effect(
    draws: xr.Dataset, effect: str, arm: str = "average", where: Mapping[str, Any] | None = None
) -> xr.DataArray:
    """Draws of one effect.

    Parameters
    ----------
    draws : xarray.Dataset
        Of effects, with or without a dimension ``rho``.
    effect, arm : str
        The arm is not used where the effect has none.
    where : mapping, optional
        One coordinate of each further dimension.

    Returns
    -------
    xarray.DataArray
        Dims ([rho,] chain, draw).
    """
    names = effect_names(draws)
    if effect not in names:
        raise ValueError(f"effect={effect!r}; choose one of {names}.")
    values = draws[effect]
    if "arm" in values.dims:
        values = pick(values, "arm", arm, f"arm={arm!r}")
    for name, value in (where or {}).items():
        if name in (*_OWN, "arm") or name not in draws.dims:
            further = [d for d in draws.dims if d not in (*_OWN, "arm")]
            raise ValueError(
                f"where={dict(where or {})!r} names {name!r}; further dimensions are {further}."
            )
        if name in values.dims:
            values = pick(values, name, value, f"where={{{name!r}: {value!r}}}")
    left = [name for name in values.dims if name not in _OWN]
    if left:
        known = {str(name): values[name].to_numpy().tolist() for name in left}
        raise ValueError(
            f"{effect!r} has the further dimensions {known}; choose one value of each, for example "
            f"where={{{left[0]!r}: {known[str(left[0])][0]!r}}}."
        )
    if not np.isfinite(values.to_numpy()).all():
        raise ValueError(f"Some draws of {effect!r} are not finite, so it has no probability.")
    return values.transpose(*(name for name in _OWN if name in values.dims))


def effect_label(
    draws: xr.Dataset, effect: str, arm: str, where: Mapping[str, Any] | None = None
) -> str:
    """Name of an effect as in the tables, such as ``ACME (average)``."""
    within = [arm] if effect in draws and "arm" in draws[effect].dims else []
    own = (
        {}
        if effect not in draws
        else {n: v for n, v in (where or {}).items() if n in draws[effect].dims}
    )
    within += [f"{name} = {value}" for name, value in own.items()]
    name = NAMES.get(effect, effect)
    if effect.startswith("share_"):
        part = effect.removeprefix("share_")
        name = f"Share of {NAMES.get(part, part)}"
    return f"{name} ({', '.join(within)})" if within else name


def every_effect(
    draws: xr.Dataset, where: Mapping[str, Any] | None = None
) -> list[tuple[str, str, dict[str, Any]]]:
    """Each effect, arm and coordinate of further dimensions, in the order of the tables.

    Parameters
    ----------
    where : mapping, optional
        Coordinates of further dimensions; where it is silent, all of them.

    Returns
    -------
    list of tuple
        Effect, arm (empty where there is none) and ``where`` of each.
    """
    found = []
    for effect in effect_names(draws):
        dims = [str(name) for name in draws[effect].dims if name not in _OWN]
        kept = {name: value for name, value in (where or {}).items() if name not in dims}
        sets = [
            [where[name]] if where and name in where else draws[name].to_numpy().tolist()
            for name in dims
        ]
        for values in itertools.product(*sets):
            chosen = dict(zip(dims, values, strict=True))
            found.append((effect, str(chosen.pop("arm", "")), {**kept, **chosen}))
    return sorted(found, key=_place)


def _place(row: tuple[str, str, Any]) -> tuple[int, int]:
    """By arm, the total, the averages, then other effects, as R users know them."""
    effect, arm, _ = row
    if effect not in _FIRST:
        return 2, 0
    return int(arm == "average"), _FIRST.index(effect)


def margins(draws: xr.Dataset, claim: Claim) -> xr.DataArray:
    """By how much each draw meets a claim: positive where the claim is true.

    Returns
    -------
    xarray.DataArray
        Dims ([rho,] chain, draw), on the scale of the effect: the distance from the value of
        no effect, or from the nearer end of the ROPE.
    """
    values = choose_effect(draws, claim.effect, claim.arm, claim.where)
    null = null_value(draws, claim.effect)
    if claim.rope is None:
        return values - null if claim.direction == "positive" else null - values
    low, high = claim.rope
    if not low <= null <= high:
        raise ValueError(
            f"rope={claim.rope!r} does not hold {null:g}, the value of no effect on the scale of "
            f"{claim.effect!r}."
        )
    inside = (values - low).where(values - low < high - values, high - values)
    return inside if claim.direction == "inside" else -inside
