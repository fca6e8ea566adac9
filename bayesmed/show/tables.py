"""Tables for papers: numbers as journals want them, in HTML, LaTeX or Markdown."""

import re
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayesmed.effects.numbers import MINUS, digits_in_common, number, probability
from bayesmed.effects.rows import curve_summary, label_of, summary_table
from bayesmed.effects.setting import Setting, setting_of
from bayesmed.effects.summary import CiKind
from bayesmed.families.names import names_nearest
from bayesmed.system.about import About

Style = Literal["html", "latex", "markdown", "frame"]
_STYLES = ("html", "latex", "markdown", "frame")


def in_words(
    table: pd.DataFrame, bounded: Any, pieces: bool = False, groups: Any = None
) -> pd.DataFrame:
    """A summary as text: the median, its interval, and the probability.

    Parameters
    ----------
    table : pandas.DataFrame
        By :func:`bayesmed.effects.summary.summarise`.
    bounded : array-like of bool
        Of each row, whether it cannot pass one.
    pieces : bool
        Estimate and interval in one column.
    groups : sequence, optional
        Of each row, what it has its digits in common with; all, where None.
    """
    columns = [str(c) for c in table.columns]
    low, high = (next(c for c in columns if c.endswith(end)) for end in ("_low", "_high"))
    chance = next(c for c in columns if c.startswith("P("))
    kind = low.removesuffix("_low")
    name = f"{kind[3:]}% {'CI' if kind.startswith('eti') else 'HDI'}"
    rows = [dict(zip(columns, row, strict=True)) for row in table.to_numpy(dtype=float)]
    digits = digits_in_common(table, [0] * len(rows) if groups is None else list(groups))
    lines = []
    for row, flag, own in zip(rows, np.broadcast_to(bounded, len(rows)), digits, strict=True):
        shown = [number(row[c], own, bool(flag)) for c in ("median", low, high)]
        interval = f"[{shown[1]}, {shown[2]}]" if np.isfinite(row["median"]) else ""
        line = {"Median": shown[0], name: interval}
        if pieces:
            line = {f"Median [{name}]": f"{shown[0]} {interval}".strip()}
        lines.append({**line, chance.replace(">", "> "): probability(row[chance])})
    return pd.DataFrame(lines, index=table.index)


