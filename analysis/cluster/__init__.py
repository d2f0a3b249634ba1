"""Past one machine: a store's messages as Parquet by line in; signals and explanations from any number of workers, those of the local run row for row, out.

START HERE: ``export.export`` writes the folder, ``run.signals`` and ``explaining.explain`` share it out, ``work`` and ``measuring`` are what
a worker does (the product's own functions), ``workers`` is who does it: this process, processes here, or a running dask cluster. The only
dask and fsspec user (extra ``cluster``).
"""
