"""The page: a local server and a self-contained file, both showing one view of a traced and judged prompt.

Read `sources` (what is shown), `app` (what is answered), `server` (where), `page` (the same in one file), then
`static/main.js`.
"""

from __future__ import annotations

from truescope.web.page import self_contained
from truescope.web.server import create_app, serve
from truescope.web.sources import FolderSource, MemorySource, ViewSource

__all__ = ["FolderSource", "MemorySource", "ViewSource", "create_app", "self_contained", "serve"]
