"""The samplers: each returns posterior draws and sampler statistics as plain Datasets."""

import importlib.util
import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np
import xarray as xr

from bayesmed.families.names import nearest, parameters_of
from bayesmed.numerics.threads import single_blas
from bayesmed.posterior import density as compiled
from bayesmed.posterior.graphs import condensed_graph_of
from bayesmed.system.system import System

SAMPLERS = ("nutpie", "pymc", "numpyro")
_FEWEST_INTERRUPTED = 100
#: What a user of nutpie is likely to set, for suggestions.
_KNOWN_SETTINGS = ("target_accept", "maxdepth", "mindepth", "max_energy_error", "step_size_window")
#: Arguments of the samplers that are this package's, or would change what they return.
_SET_HERE = frozenset(
    ("draws", "tune", "chains", "cores", "seed", "random_seed", "sampler", "nuts_sampler", "model",
     "progress_bar", "progressbar", "save_warmup", "blocking", "return_raw_trace", "zarr_store",
     "compiled_model", "compute_convergence_checks", "return_inferencedata", "trace", "step",
     "discard_tuned_samples", "var_names", "idata_kwargs", "vars")
)  # fmt: skip
_KEPT_STATS = ("diverging", "energy", "tree_depth", "depth", "n_steps", "step_size", "logp")


def settle_seed(seed: int | None) -> int:
    """Check a seed, or draw one where None is given."""
    if seed is None:
        return int(np.random.SeedSequence().generate_state(1)[0] >> 1)
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"random_seed must be a whole number of at least 0; {seed!r} was given.")
    return int(seed)


def check_sampler(sampler: str) -> None:
    """Refuse a sampler that does not exist or is not installed.

    Raises
    ------
    ValueError, ImportError
    """
    if sampler not in SAMPLERS:
        raise ValueError(f"sampler={sampler!r}; choose one of {list(SAMPLERS)}.")
    if importlib.util.find_spec(sampler) is None:
        raise ImportError(
            f"sampler={sampler!r} is not installed; install {sampler} or use another of "
            f"{list(SAMPLERS)}."
        )


def check_settings(
    draws: Any = 1000,
    tune: Any = 1000,
    chains: Any = 4,
    cores: Any = None,
    sampler: Any = SAMPLERS[0],
    method: Any = "nuts",
) -> None:
    """Check numbers of draws, the sampler, which method="laplace" may turn to, and the method.

    Raises
    ------
    ValueError, ImportError
    """
    check_count("draws", draws)
    check_count("tune", tune, 0)
    check_count("chains", chains)
    if cores is not None:
        check_count("cores", cores)
    check_sampler(sampler)
    if method not in ("nuts", "laplace"):
        near = nearest(method, ("nuts", "laplace"))
        raise ValueError(f"method={method!r}; choose 'nuts' or 'laplace'.{near}")


def check_count(name: str, value: Any, least: int = 1) -> None:
    """Refuse what is no whole number of at least so many.

    Raises
    ------
    ValueError
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        kind = "a positive whole number" if least else "a whole number of at least 0"
        raise ValueError(f"{name} must be {kind}; {value!r} was given.")


def sampler_options(sampler: str, given: Mapping[str, Any]) -> list[str]:
    """Names of a sampler's own options, beside what this package sets.

    Parameters
    ----------
    sampler : {"nutpie", "pymc", "numpyro"}
    given : mapping
        Options of a call; nutpie tells of a name alone whether it is one of its settings.
    """
    if sampler == "nutpie":
        import nutpie
        from nutpie import _lib

        kinds = [kind(0) for kind in (_lib.PyNutsSettings.Diag, _lib.PyNutsSettings.LowRank)]
        own = [*parameters_of(nutpie.sample), *_KNOWN_SETTINGS]
        own += [name for name in given if any(_takes(one, name, given[name]) for one in kinds)]
    else:
        import pymc as pm
        from pymc.step_methods.hmc.base_hmc import BaseHMC

        steps = (pm.NUTS.__init__, BaseHMC.__init__) if sampler == "pymc" else ()
        own = ["target_accept", *parameters_of(pm.sample), "nuts"]
        own += [name for step in steps for name in parameters_of(step)]
    return [name for name in dict.fromkeys(own) if name not in _SET_HERE]


def _takes(settings: Any, name: str, value: Any) -> bool:
    try:
        settings.update({name: value})
    except AttributeError:
        return False
    except Exception:  # the setting exists and its value is wrong, which nutpie will say
        return True
    return True


def run_sampler(
    model: System,
    sampler: str,
    settings: Mapping[str, Any],
    progress: bool,
    options: Mapping[str, Any],
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], bool]:
    """Sample a model.

    Parameters
    ----------
    settings : mapping
        ``draws``, ``tune``, ``chains``, ``cores`` (or None) and ``random_seed``.

    Returns
    -------
    posterior : dict of str to numpy.ndarray
        Arrays of shape (chain, draw, ...).
    stats : dict of str to numpy.ndarray
        Arrays of shape (chain, draw).
    interrupted : bool

    Raises
    ------
    RuntimeError
        For an interruption in warm-up.
    """
    if sampler == "nutpie":
        return _nutpie(model, settings, progress, options)
    return _pymc(model, sampler, settings, progress, options)


def _nutpie(
    model: System, settings: Mapping[str, Any], progress: bool, options: Mapping[str, Any]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], bool]:
    from nutpie.compile_pymc import CompiledPyMCModel

    from bayesmed.posterior.kernels import copy, sum_of_parts

    density = compiled.log_density(model, progress)
    start, joined = density.start, density.joined

    def first_point(seed: int) -> np.ndarray:
        return start + np.random.default_rng(seed).uniform(-1.0, 1.0, start.size)

    # What nutpie makes of a PyMC model, of functions that are already compiled.
    problem = CompiledPyMCModel(
        dims={"x": ("coordinate",)}, _coords={"coordinate": np.arange(start.size)},
        _shapes={"x": (start.size,)}, shape_info=(["x"], None, [(start.size,)]),
        _n_dim=start.size, n_expanded=start.size, initial_point_func=first_point,
        compiled_logp_func=sum_of_parts(), compiled_expand_func=copy(), user_data=joined.table,
        shared_data={}, shared_var_keys={}, logp_func=joined, expand_func=None,
    )  # fmt: skip
    cores = settings["cores"]
    with single_blas() if cores != 1 else nullcontext():
        tree, interrupted = _run(problem, settings, cores, progress, options)
    points, stats = _kept(tree)
    if interrupted:
        points, stats = keep_complete(points, stats)
    return compiled.constrain(model, points), stats, interrupted


def _kept(tree: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Points and statistics of what nutpie drew; of nothing, where it was interrupted at once."""
    points = (
        tree["posterior"]["x"].to_numpy() if "posterior" in tree.children else np.empty((0, 0, 1))
    )
    stats = {
        name: tree["sample_stats"][name].to_numpy()
        for name in _KEPT_STATS
        if "sample_stats" in tree.children and name in tree["sample_stats"]
    }
    return points, stats