def effects_in_words(
    draws: xr.Dataset, ci_prob: float, ci_kind: CiKind, names: Literal["r", "epi"],
    pieces: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """The rows of an effects Dataset as text."""
    about = setting_of(draws)
    table = summary_table(draws, ci_prob, ci_kind, names, None)
    shares = table.index.get_level_values(-1).str.startswith("Prop.")
    whole = about.scale == "difference" and about.traits("outcome").bounded
    found = in_words(table, np.where(shares, False, whole), pieces, shares.tolist())
    leading = table.index.names[:-1]
    found.index.names = [*(about.by if d == "by" and about.by else d for d in leading), "Effect"]
    return found


#: As great-tables writes it: without a number, in a larger type.
_TITLE = re.compile(r"\\caption\*\{\s*\{\\large (.*?)\}\s*\}", re.DOTALL)


def styled(
    table: pd.DataFrame, style: Style, title: str | None = None, note: str = "",
    spanners: Mapping[str, list[str]] | None = None, caption: str = "",
) -> Any:  # fmt: skip
    """A frame of text as a great-tables object, LaTeX, Markdown, or itself.

    In LaTeX, where only a caption has a number to refer to, ``caption`` stands in for no title.
    """
    if style not in _STYLES:
        raise ValueError(f"style={style!r}; choose one of {list(_STYLES)}.")
    if style == "frame":
        return table
    flat = table.reset_index()
    title = title or (caption if style == "latex" else None)
    if style == "markdown":
        plain = flat.rename(
            columns=dict(zip(flat.columns, _plain(flat.columns, spanners), strict=True))
        )
        text = plain.to_markdown(index=False, disable_numparse=True)
        head = f"**{title}**\n\n" if title else ""
        return f"{head}{text}\n" + (f"\n*Note.* {note}\n" if note else "")
    found = _great_table(flat, list(table.index.names), title, note, spanners)
    return _latex(found.as_latex()) if style == "latex" else found


def _latex(text: str) -> str:
    """What a plain LaTeX with booktabs knows: a caption with a number, the document's own size."""
    text = _TITLE.sub(lambda found: rf"\caption{{{found[1]}}}", text)
    text = re.sub(r"\n\\fontsize\{.*?\}\{.*?\}\\selectfont\n", "\n", text)
    text = re.sub(r"\n\n+", "\n", text).replace("}}l|", "}}l")
    for character, command in ((MINUS, "$-$"), ("ρ", r"$\rho$"), ("–", "--"), ("→", r"$\to$")):
        text = text.replace(character, command)
    return f"% \\usepackage{{booktabs}}\n{text}"


def _plain(columns: Any, spanners: Mapping[str, list[str]] | None) -> list[str]:
    """Column names without the marks that keep them apart."""
    over = {column: name for name, own in (spanners or {}).items() for column in own}
    return [f"{over[c]}: {str(c).split(chr(0))[-1]}" if c in over else str(c) for c in columns]


def _great_table(
    flat: pd.DataFrame, index: list[Any], title: str | None, note: str,
    spanners: Mapping[str, list[str]] | None,
) -> Any:  # fmt: skip
    from great_tables import GT

    group = None
    if len(index) > 1:  # all levels but the last name the group of rows
        group = "group"
        flat.insert(0, group, [
            ", ".join(f"{n}: {v}".replace("->", "→") for n, v in zip(index[:-1], values, strict=True))
            for values in flat[index[:-1]].itertuples(index=False, name=None)
        ])  # fmt: skip
        flat = flat.drop(columns=index[:-1])
    found = GT(flat, rowname_col=index[-1], groupname_col=group)
    found = found.tab_stubhead(label=str(index[-1]))
    columns = [c for c in flat.columns if c not in (group, index[-1])]
    found = found.cols_align(align="center", columns=columns)
    for name, own in (spanners or {}).items():
        found = found.tab_spanner(label=name, columns=own, id=name)
    found = found.cols_label(cases={c: str(c).split(chr(0))[-1] for c in columns})
    if title:
        found = found.tab_header(title=title)
    return found.tab_source_note(source_note=note) if note else found


def note_of(about: Setting, ci_prob: float, ci_kind: CiKind) -> str:
    """What stands under a table."""
    kind = "equal-tailed" if ci_kind == "eti" else "highest-density"
    return (
        f"{_arrows(about.headline)} n = {about.n}{about.arms_words}. Posterior medians with {100 * ci_prob:g}% {kind} "
        "credible intervals."
    )


def _arrows(text: str) -> str:
    return text.replace("->", "→")


def effects_table(
    draws: xr.Dataset, ci_prob: float = 0.95, ci_kind: CiKind = "eti",
    names: Literal["r", "epi"] = "r", style: Style = "html", title: str | None = None,
) -> Any:  # fmt: skip
    """The table of a paper; see :meth:`bayesmed.Effects.table`."""
    about = setting_of(draws)
    found = effects_in_words(draws, ci_prob, ci_kind, names)
    caption = f"Mediation effects of {about.treatment} on {about.outcome}"
    return styled(found, style, title, note_of(about, ci_prob, ci_kind), caption=caption)


def curve_table(
    draws: xr.Dataset, effect: str, arm: str, every: float, ci_prob: float, ci_kind: CiKind,
    style: Style, title: str | None, note: str,
) -> Any:  # fmt: skip
    """An effect at some values of rho; see :meth:`bayesmed.Sensitivity.table`."""
    about = setting_of(draws)
    grid = draws["rho"].to_numpy()
    steps = grid / every
    shown = grid[np.abs(steps - np.round(steps)) < 1e-9]
    if len(shown) < min(2, len(grid)):
        raise ValueError(
            f"Of the curve's values of rho hardly one is a multiple of every={every!r}; they are "
            f"{grid.tolist()}."
        )
    table = curve_summary(draws.sel(rho=shown), effect, arm, ci_prob, ci_kind)
    whole = effect != "prop_mediated" and about.scale == "difference"
    found = in_words(table, whole and about.traits("outcome").bounded)
    digits = 2 if np.allclose(shown, np.round(shown, 2), atol=1e-9) else 3
    found.index = pd.Index([number(rho, digits, bounded=True) for rho in shown], name="ρ")
    said = note_of(about.saying(rho="as given by the rows"), ci_prob, ci_kind)
    return styled(found, style, title or label_of(effect, arm), f"{said} {note}".strip())


def coefficients_shown(
    table: pd.DataFrame, about: About, ci_prob: float, ci_kind: CiKind, style: Style,
    title: str | None,
) -> Any:  # fmt: skip
    """A table of coefficients as a paper shows it; see :meth:`bayesmed.MediationFit.table`."""
    found = in_words(table.drop(columns="path"), False, groups=range(len(table)))
    found.insert(0, "Path", table["path"])
    setting = Setting(**vars(about)).saying(averaged="coefficients of both equations")
    note = note_of(setting, ci_prob, ci_kind)
    caption = f"Coefficients of {about.mediator} and {about.outcome}"
    return styled(found, style, title, note, caption=caption)


@names_nearest
def table(
    models: Mapping[str, Any],
    *,
    ci_prob: float = 0.95,
    ci_kind: CiKind = "eti",
    names: Literal["r", "epi"] = "r",
    style: Style = "html",
    title: str | None = None,
) -> Any:
    """Effects of several models side by side.

    Parameters
    ----------
    models : mapping of str to Effects or MediationFit
        By the name that heads their columns. Of a fit its effects with the defaults.
    ci_prob : float
        Mass of the intervals.
    ci_kind : {"eti", "hdi"}
    names : {"r", "epi"}
        Row names, as in :meth:`bayesmed.Effects.summary`.
    style : {"html", "latex", "markdown", "frame"}
        A great-tables object, which notebooks show and which pastes into Word; a string of
        LaTeX or Markdown; or a DataFrame of text.
    title : str, optional

    Returns
    -------
    great_tables.GT, str or pandas.DataFrame
        Rows are effects on the scale of the response, columns the median with its interval and
        P(> 0) of each model. A row that a model does not have is blank.

    Raises
    ------
    ValueError
        If there are no models, or no such style.
    TypeError
        If one is neither effects nor a fit.

    Examples
    --------
    >>> text = bm.table({"Main": fit, "At x = 1": fit.effects(at={"x": 1})}, style="markdown")
    >>> "ACME (average)" in text
    True
    """
    if not models:
        raise ValueError("No models were given; name at least one, such as {'Main': fit}.")
    columns, spanners, notes = [], {}, []
    for name, model in models.items():
        effects = model.effects() if hasattr(model, "effects") else model
        if not isinstance(getattr(effects, "draws", None), xr.Dataset) or hasattr(
            effects, "rho_zero"
        ):
            raise TypeError(f"{name!r} is a {type(model).__name__}; give effects or a fit.")
        found = effects_in_words(effects.draws, ci_prob, ci_kind, names, pieces=True)
        found.columns = [f"{name}\0{column}" for column in found.columns]
        columns.append(found)
        spanners[str(name)] = list(found.columns)
        about = setting_of(effects.draws)
        notes.append(f"{name}: {_arrows(about.headline)} n = {about.n}.")
    joined = pd.concat(columns, axis=1, sort=False).fillna("")
    joined.index.names = columns[0].index.names
    if style == "frame":
        joined.columns = pd.MultiIndex.from_tuples(
            [(name, c.split("\0")[1]) for name, own in spanners.items() for c in own]
        )
        return joined
    caption = f"Mediation effects: {', '.join(spanners)}"
    return styled(joined, style, title, " ".join(notes), spanners, caption)
