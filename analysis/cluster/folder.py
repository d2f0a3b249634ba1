"""A path or a URL in, frames and JSON in and out of it: local disk or object storage through fsspec, the layer that dask uses too."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import fsspec
import numpy as np
import polars as pl

from analysis.errors import LineHealthError


class Folder:
    """A folder on any file system of fsspec (``/data``, ``file://``, ``s3://`` with s3fs, ``gs://`` with gcsfs).

    Args:
        url: where; its user and password, where an fsspec system takes such, come from the environment and never from here.
    """

    def __init__(self, url: str) -> None:
        self.url = str(url).rstrip("/")
        try:
            self._fs, self._root = fsspec.core.url_to_fs(self.url)
        except (ImportError, ValueError) as e:
            raise LineHealthError(
                f"cannot be opened ({type(e).__name__})",
                where=self.url,
                fix="install what fsspec needs for such an address, s3fs for s3://",
            ) from None

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"

    def holds(self, name: str = "") -> bool:
        """Say whether there is such a file, or anything at all in the folder."""
        self._fs.invalidate_cache()
        return bool(
            self._fs.exists(self._at(name)) if name else self._fs.exists(self._root) and self._fs.ls(self._root)
        )

    def frame(self, name: str, schema: pl.Schema) -> pl.DataFrame:
        """Return a Parquet file as a frame of a schema."""
        held = io.BytesIO(self._fs.cat_file(self._at(name)))
        return pl.read_parquet(held, columns=schema.names()).select(schema.names()).cast(schema)

    def write(self, name: str, frame: pl.DataFrame) -> int:
        """Write a frame as a Parquet file that is there whole or not at all; returns its bytes."""
        held = io.BytesIO()
        frame.write_parquet(held, compression="zstd")
        return self._put(name, held.getvalue())

    def arrays(self, name: str) -> dict[str, np.ndarray[Any, Any]]:
        """Return the arrays of ``write_arrays``."""
        with np.load(io.BytesIO(self._fs.cat_file(self._at(name))), allow_pickle=False) as held:
            return dict(held)

    def write_arrays(self, name: str, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Write named arrays of numbers or texts as one file (NumPy's .npz)."""
        held = io.BytesIO()
        np.savez_compressed(held, allow_pickle=False, **arrays)
        self._put(name, held.getvalue())

    def drop(self, name: str) -> None:
        """Delete a folder within, with all it holds."""
        self._fs.rm(self._at(name), recursive=True)

    def json(self, name: str) -> Any:
        """Return a JSON file's value."""
        return json.loads(self._fs.cat_file(self._at(name)))

    def write_json(self, name: str, value: Any) -> None:
        """Write a value as JSON."""
        self._put(name, json.dumps(value).encode())

    def _put(self, name: str, data: bytes) -> int:
        path = self._at(name)
        self._fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        # within a transaction fsspec writes beside and renames (local), or completes the upload (object stores), at its end
        with self._fs.transaction, self._fs.open(path, "wb") as file:
            file.write(data)
        return len(data)


def of_line(table: str, line: str) -> str:
    """Return where a table's rows of a line are, in the layout that Hive, DuckDB, Polars and Spark read: table/line=…/0.parquet."""
    return f"{table}/line={quote(line, safe='+')}/0.parquet"
