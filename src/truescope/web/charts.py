"""plotly's own script, taken from the installed package: the one file here that reaches for plotly."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from truescope.core.errors import SurfaceError


def plotly_script() -> Path:
    """The path of ``plotly.min.js`` in the installed plotly. Raises `SurfaceError` where plotly is absent."""
    try:
        path = Path(str(resources.files("plotly").joinpath("package_data", "plotly.min.js")))
    except ModuleNotFoundError as error:
        raise missing_extra("plotly") from error
    if not path.is_file():
        raise SurfaceError(
            f"plotly has no {path.name}", why=f"{path} is absent", fix='pip install --force-reinstall "plotly>=7.0"'
        )
    return path


def missing_extra(package: str) -> SurfaceError:
    """What to say when a package of the ``web`` extra is not installed."""
    return SurfaceError(
        f"the page needs {package}",
        why=f"{package} is not installed; it belongs to the extra `web`",
        fix='pip install "truescope[web]"',
    )
