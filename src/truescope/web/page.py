"""One HTML file that holds everything: our style and modules, plotly's script, the view and its units.

It opens from a disk, a mail or an archive. The modules are the ones the server hands out; here each becomes a function
that returns its exports, in the order of their imports, so that one inline script, named by its hash in the policy, is
all that runs.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from truescope.core.errors import SurfaceError
from truescope.web.charts import plotly_script
from truescope.web.sources import record_text

STATIC = Path(__file__).parent / "static"
IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([a-z_]+)\.js";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class) (\w+))", re.MULTILINE)
STYLE_TAG = '<link rel="stylesheet" href="/static/style.css">'
SCRIPT_TAG = '<script type="module" src="/static/main.js"></script>'


def self_contained(
    view: dict[str, Any], units: Mapping[str, dict[str, Any]], ledger: dict[str, Any] | None = None
) -> str:
    """The page as one HTML text; ``units`` maps "layer/index" to a unit's evidence, ``ledger`` is shown beside it.

    Raises `SurfaceError` where the records cannot be written as JSON or plotly is not installed.
    """
    needs_charts = any(unit.get("operand_plot") for unit in units.values())
    scripts = ([plotly_script().read_text(encoding="utf-8")] if needs_charts else []) + [bundle()]
    scripts = [_inside_script(script) for script in scripts]
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    policy = f"default-src 'none'; script-src {hashes}; img-src data: blob:; style-src 'unsafe-inline'"
    data = record_text({"view": view, "units": dict(units), "ledger": ledger}, "the view")
    kinds = (["text/javascript"] if needs_charts else []) + ["module"]
    body = [f'<script type="application/json" id="truescope-data">{_inside_data(data)}</script>']
    body += [f'<script type="{kind}">{script}</script>' for kind, script in zip(kinds, scripts, strict=True)]
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    style = (STATIC / "style.css").read_text(encoding="utf-8")
    page = _replace_once(page, "<title>", f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<title>')
    page = _replace_once(page, "<title>truescope</title>", f"<title>{html.escape(str(view['title']))}</title>")
    page = _replace_once(page, STYLE_TAG, f"<style>\n{style}</style>")
    return _replace_once(page, SCRIPT_TAG, "\n".join(body))


def bundle() -> str:
    """Our modules as one script: ``import`` becomes a destructuring, each module a function of its own."""
    done: dict[str, str] = {}
    _add_module("main", done, ())
    return "".join(done.values())


def _add_module(name: str, done: dict[str, str], path: tuple[str, ...]) -> None:
    """Put module ``name`` into ``done`` after everything that it imports."""
    if name in path:
        raise SurfaceError(f"the page's modules import each other in a circle: {' → '.join((*path, name))}")
    if name in done:
        return
    text = (STATIC / f"{name}.js").read_text(encoding="utf-8")
    for _, imported in IMPORT.findall(text):
        _add_module(imported, done, (*path, name))
    body = IMPORT.sub(lambda match: f"const {{{match[1]}}} = module_{match[2]};\n", text)
    exports = ", ".join(EXPORT.findall(body))
    done[name] = f"const module_{name} = (() => {{\n{EXPORT.sub('', body)}return {{ {exports} }};\n}})();\n"


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _inside_script(script: str) -> str:
    # Only inside strings and comments can these stand, and there the escaped form means the same.
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _inside_data(text: str) -> str:
    # In JSON these characters stand only inside strings: an escape keeps the value and ends no tag.
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _replace_once(page: str, old: str, new: str) -> str:
    if page.count(old) != 1:
        raise SurfaceError(f"the page's frame holds {old!r} {page.count(old)} times, not once")
    return page.replace(old, new)
