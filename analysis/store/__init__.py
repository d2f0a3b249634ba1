"""Facts in, one DuckDB file kept, frames out: the only room that knows DuckDB.

``connect`` opens and replaces the file, ``migrations`` shapes it, ``load`` merges facts, ``marts`` keeps what is derived,
``read`` is the one door to Polars.
"""

from analysis.store.connect import Store, default_path

__all__ = ["Store", "default_path"]
