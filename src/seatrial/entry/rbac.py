"""``seatrial rbac``: the account that a grant needs on the platform, as a document to apply."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from seatrial.catalogue.document import nearest
from seatrial.entry.exit_status import Exit
from seatrial.entry.target import load_target
from seatrial.model.errors import BadInput, Problem
from seatrial.model.target import Grant, Namespaces

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,51}[a-z0-9])?")


def arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("--grant", required=True, metavar="GRANT", help="observe, mutate or disrupt")
    parser.add_argument("--target", type=Path, metavar="FILE", help="a target file that names the namespaces")
    parser.add_argument("--namespace", metavar="NAME", help="of the control plane (default: openstack)")
    parser.add_argument("--operators", metavar="NAME", help="namespace of the operators (default: openstack-operators)")
    parser.add_argument("--name", default="seatrial", metavar="NAME", help="of the account (default: seatrial)")


def command(options: Namespace) -> int:
    """Print ServiceAccount, Roles and bindings; contacts nothing."""
    grants = [grant.value for grant in Grant]
    given = {"--namespace": options.namespace, "--operators": options.operators, "--name": options.name}
    problems = [
        Problem(option, repr(name), "a name of lower-case letters, digits and dashes, at most 53")
        for option, name in given.items()
        if name is not None and not _NAME.fullmatch(name)
    ]
    if options.grant not in grants:
        problems.append(Problem("--grant", repr(options.grant), ", ".join(grants), nearest(options.grant, grants)))
    if options.target is not None and (options.namespace or options.operators):
        problems.append(Problem("--target", "a target, and namespaces beside it", "one of them"))
    if problems:
        raise BadInput(problems)
    from seatrial.engine.rbac import document  # noqa: PLC0415  (loads the faults, whose rights it lists)

    names = Namespaces()
    if options.target is not None:
        names = load_target(options.target).namespaces
    elif options.namespace or options.operators:
        names = Namespaces(options.namespace or names.control_plane, options.operators or names.operators)
    sys.stdout.write(document(Grant(options.grant), names, name=options.name))
    return Exit.CONFORMS