def _run(
    problem: Any,
    settings: Mapping[str, Any],
    cores: int | None,
    progress: bool,
    options: Mapping[str, Any],
) -> tuple[Any, bool]:
    """Sample by nutpie; what was drawn, and whether it was interrupted."""
    import nutpie

    running = nutpie.sample(
        problem,
        draws=settings["draws"],
        tune=settings["tune"],
        chains=settings["chains"],
        cores=cores,
        seed=settings["random_seed"],
        save_warmup=False,
        progress_bar=progress,
        blocking=False,
        **options,
    )
    try:
        return running.wait(), False
    except KeyboardInterrupt:
        return running.abort(), True
    except BaseException:
        running.cancel()
        raise


def keep_complete(
    points: np.ndarray, stats: dict[str, np.ndarray]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Cut an interrupted run to chains of one length, leaving out those below 100 draws.

    Raises
    ------
    RuntimeError
        If no chain has 100 draws after warm-up.
    """
    lengths = np.isfinite(points).all(axis=-1).sum(axis=1) if points.size else np.zeros(0, int)
    enough = lengths >= _FEWEST_INTERRUPTED
    if not enough.any():
        longest = int(lengths.max()) if lengths.size else 0
        raise RuntimeError(
            "Sampling was interrupted too early: the longest chain has "
            f"{longest} draws after warm-up, and {_FEWEST_INTERRUPTED} are needed. Nothing was "
            "kept; fit again, with smaller tune= or draws= if time is short."
        )
    common = int(lengths[enough].min())
    cut = {name: value[enough, :common] for name, value in stats.items()}
    return points[enough, :common], cut


def _pymc(
    model: System,
    sampler: str,
    settings: Mapping[str, Any],
    progress: bool,
    options: Mapping[str, Any],
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], bool]:
    import pymc as pm

    graph = condensed_graph_of(model)
    asked = settings["draws"]
    with graph, warnings.catch_warnings():
        # Convergence is told once, by this package.
        warnings.simplefilter("ignore")
        tree = pm.sample(
            draws=asked,
            tune=settings["tune"],
            chains=settings["chains"],
            cores=settings["cores"],
            random_seed=settings["random_seed"],
            nuts_sampler=sampler,
            progressbar=progress,
            compute_convergence_checks=False,
            return_inferencedata=True,
            **options,
        )
    posterior = tree["posterior"]
    kept = {str(n): posterior[n].transpose("chain", "draw", ...).to_numpy() for n in posterior}
    stats = {
        str(n): tree["sample_stats"][n].to_numpy() for n in tree["sample_stats"] if n in _KEPT_STATS
    }
    interrupted = posterior.sizes["draw"] < asked
    return kept, stats, interrupted


def to_dataset(
    arrays: Mapping[str, np.ndarray], coords: Mapping[str, Any], dims: Mapping[str, tuple[str, ...]]
) -> xr.Dataset:
    """Label arrays of shape (chain, draw, ...)."""
    variables = {
        name: (("chain", "draw", *dims.get(name, ())), values) for name, values in arrays.items()
    }
    some = next(iter(arrays.values()))
    own = {"chain": np.arange(some.shape[0]), "draw": np.arange(some.shape[1])}
    used = {dim for name in arrays for dim in dims.get(name, ())}
    return xr.Dataset(variables, coords={**own, **{k: v for k, v in coords.items() if k in used}})
