"""Where the command begins: it heeds Ctrl-C before anything heavy is imported, so that whoever is quick with it sees no traceback."""

import signal
import sys

__all__ = ["main"]


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line (see verbs); Ctrl-C and SIGTERM end it with exit code 130 and without a word, whenever they come."""
    try:
        signal.signal(signal.SIGTERM, _interrupt)  # a service manager's stop keeps the checkpoint too
        from peephole.cli.verbs import run

        run()
    except KeyboardInterrupt:
        sys.exit(130)
