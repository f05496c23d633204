"""``python -m truescope`` is the command line."""

from truescope.cli.main import run

run()
