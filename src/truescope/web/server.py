"""Serving a page on this machine: the one file that imports uvicorn."""

from __future__ import annotations

import errno
import socket
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from truescope.core.errors import SurfaceError
from truescope.web.charts import missing_extra
from truescope.web.sources import FolderSource, ViewSource

if TYPE_CHECKING:
    from fastapi import FastAPI

HOST = "127.0.0.1"
N_PORTS = 50


def create_app(source: ViewSource) -> FastAPI:
    """The application that shows ``source``. Raises `SurfaceError` where the extra `web` is not installed."""
    try:
        from truescope.web.app import build_app
    except ModuleNotFoundError as error:
        raise missing_extra(error.name or "fastapi") from error
    return build_app(source)


def serve(
    source: ViewSource | Path | str,
    *,
    port: int = 8321,
    open_browser: bool = True,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Show a run folder or a view source on 127.0.0.1 until Ctrl-C.

    The first free port from ``port`` on is taken; another one than was asked for is said on stderr. ``on_ready`` is
    called with the page's address once connections to it are accepted (they are answered right after it returns).
    Raises `SurfaceError` where no port is free or the extra `web` is not installed.
    """
    try:
        import uvicorn
    except ModuleNotFoundError as error:
        raise missing_extra("uvicorn") from error
    app = create_app(FolderSource(source) if isinstance(source, (str, Path)) else source)
    with listen(port) as listener:
        taken = listener.getsockname()[1]
        if port and taken != port:
            print(f"port {port} is taken: using {taken}", file=sys.stderr)
        url = f"http://{HOST}:{taken}/"
        if on_ready is not None:
            on_ready(url)
        if open_browser:
            webbrowser.open(url)
        config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
        uvicorn.Server(config).run(sockets=[listener])


def listen(port: int) -> socket.socket:
    """A socket that listens on the first free port among ``port … port + 49`` (any free one where ``port`` is 0)."""
    for candidate in range(port, min(port + N_PORTS, 65536)):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            if sys.platform != "win32":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HOST, candidate))
            listener.listen(128)
            return listener
        except OSError as error:
            listener.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise SurfaceError(f"port {candidate} cannot be opened", why=str(error)) from error
    raise SurfaceError(
        f"no port from {port} to {port + N_PORTS - 1} is free",
        fix="close another server, or pass --port with another number",
    )
