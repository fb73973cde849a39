"""First contact with a deployment: is it there, is it what the target says, what may be read. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from seatrial import waiting
from seatrial.clients.deployment import Deployment
from seatrial.engine import rights
from seatrial.engine.belonging import belonging
from seatrial.engine.limits import lacking_grant
from seatrial.model.errors import BadInput, NotPermitted, Problem, SeatrialError, Unreachable
from seatrial.model.target import Grant, Target

CONTROL_PLANE = "OpenStackControlPlane"


class State(StrEnum):
    """How one examination ended."""

    OK = "ok"
    LIMITED = "limited"
    """The trial can run; what needs this will be *inconclusive*."""
    UNREACHABLE = "unreachable"
    WRONG = "wrong"
    """What the target says is not so: its writer must act."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one examination of the target found."""

    what: str
    state: State
    message: str
    problem: Problem | None = None


def examine(deployment: Deployment, needed: Grant) -> Iterator[Finding]:
    """Yield what is found out about a target; stops at the first step that makes the next ones pointless."""
    target = deployment.target
    lacking = lacking_grant(target, needed)
    if lacking is not None:
        problem = Problem("grant", target.grant.value, needed.value)
        yield Finding("grant", State.WRONG, lacking, problem)
    else:
        yield Finding("grant", State.OK, f"{target.grant.value} (needed: {needed.value})")
    platform = _platform(deployment)
    yield platform
    if platform.state is not State.OK:
        yield _cloud(deployment)
        return
    for finding in (_namespace(deployment, "control_plane"), _namespace(deployment, "operators")):
        yield finding
        if finding.state is State.WRONG:
            return
    yield _control_plane(deployment)
    yield from _permissions(deployment, needed)
    cloud = _cloud(deployment)
    yield cloud
    if cloud.state is State.OK or needed.includes(Grant.MUTATE):
        yield _belonging(deployment, needed)


def require(deployment: Deployment, needed: Grant) -> tuple[Finding, ...]:
    """Examine the target and return the findings if a trial can run; else raise what keeps it from running.

    Raises BadInput with everything that is wrong with the target, or Unreachable when the platform can't be seen.
    A cloud API that does not answer does not stop a trial that only observes: what depends on it is *inconclusive*. One
    that changes something must know that cloud and platform belong together.
    """
    findings = tuple(examine(deployment, needed))
    problems = [finding.problem for finding in findings if finding.problem is not None]
    if problems:
        raise BadInput(problems)
    unreachable = [finding.message for finding in findings if finding.state is State.UNREACHABLE]
    if unreachable:
        raise Unreachable("; ".join(unreachable))
    return findings


def _platform(deployment: Deployment) -> Finding:
    target = deployment.target
    where = f"kubernetes: {target.kubernetes}"
    try:
        # A question about ourselves: every account that the platform accepts may ask it, whatever else it may do.
        deployment.kube.can_i("list", "pods", target.namespaces.control_plane)
    except NotPermitted as error:
        problem = Problem(where, str(error), "credentials that the platform accepts")
        return Finding("platform", State.WRONG, str(error), problem)
    except Unreachable as error:
        return Finding("platform", State.UNREACHABLE, str(error))
    return Finding("platform", State.OK, "the platform's API answers and accepts the credentials")


def _namespace(deployment: Deployment, key: str) -> Finding:
    target = deployment.target
    name = target.namespaces.control_plane if key == "control_plane" else target.namespaces.operators
    what = f"namespace {name}"
    try:
        if deployment.kube.get("Namespace", name) is not None:
            return Finding(what, State.OK, "exists")
    except SeatrialError as error:
        return Finding(what, State.LIMITED, f"could not be looked for: {error}")
    known: list[str] = []
    with suppress(NotPermitted, Unreachable):  # then nobody can say which there are
        known = [str(entry["metadata"]["name"]) for entry in deployment.kube.list("Namespace")]
    near = get_close_matches(name, known, n=1)
    accepted = "a namespace of the platform" + (f" ({', '.join(known)})" if known else "")
    problem = Problem(f"namespaces.{key}", f"no namespace {name!r}", accepted, near[0] if near else None)
    return Finding(what, State.WRONG, str(problem), problem)


def _control_plane(deployment: Deployment) -> Finding:
    target = deployment.target
    namespace = target.namespaces.control_plane
    accepted = f"a cluster with an {CONTROL_PLANE} in namespace {namespace!r}"
    where = f"kubernetes: {target.kubernetes}"
    try:
        served = any(kind.name == CONTROL_PLANE for kind in deployment.kube.kinds())
        if not served:
            problem = Problem(where, f"a cluster that is no OpenStack (it serves no kind {CONTROL_PLANE})", accepted)
            return Finding("control plane", State.WRONG, str(problem), problem)
        found = [str(entry["metadata"]["name"]) for entry in deployment.kube.list(CONTROL_PLANE, namespace=namespace)]
    except NotPermitted as error:
        return Finding("control plane", State.LIMITED, f"may not be read: {error}")
    except Unreachable as error:
        return Finding("control plane", State.UNREACHABLE, f"could not be read: {error}")
    if not found:
        problem = Problem("namespaces.control_plane", f"no {CONTROL_PLANE} in namespace {namespace!r}", accepted)
        return Finding("control plane", State.WRONG, str(problem), problem)
    return Finding("control plane", State.OK, ", ".join(found))


def _permissions(deployment: Deployment, needed: Grant) -> Iterator[Finding]:
    for need in rights.needs(needed):
        what = f"may {need.what}"
        try:
            lacking = rights.lacking_of_need(deployment, need)
        except SeatrialError as error:
            yield Finding(what, State.LIMITED, f"could not be asked: {error}")
            continue
        message = f"no: not permitted to {rights.told(lacking, deployment.target)}; {need.without}"
        yield Finding(what, State.LIMITED, message) if lacking else Finding(what, State.OK, "yes")


def _belonging(deployment: Deployment, needed: Grant) -> Finding:
    """Tell whether the cloud is the platform's own; whoever changes something has to know."""
    target, what = deployment.target, "cloud and platform are one deployment"
    changes = needed.includes(Grant.MUTATE)
    # A service that has just lost a member of its database refuses a request or two: no reason to turn a trial away.
    patience_s = waiting.seconds(target.budgets, "proof") if changes else 0.0
    try:
        found = waiting.persist(lambda: belonging(deployment), (Unreachable,), within_s=patience_s)
    except SeatrialError as error:
        message = f"could not be told: {error}"
        return Finding(what, State.UNREACHABLE if changes else State.LIMITED, message)
    if found.shown:
        return Finding(what, State.OK, found.how)
    if not changes:
        return Finding(what, State.LIMITED, found.how)
    where = f"{target.cloud} and {target.kubernetes}"
    accepted = "the cloud and the platform of one deployment, where something is to be changed"
    problem = Problem(where, found.how, accepted)
    return Finding(what, State.WRONG, str(problem), problem)


def _cloud(deployment: Deployment) -> Finding:
    target: Target = deployment.target
    where = str(target.cloud)
    try:
        deployment.openstack.token()
    except NotPermitted as error:
        problem = Problem(where, str(error), "credentials (user, password, project) that the cloud accepts")
        return Finding("cloud", State.WRONG, str(error), problem)
    except Unreachable as error:
        return Finding("cloud", State.LIMITED, f"{error}; what needs it is inconclusive")
    return Finding("cloud", State.OK, f"{deployment.openstack.public_url} gives a token")
