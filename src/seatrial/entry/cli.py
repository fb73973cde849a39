"""The command line: arguments in, exit status out; what it does is in ``commands``."""

from __future__ import annotations

import argparse
import logging
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from seatrial.catalogue.document import nearest
from seatrial.engine.plan import SUITES
from seatrial.entry import commands
from seatrial.entry.exit_status import Exit, of_error
from seatrial.entry.refusal import Refused
from seatrial.model.errors import BadInput, HarnessBug, Problem, SeatrialError


class _Parser(argparse.ArgumentParser):
    """Ends with the status for bad input instead of argparse's own, and in the house's words."""

    def error(self, message: str) -> NoReturn:
        """Leave with one clear message."""
        self.exit(Exit.BAD_INPUT, f"{self.prog}: {message}\n(`{self.prog} --help` shows what is accepted)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status (style guide, section 7)."""
    # What libraries log is not for the person at the terminal: everything worth saying is said by a message of ours.
    logging.getLogger().addHandler(logging.NullHandler())
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _known_command(given)
        options = _parser().parse_args(given)
        return int(options.command(options))
    except HarnessBug as bug:
        sys.stderr.write(f"seatrial: this is a mistake in Seatrial itself: {bug}\n{traceback.format_exc()}")
        return Exit.INCONCLUSIVE
    except Refused as refused:
        _tell(refused)
        return refused.refusal.status
    except SeatrialError as error:
        _tell(error)
        return of_error(error)
    except BrokenPipeError:
        sys.stderr.close()
        return Exit.INCONCLUSIVE
    except KeyboardInterrupt:
        sys.stderr.write("seatrial: interrupted\n")
        return Exit.INCONCLUSIVE


def _tell(error: SeatrialError) -> None:
    sys.stderr.write("".join(f"seatrial: {line}\n" for line in str(error).splitlines()))


def _known_command(given: Sequence[str]) -> None:
    word = next((word for word in given if not word.startswith("-")), None)
    known = list(_COMMANDS)
    if word is not None and word not in known and not given[0].startswith("-"):
        raise BadInput([Problem("command", f"unknown command {word!r}", ", ".join(known), nearest(word, known))])


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="seatrial", description="Try an OpenStack control plane on Kubernetes: does it keep its promises?"
    )
    parser.add_argument("--version", action="version", version=f"seatrial {commands.own_version()}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    for name, (description, fill, command) in _COMMANDS.items():
        sub = subparsers.add_parser(name, help=description, description=description)
        fill(sub)
        sub.set_defaults(command=command)
    return parser


def _target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--target", type=Path, required=True, metavar="FILE", help="the deployment (a target file)")


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def _stored(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="a run's folder (reports/<time>-<target>-<suite>)")


def _suite(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "suite", metavar="SUITE", help="; ".join(f"{name}: {suite.about}" for name, suite in SUITES.items())
    )
    parser.add_argument(
        "--requirement", action="append", default=[], metavar="ID", help="only what judges this promise"
    )
    _json(parser)


def _plan(parser: argparse.ArgumentParser) -> None:
    _suite(parser)
    parser.add_argument(
        "--target", type=Path, metavar="FILE", help="also tell whether this deployment's owner grants it"
    )


def _run(parser: argparse.ArgumentParser) -> None:
    _suite(parser)
    _target(parser)
    parser.add_argument("--out", type=Path, default=Path("reports"), metavar="DIR", help="where run folders go")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="seed of every random choice (default: 1)")
    parser.add_argument("--quiet", action="store_true", help="only the result")


def _doctor(parser: argparse.ArgumentParser) -> None:
    _target(parser)
    _json(parser)


def _undo(parser: argparse.ArgumentParser) -> None:
    _stored(parser)
    parser.add_argument(
        "--target", type=Path, metavar="FILE", help="the deployment (default: the run's own target file)"
    )
    parser.add_argument("--quiet", action="store_true", help="only the result")


def _judge(parser: argparse.ArgumentParser) -> None:
    _stored(parser)
    _json(parser)


def _catalogue(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("requirement", nargs="*", metavar="ID", help="only these requirements")
    _json(parser)


_COMMANDS = {
    "plan": ("what would run, and which grant it needs", _plan, commands.plan),
    "doctor": ("can the target be reached and read; what is missing", _doctor, commands.doctor),
    "discover": ("what the deployment consists of", _doctor, commands.inventory),
    "run": ("try a deployment", _run, commands.run),
    "undo": ("take back what a killed run left in the deployment", _undo, commands.undo),
    "judge": ("judge a stored run again, offline", _judge, commands.judge),
    "report": ("write the reports of a stored run again", _stored, commands.report),
    "catalogue": ("requirements with their sources, faults, suites and tags", _catalogue, commands.catalogue),
}


if __name__ == "__main__":
    sys.exit(main())
