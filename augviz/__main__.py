"""`python -m augviz`."""

import sys

from augviz import cli_ending


def run() -> int:
    """Load the commands, and run one."""
    cli_ending.let_interruptions_end_it()
    from augviz.cli import main

    return main()


sys.exit(run())
