"""`truescope`: the commands, each loaded only when it is called, and the exit statuses.

0: it ran (a failed claim is a result, not an error, unless ``--strict``). 1: an error. 2: the call's words are off.
130: Ctrl-C.
"""

from __future__ import annotations

import sys

from cyclopts import App, CycloptsError

from truescope import __version__
from truescope.core.errors import TruescopeError, UsageError

COMMANDS = {
    "demo": "Trace why a small model answers 95 to 36+59=, judge what the graph says, and show the page.",
    "trace": "Trace a prompt through a model into an attribution graph.",
    "train": "Train a dictionary (transcoders, a cross-layer transcoder, an autoencoder) on a model and a text.",
    "judge": "Test claims about groups of units by intervening on the model.",
    "claims": "List, show, export and run again the claims of the ledger.",
    "compare": "Compare models that can be read with opaque ones on a table, and say what reading one costs.",
    "distil": "Distil a behaviour of a model into a tree over its features, and judge how faithful it is.",
    "tree": "Grow a fast-and-frugal tree on a table: a few questions, each with an exit, and a card to print.",
    "gnn": "Explain graph networks, and hold explainers against models whose mechanism is known.",
    "calibrate": "Measure how far each method can be trusted, on models whose mechanism is known.",
    "explainers": "Hold post-hoc explainers to one axiom: what a model uses outranks what it does not.",
    "sites": "List the addresses of a model's activations.",
    "serve": "Show the page of a run that is in the store.",
    "doctor": "Print versions, devices, the store's place and size, and missing extras.",
}


def build_app() -> App:
    """The command line, with nothing heavy imported yet."""
    app = App(
        name="truescope",
        help="A microscope for neural networks whose every explanation is checked against the model itself.",
        version=__version__,
        help_format="plaintext",
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for name, text in COMMANDS.items():
        app.command(f"truescope.cli.{name}:{name}", name=name, help=text)
    return app


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit status; what went wrong goes to stderr."""
    app = build_app()
    try:
        result = app(arguments, exit_on_error=False, print_error=True)
        return result if isinstance(result, int) else 0
    except CycloptsError:
        return 2
    except UsageError as error:
        print(f"truescope: {error}", file=sys.stderr)
        return 2
    except TruescopeError as error:
        print(f"truescope: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "truescope: stopped; what was finished is in the store, and the same command goes on there", file=sys.stderr
        )
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0


def run() -> None:
    """The console script."""
    sys.exit(main())
