"""Many fits of one kind: over mediators, outcomes, subgroups or data sets, here or on Dask."""

import hashlib
import itertools
import json
import os
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmed.api.arguments import split_arguments
from bayesmed.api.fit import MediationFit
from bayesmed.api.workers import on_workers
from bayesmed.data.frame import to_pandas
from bayesmed.data.warn import warn
from bayesmed.effects.summary import check_interval
from bayesmed.families.listing import few
from bayesmed.families.names import names_nearest, parameters_of, refuse_unknown
from bayesmed.posterior.nuts import check_settings, settle_seed

if TYPE_CHECKING:
    from distributed import Client

#: Fits that a worker takes at once, at most.
_MOST_AT_ONCE = 10
_STATISTICS = ("median", "low", "high", "probability", "mcse", "ess_bulk", "ess_tail", "r_hat")
_NUMBERS = ("n", "pareto_k", "seconds")
_WORDS = ("sampler", "problems", "reason")
# PyTensor's graphs are not made in two threads at once.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Plan:
    """What all fits share.

    Attributes
    ----------
    arguments : dict
        Of :class:`bayesmed.MediationModel`, formulas with their placeholders among them.
    settings : dict
        Of its ``fit``.
    effects : dict
        Of :meth:`bayesmed.MediationFit.effects`.
    by : str or None
    ci_prob : float
    """

    arguments: dict[str, Any]
    settings: dict[str, Any]
    effects: dict[str, Any]
    by: str | None
    ci_prob: float


@dataclass(frozen=True)
class Task:
    """One fit: its place, what replaces the placeholders, its group, data set and seed."""

    place: int
    names: dict[str, str]
    group: Any
    dataset: Any
    seed: int


@names_nearest
def fit_many(
    data: Any,
    *,
    mediator: str,
    outcome: str,
    treatment: str,
    over: Mapping[str, Sequence[str]] | None = None,
    by: str | None = None,
    method: str = "laplace",
    effects: Mapping[str, Any] | None = None,
    ci_prob: float = 0.95,
    random_seed: int | None = None,
    path: "str | os.PathLike[str] | None" = None,
    client: "Client | None" = None,
    progress: bool = True,
    **arguments: Any,
) -> xr.Dataset:
    """Fit one kind of model many times, and collect the tables of effects.

    Parameters
    ----------
    data : DataFrame, or mapping or sequence of DataFrames
        Several data sets, such as simulated ones, are fitted each.
    mediator, outcome, treatment : str
        As of :class:`bayesmed.MediationModel`; ``{name}`` stands for each column that ``over``
        gives for it.
    over : mapping of str to sequence of str, optional
        Columns by placeholder, such as ``{"m": ["cg01", "cg02"]}``; all combinations of several.
    by : str, optional
        A column: one fit for the rows of each of its values. It may not be in the formulas.
    method : {"laplace", "nuts"}
    effects : mapping, optional
        Arguments of :meth:`bayesmed.MediationFit.effects`, such as ``{"rho": -0.2}``.
    ci_prob : float
        Mass of the equal-tailed intervals.
    random_seed : int, optional
        Each fit gets a seed of its own from it, whatever order they run in.
    path : path, optional
        A file of lines, to which each result is added as soon as it is there. A run that finds
        one of the same plan fits only what it lacks; failed fits are tried again.
    client : distributed.Client, optional
        Fits run on its workers, each of which compiles a structure once; here and one after
        another where None.
    progress : bool
    **arguments
        Those of :class:`bayesmed.MediationModel` and of its ``fit``.

    Returns
    -------
    xarray.Dataset
        By ``fit`` and ``effect``: ``median``, ``low``, ``high``, ``probability`` (of being above
        zero; above one for ratios), ``mcse``, ``ess_bulk``, ``ess_tail``, ``r_hat``; by ``fit``:
        ``n``, ``sampler``, ``pareto_k``, ``seconds``, ``problems`` of the data and of
        convergence, and ``reason`` why a fit failed, empty where it did not. What a fit is of stands in coordinates named as
        the placeholders, ``by`` and ``dataset``.

    Raises
    ------
    ValueError
        If nothing varies, a placeholder or a column does not exist, effects have dimensions of
        their own, or the file is of another plan.

    Notes
    -----
    A fit that fails is a row with its reason. A run that is interrupted, or whose cluster or
    disk fails, returns what is done.
    """
    check_interval(ci_prob)
    if by is not None and not isinstance(by, str):
        raise TypeError(
            f"by= of fit_many() takes one column; {by!r} was given. Make one column of several, such "
            "as df['sex'] + ' ' + df['site']."
        )
    sets = _sets(data)
    names = {key: list(values) for key, values in (over or {}).items()}
    formulas = {"mediator": mediator, "outcome": outcome, "treatment": treatment}
    _check(sets, formulas, names, by)
    model, settings = split_arguments(arguments, "fit_many()", parameters_of(fit_many))
    seed = settle_seed(random_seed)
    asked = _asked(effects)
    numbers = {n: v for n, v in settings.items() if n in parameters_of(check_settings)}
    check_settings(**numbers, method=method)
    plan = Plan({**formulas, **model}, {**settings, "method": method}, asked, by, ci_prob)
    tasks = _tasks(sets, names, by, seed)
    if not tasks:
        raise ValueError("There is nothing to fit: over=, by= and the data leave no combination.")
    journal = Journal(None if path is None else Path(path), _digest(plan, tasks, sets))
    todo = [task for task in tasks if task.place not in journal.done]
    run = _here(plan, sets, todo) if client is None else _on_dask(client, plan, sets, todo)
    _collect(run, journal, len(todo), progress)
    return _dataset(tasks, journal.done, names, by, len(sets) > 1 or None not in sets)


