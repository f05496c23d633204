"""Content-addressed run folders and one catalogue; nothing half-written is ever read as whole.

Read in this order: `atomic` (files that are there whole or not at all), `journal` (lines that are), `locks` (one
process at a time), `provenance` and `code` (what made a run), `catalogue` (the SQLite file over the runs),
`manifests` (what stands beside a run's files), `runs`, `stores`.

>>> store = Store.open()                                                   # doctest: +SKIP
>>> run = store.run("trace", {"prompt": "36+59=", "seed": 0})              # doctest: +SKIP
>>> with run.locked():                                                     # doctest: +SKIP
...     if not run.has("graph.json"):
...         run.write_json("graph.json", trace())
...     run.finish({"n_nodes": 312})
"""

from truescope.store.atomic import new_file, new_folder, write_atomic
from truescope.store.catalogue import RunRecord
from truescope.store.code import code_hash
from truescope.store.provenance import commit, file_hash, versions
from truescope.store.runs import Run
from truescope.store.stores import Store

__all__ = [
    "Run",
    "RunRecord",
    "Store",
    "code_hash",
    "commit",
    "file_hash",
    "new_file",
    "new_folder",
    "versions",
    "write_atomic",
]
