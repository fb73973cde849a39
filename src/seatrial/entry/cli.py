"""The command line: arguments in, exit status out; what it does is in ``commands``."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from seatrial.catalogue.document import nearest
from seatrial.engine.plan import SUITES
from seatrial.entry import commands, crash, listener, rbac, trial_lease
from seatrial.entry.exit_status import Exit, of_error
from seatrial.entry.refusal import Refused
from seatrial.journal.sieve import shown
from seatrial.model.errors import BadInput, HarnessBug, Problem, SeatrialError

_DEBUG = "--debug"


class _Parser(argparse.ArgumentParser):
    """Ends with the status for bad input instead of argparse's own, in the house's words, and knows its own flags."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.flags: list[str] = []
        super().__init__(*args, **{**kwargs, "allow_abbrev": False})

    def add_argument(self, *names: Any, **kwargs: Any) -> argparse.Action:
        """Add an argument, and remember what it is called."""
        self.flags += [name for name in names if name.startswith("--")]
        return super().add_argument(*names, **kwargs)

    def error(self, message: str) -> NoReturn:
        """Leave with one clear message."""
        self.exit(Exit.BAD_INPUT, f"{self.prog}: {message}\n(`{self.prog} --help` shows what is accepted)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status (style guide, section 7)."""
    # What libraries log is not for the person at the terminal: everything worth saying is said by a message of ours.
    logging.getLogger().addHandler(logging.NullHandler())
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        options = _read(given)
        return int(options.command(options))
    except HarnessBug as bug:
        crash.told(bug, debug=_DEBUG in given)
        return of_error(bug)
    except Refused as refused:
        _tell(refused)
        return refused.refusal.status
    except SeatrialError as error:
        _tell(error)
        return of_error(error)
    except KeyboardInterrupt:
        sys.stderr.write("seatrial: interrupted\n")
        return Exit.INCONCLUSIVE
    except Exception as error:  # the outermost boundary: a mistake of ours must not look like a verdict
        crash.told(error, debug=_DEBUG in given)
        return Exit.INTERNAL


def program() -> None:
    """Be the program `seatrial`: one command, its status, and no word about who stops reading."""
    listener.bear_with_leaving()
    status = main()
    sys.stdout.flush()
    sys.exit(status)


def _tell(error: SeatrialError) -> None:
    sys.stderr.write("".join(f"seatrial: {line}\n" for line in shown(str(error)).splitlines()))


def _read(given: Sequence[str]) -> argparse.Namespace:
    """Return the options; raises BadInput with every word that is not understood, and what is missing."""
    word = next((word for word in given if not word.startswith("-")), None)
    known = list(_COMMANDS)
    if word is not None and word not in known:
        raise BadInput([Problem("command", f"unknown command {word!r}", ", ".join(known), nearest(word, known))])
    options, strange = _parser().parse_known_args(given)
    own: _Parser = options.parser
    flags = [word.partition("=")[0] for word in strange if word.startswith("-") and word != "--"]
    problems = [Problem("option", flag, ", ".join(own.flags), nearest(flag, own.flags)) for flag in flags]
    if strange and not flags:
        problems.append(Problem("arguments", " ".join(strange), f"no more than `seatrial {word} --help` shows"))
    if options.needs_target and options.target is None:
        problems.append(Problem("--target", "nothing", "--target FILE: the deployment (a target file)"))
    if problems:
        raise BadInput(problems)
    return options


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="seatrial", description="Try an OpenStack control plane on Kubernetes: does it keep its promises?"
    )
    parser.add_argument("--version", action="version", version=f"seatrial {commands.own_version()}")
    _everywhere(parser, False)
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    for name, (description, fill, command) in _COMMANDS.items():
        sub = subparsers.add_parser(name, help=description, description=description)
        sub.set_defaults(command=command, parser=sub, needs_target=False)
        fill(sub)
        _everywhere(sub, argparse.SUPPRESS)
    return parser


def _everywhere(parser: argparse.ArgumentParser, default: object) -> None:
    """Add what may stand before the command as well as after it."""
    parser.add_argument("--json", action="store_true", default=default, help="print the result as JSON")
    parser.add_argument(_DEBUG, action="store_true", default=default, help="show tracebacks of Seatrial's own mistakes")


def _target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--target", type=Path, metavar="FILE", help="the deployment (a target file)")
    parser.set_defaults(needs_target=True)


def _stored(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="a run's folder (reports/<time>-<target>-<suite>)")


def _suite(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "suite", metavar="SUITE", help="; ".join(f"{name}: {suite.about}" for name, suite in SUITES.items())
    )
    parser.add_argument(
        "--requirement",
        action="append",
        default=[],
        type=str.upper,
        metavar="ID",
        help="only what judges this promise",
    )


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


def _undo(parser: argparse.ArgumentParser) -> None:
    _stored(parser)
    parser.add_argument(
        "--target", type=Path, metavar="FILE", help="the deployment (default: the run's own target file)"
    )
    parser.add_argument("--quiet", action="store_true", help="only the result")


def _catalogue(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("requirement", nargs="*", type=str.upper, metavar="ID", help="only these requirements")


_COMMANDS = {
    "plan": ("what would run, and which grant it needs", _plan, commands.plan),
    "doctor": ("can the target be reached and read; what is missing", _target, commands.doctor),
    "discover": ("what the deployment consists of", _target, commands.inventory),
    "run": ("try a deployment", _run, commands.run),
    "status": ("is a trial going on, and whose", _target, trial_lease.status),
    "stop": ("end the trial that is going on, with everything taken back", _target, trial_lease.stop),
    "undo": ("take back what a killed run left in the deployment", _undo, commands.undo),
    "rbac": ("the account that a grant needs on the platform, to apply", rbac.arguments, rbac.command),
    "judge": ("judge a stored run again, offline", _stored, commands.judge),
    "report": ("write the reports of a stored run again", _stored, commands.report),
    "catalogue": ("requirements with their sources, faults, suites and tags", _catalogue, commands.catalogue),
}


if __name__ == "__main__":
    program()