def _asked(effects: Mapping[str, Any] | None) -> dict[str, Any]:
    """Arguments of the effects of each fit, which give one table."""
    if effects is not None and not isinstance(effects, Mapping):
        raise TypeError(
            f"effects= takes a mapping of arguments, such as {{'rho': -0.2}}; {effects!r} was given."
        )
    asked = dict(effects or {})
    refuse_unknown(asked, parameters_of(MediationFit.effects), "effects()")
    for word in ("by", "contrast", "m"):
        if isinstance(asked.get(word), list) or (word == "by" and word in asked):
            raise ValueError(
                f"effects={{{word!r}: ...}} would give one fit several tables; fit_many() takes one. "
                "Use by= of fit_many() for subgroups."
            )
    return asked


def _sets(data: Any) -> dict[Any, pd.DataFrame]:
    if isinstance(data, Mapping):
        return {key: to_pandas(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return {place: to_pandas(value) for place, value in enumerate(data)}
    return {None: to_pandas(data)}


def _check(
    sets: dict[Any, pd.DataFrame],
    formulas: dict[str, str],
    names: dict[str, list[str]],
    by: str | None,
) -> None:
    text = " ".join(formulas.values())
    for key, columns in names.items():
        if f"{{{key}}}" not in text:
            raise ValueError(
                f"over={{{key!r}: ...}} has no place: no formula holds {{{key}}}, such as in "
                f"mediator='{{{key}}} ~ {formulas['treatment']}'."
            )
        for label, data in sets.items():
            lacking = [column for column in columns if column not in data.columns]
            if lacking:
                where = "" if label is None else f" of data set {label!r}"
                raise ValueError(f"over={{{key!r}: ...}}: {lacking[:5]} are no columns{where}.")
    for label, data in sets.items():
        if by is not None and by not in data.columns:
            where = "" if label is None else f" of data set {label!r}"
            raise ValueError(f"by={by!r} is no column{where}; there are {few(data.columns)}.")
    if not names and by is None and len(sets) == 1 and None in sets:
        raise ValueError(
            "Nothing varies: give over=, by= or several data sets; for one fit use bm.fit()."
        )


def _tasks(
    sets: dict[Any, pd.DataFrame], names: dict[str, list[str]], by: str | None, seed: int
) -> list[Task]:
    choices = [
        dict(zip(names, chosen, strict=True)) for chosen in itertools.product(*names.values())
    ]
    kinds = [
        (label, group, chosen)
        for label, data in sets.items()
        for group in (_groups(data[by]) if by is not None else [None])
        for chosen in choices
    ]
    seeds = np.random.SeedSequence(seed).generate_state(len(kinds), np.uint32)
    return [
        Task(place, chosen, group, label, int(own))
        for place, ((label, group, chosen), own) in enumerate(zip(kinds, seeds, strict=True))
    ]


def _groups(column: pd.Series) -> list[Any]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return list(column.cat.categories)
    return sorted(column.dropna().unique().tolist())


def _digest(plan: Plan, tasks: list[Task], sets: dict[Any, pd.DataFrame]) -> str:
    """Fingerprint of a run: what it fits, on which data, with which seeds."""
    found = hashlib.sha256(repr((plan, tasks)).encode())
    for data in sets.values():
        found.update(pd.util.hash_pandas_object(data).to_numpy().tobytes())
        found.update(repr(list(data.columns)).encode())
    return found.hexdigest()


class Journal:
    """Results as they come, kept in a file of lines where there is one."""

    def __init__(self, path: Path | None, digest: str):
        self.path, self.done = path, dict[int, dict[str, Any]]()
        if path is None:
            return
        if not path.exists():
            path.write_text(json.dumps({"bayesmed": 1, "plan": digest}) + "\n")
            return
        head, *lines = path.read_text().split("\n")
        if json.loads(head or "{}").get("plan") != digest:
            raise ValueError(
                f"{path} holds the results of another plan: other data, formulas, settings or seed. "
                "Give another path=, or random_seed= as before."
            )
        for line in lines:
            # A line that was cut short by a crash is fitted again.
            try:
                found = json.loads(line)
            except json.JSONDecodeError:
                continue
            if not found["reason"]:
                self.done[found["place"]] = found

    def add(self, found: dict[str, Any]) -> None:
        """Keep one result."""
        self.done[found["place"]] = found
        if self.path is None:
            return
        try:
            with self.path.open("a") as file:
                file.write("\n" + json.dumps(found))
        except OSError as error:
            warn(
                f"Results can no longer be written to {self.path} ({error}); the run goes on, and "
                "returns them."
            )
            self.path = None


def fit_one(plan: Plan, data: pd.DataFrame, task: Task) -> dict[str, Any]:
    """One fit as plain data; where it fails, the reason."""
    from bayesmed.api.model import MediationModel

    began = time.perf_counter()
    found: dict[str, Any] = {"place": task.place, "reason": "", "problems": ""}
    try:
        if plan.by is not None:
            data = data[data[plan.by] == task.group]
        own = {name: _filled(value, task.names) for name, value in plan.arguments.items()}
        with _ONE_AT_A_TIME, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what they say stands in the result
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                model = MediationModel(data.reset_index(drop=True), **own)
            fit = model.fit(random_seed=task.seed, progress=False, **plan.settings)
            table = fit.effects(**plan.effects).summary(plan.ci_prob, round_to=None)
        found |= {
            "n": fit.description.n, "sampler": fit.description.sampler,
            "pareto_k": fit.description.pareto_k, "problems": " ".join([*_of_data(told), *fit.convergence.problems]),
            "effects": [str(name) for name in table.index],
            "table": table.to_numpy(dtype=float).tolist(),
        }  # fmt: skip
    except Exception as error:
        found["reason"] = f"{type(error).__name__}: {error}"
    found["seconds"] = time.perf_counter() - began
    return found


def _of_data(told: list[warnings.WarningMessage]) -> list[str]:
    """Warnings about the data, but for the rows dropped, which ``n`` tells."""
    said = [str(one.message) for one in told if one.category is UserWarning]
    return [text for text in said if not text[0].isdigit()]


def _filled(value: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(value, str):
        return value
    for key, column in names.items():
        value = value.replace(f"{{{key}}}", column)
    return value


def _here(
    plan: Plan, sets: dict[Any, pd.DataFrame], tasks: list[Task]
) -> Iterator[list[dict[str, Any]]]:
    for task in tasks:
        yield [fit_one(plan, sets[task.dataset], task)]


def _batch(plan: Plan, data: pd.DataFrame, tasks: list[Task]) -> list[dict[str, Any]]:
    return [fit_one(plan, data, task) for task in tasks]


def _on_dask(
    client: "Client", plan: Plan, sets: dict[Any, pd.DataFrame], tasks: list[Task]
) -> Iterator[list[dict[str, Any]]]:
    """Batches on the workers, in the order in which they end."""
    workers = max(1, sum(client.nthreads().values()))  # type: ignore[no-untyped-call]
    size = min(_MOST_AT_ONCE, max(1, len(tasks) // (4 * workers)))
    batches = []
    for label, group in itertools.groupby(tasks, key=lambda task: task.dataset):
        every = list(group)
        batches += [(label, every[i : i + size]) for i in range(0, len(every), size)]
    for batch, found, reason in on_workers(client, partial(_batch, plan), sets, batches):
        without = [{"place": task.place, "reason": reason, "problems": ""} for task in batch]
        yield without if reason else found


def _collect(
    run: Iterator[list[dict[str, Any]]], journal: Journal, count: int, progress: bool
) -> None:
    from rich.progress import Progress

    failed = 0
    with Progress(disable=not progress) as bar:
        task = bar.add_task("Fitting", total=count)
        try:
            for batch in run:
                for found in batch:
                    journal.add(found)
                    failed += bool(found["reason"])
                    bar.update(task, advance=1, description=_description(failed))
        except (KeyboardInterrupt, Exception) as error:
            if not journal.done:
                raise
            warn(
                f"The run stopped ({type(error).__name__}: {error}); {len(journal.done)} fits are kept, "
                "the others have the reason 'not fitted'."
            )


def _description(failed: int) -> str:
    return f"Fitting ({failed} failed)" if failed else "Fitting"


def _dataset(
    tasks: list[Task],
    done: Mapping[int, dict[str, Any]],
    names: Mapping[str, list[str]],
    by: str | None,
    several: bool,
) -> xr.Dataset:
    rows = [done.get(task.place, {"reason": "not fitted", "problems": ""}) for task in tasks]
    effects: list[str] = next((row["effects"] for row in rows if "effects" in row), [])
    values = np.full((len(rows), len(effects), len(_STATISTICS)), np.nan)
    for place, row in enumerate(rows):
        if "table" in row:
            values[place] = row["table"]
    variables: dict[str, Any] = {
        name: (("fit", "effect"), values[..., i]) for i, name in enumerate(_STATISTICS)
    }
    for name in _NUMBERS:
        column = [row.get(name) for row in rows]
        variables[name] = (
            "fit",
            np.array([np.nan if v is None else v for v in column], dtype=float),
        )
    for name in _WORDS:
        variables[name] = ("fit", np.array([row.get(name) or "" for row in rows], dtype=object))
    coords: dict[str, Any] = {key: [task.names[key] for task in tasks] for key in names}
    if by is not None:
        coords["by"] = [task.group for task in tasks]
    if several:
        coords["dataset"] = [task.dataset for task in tasks]
    along = {name: ("fit", values) for name, values in coords.items()}
    return xr.Dataset(variables, coords={"effect": effects, **along})
