"""Data that are read part by part: Dask frames, Parquet files, slices of a large frame."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bayesmed.data.frame import how_to_read, normalise, to_pandas

#: Rows of a part.
ROWS = 100_000


def columns_of_part(part: pd.DataFrame, variables: Iterable[str]) -> pd.DataFrame:
    """Some columns, each as numbers or categories."""
    return pd.DataFrame({name: normalise(part[name]) for name in variables})


def with_levels(frame: pd.DataFrame, levels: Mapping[str, list[Any]]) -> pd.DataFrame:
    """Columns of text with the levels that all parts share."""
    own = {name: pd.Categorical(frame[name], categories=values) for name, values in levels.items()}
    return frame.assign(**own)


def rows_of_part(
    part: pd.DataFrame, variables: Iterable[str], levels: Mapping[str, list[Any]]
) -> pd.DataFrame:
    """The complete rows of a part."""
    complete = columns_of_part(part, variables).dropna().reset_index(drop=True)
    return with_levels(complete, levels)


@dataclass(frozen=True)
class Parts:
    """A frame in parts.

    Attributes
    ----------
    columns : list of str
    each : callable
        ``each(function, columns)`` yields the function's value for each part, of which it gets
        those columns.
    """

    columns: list[str]
    each: Callable[[Callable[[pd.DataFrame], Any], list[str]], Iterator[Any]]


def is_dask(data: Any) -> bool:
    """Whether data are a Dask frame; Dask itself is not imported."""
    return type(data).__module__.split(".")[0] in ("dask", "dask_expr") and hasattr(
        data, "to_delayed"
    )


def parts_of(data: Any) -> Parts:
    """Open data for reading in parts: a Dask frame, a path of Parquet files, or an eager frame."""
    if is_dask(data):
        return Parts(list(map(str, data.columns)), _dask_reader(data))
    if isinstance(data, (str, os.PathLike)):
        return _parquet(Path(data))
    frame = to_pandas(data)

    def each(function: Callable[[pd.DataFrame], Any], columns: list[str]) -> Iterator[Any]:
        for start in range(0, len(frame), ROWS):
            yield function(frame.iloc[start : start + ROWS][columns])

    return Parts(list(map(str, frame.columns)), each)


def _dask_reader(data: Any) -> Any:
    def each(function: Callable[[pd.DataFrame], Any], columns: list[str]) -> Iterator[Any]:
        import dask

        own: Any = dask  # which exports without saying so
        lazy = [own.delayed(function)(part) for part in data[columns].to_delayed()]
        # All at once: Dask holds as many parts as it has threads, and gives back small results.
        yield from own.compute(*lazy)

    return each


def _parquet(path: Path) -> Parts:
    from pyarrow import ArrowInvalid, dataset  # type: ignore[import-untyped]
    from pyarrow.parquet import ParquetFile  # type: ignore[import-untyped]

    if not path.exists():
        own = "" if path.suffix.lower() in ("", ".parquet", ".pq") else how_to_read(path)
        raise FileNotFoundError(f"There is no Parquet file or directory {str(path)!r}.{own}")
    try:
        source = dataset.dataset(path, format="parquet")
    except ArrowInvalid:
        raise ValueError(
            f"{str(path)!r} is not a Parquet file or directory, which a path must be.{how_to_read(path)}"
        ) from None

    def each(function: Callable[[pd.DataFrame], Any], columns: list[str]) -> Iterator[Any]:
        # File by file: a scan of the whole would read ahead, and memory would grow.
        for file in source.files:
            with ParquetFile(file) as opened:
                for batch in opened.iter_batches(batch_size=ROWS, columns=columns):
                    yield function(batch.to_pandas())

    return Parts(list(source.schema.names), each)
