"""The command line of the lab: build, up, status, target, shell, node, cable, break, mend, down."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import NoReturn

from seatrial_lab import commands
from seatrial_lab.errors import CannotHost, LabError
from seatrial_lab.releases import DEFAULT, RELEASES
from seatrial_lab.topology import SIZES


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and ends with the status for bad input."""

    def error(self, message: str) -> NoReturn:
        """Leave with one clear message."""
        self.exit(3, f"{self.prog}: {message}\n(`{self.prog} --help` shows what is accepted)\n")


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = _Parser(prog="seatrial-lab", description="A real miniature OpenStack cloud on this machine.")
    top.add_argument("--version", action="version", version=f"seatrial-lab {version('seatrial-lab')}")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="COMMAND", parser_class=_Parser)
    build = verbs.add_parser("build", help="make everything that a boot needs, once (about 10 minutes the first time)")
    up = verbs.add_parser("up", help="bring the lab up")
    for either in (build, up):
        either.add_argument("--release", choices=sorted(RELEASES), default=DEFAULT.name, help="of OpenStack")
    up.add_argument("--size", choices=sorted(SIZES), default="core")
    up.add_argument("--kubernetes-only", action="store_true", help="stop before the cloud is deployed")
    verbs.add_parser("status", help="what is up, and in what state")
    document = verbs.add_parser("target", help="print the document that tells a harness how to reach the lab")
    document.add_argument("--file", action="store_true", help="print where the document is instead")
    shell = verbs.add_parser(
        "shell",
        help="open a shell in a pod, or in a machine's network (node-0, compute-0, control, fabric: the switches)",
    )
    shell.add_argument("name")
    shell.add_argument("command", nargs=argparse.REMAINDER, help="run this instead of a shell")
    node = verbs.add_parser("node", help="switch a machine outside the cluster off or on (compute-0, ...)")
    node.add_argument("name")
    node.add_argument("what", choices=("off", "on", "reboot", "reset"), help="reset takes the power away for a moment")
    cable = verbs.add_parser("cable", help="pull a machine's cable to a network, or plug it in again")
    cable.add_argument("name", help="of the machine (node-0, compute-0, ...)")
    cable.add_argument("network", help="ctlplane, internalapi, storage, tenant, external")
    cable.add_argument("what", choices=("pull", "plug"))
    for verb, told in (("break", "put a named deviation into the lab"), ("mend", "take it back")):
        one = verbs.add_parser(verb, help=told)
        one.add_argument("name", nargs="?", help="of the deviation; none lists them")
    verbs.add_parser("down", help="end everything and remove every trace, after a crash too")
    return top


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command; what it may raise on purpose becomes one message and an exit status, never a traceback."""
    asked = parser().parse_args(argv)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        status = commands.run(asked)
        sys.stdout.flush()
    except CannotHost as error:
        print(error, file=sys.stderr)
        status = 3
    except LabError as error:
        print(f"seatrial-lab: {error}", file=sys.stderr)
        status = 1
    except BrokenPipeError:
        # Whoever read along has left; nothing is said any more, not even by Python at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 141
    except KeyboardInterrupt as stop:
        status = 128 + (stop.args[0] if stop.args else signal.SIGINT)
    sys.exit(status)


def _interrupt(number: int, _frame: object) -> None:
    """Whoever ends a command by SIGTERM wants it as orderly as by Ctrl-C."""
    raise KeyboardInterrupt(number)
