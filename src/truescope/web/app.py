"""What the server answers: our files, the view, a unit. The one file that imports FastAPI.

Nothing here listens to other hosts' names (a page elsewhere that points its own name at this machine is refused), and
no answer lets a browser load anything from elsewhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from truescope.core.errors import TruescopeError
from truescope.web.charts import plotly_script
from truescope.web.sources import ViewSource, record_text

STATIC = Path(__file__).parent / "static"
CONTENT_SECURITY_POLICY = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'"
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
HOSTS = {"127.0.0.1", "localhost", "[::1]"}
MEDIA_TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}


class LocalOnly:
    """ASGI middleware: refuses a Host that is not this machine's, and puts `HEADERS` on every answer."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                added = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", []), *added]}
            await send(message)

        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
        if host.rsplit(":", 1)[0] in HOSTS or host in HOSTS:
            await self.app(scope, receive, send_with_headers)
        else:
            refusal = _reason(400, f"this server answers only to 127.0.0.1 and localhost, not to {host!r}")
            await refusal(scope, receive, send_with_headers)


def build_app(source: ViewSource) -> FastAPI:
    """The application that shows ``source``. Raises `SurfaceError` where the view cannot be written as JSON."""
    app = FastAPI(title="truescope", openapi_url="/api/openapi.json", docs_url=None, redoc_url=None)
    app.add_middleware(LocalOnly)
    view = record_text(source.view(), "the view")
    plotly = plotly_script()
    files = {path.name: path for path in STATIC.iterdir() if path.suffix in MEDIA_TYPES}

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return _file(files["index.html"])

    @app.get("/static/{name}", include_in_schema=False)
    def static(name: str) -> Response:
        # A table of names, not a path that is joined: nothing outside the folder can be named.
        return _file(files[name]) if name in files else _reason(404, f"there is no file {name!r}")

    @app.get("/plotly.min.js", include_in_schema=False)
    def charts() -> FileResponse:
        return _file(plotly, "private, max-age=86400")

    @app.get("/api/view.json", response_model=None)
    def view_json() -> Response:
        """Prompt, graph, groups, claims and the run they come from."""
        return _json(view)

    @app.get("/api/units/{layer}/{index}.json", response_model=None)
    def unit_json(layer: int, index: int) -> Response:
        """The evidence of one unit: operand plot, dependence, examples, logit effects."""
        unit = source.unit(layer, index)
        if unit is None:
            return _reason(404, f"no evidence was gathered for unit {layer}/{index}")
        return _json(record_text(unit, f"unit {layer}/{index}"))

    @app.get("/api/ledger.json", response_model=None)
    def ledger_json() -> Response:
        """Every claim of the ledger, and which of them contradict each other."""
        return _json(record_text(source.ledger(), "the ledger"))

    @app.exception_handler(TruescopeError)
    def told(_: Request, error: TruescopeError) -> Response:
        return _reason(500, str(error))

    @app.exception_handler(HTTPException)
    def refused(_: Request, error: HTTPException) -> Response:
        return _reason(error.status_code, str(error.detail))

    return app


def _file(path: Path, cache: str = "no-cache") -> FileResponse:
    return FileResponse(path, media_type=MEDIA_TYPES[path.suffix], headers={"Cache-Control": cache})


def _json(text: str) -> Response:
    return Response(text, media_type="application/json", headers={"Cache-Control": "no-store"})


def _reason(status: int, why: str) -> JSONResponse:
    return JSONResponse({"reason": why}, status_code=status)
