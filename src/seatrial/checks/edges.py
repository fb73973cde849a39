"""The ruling on one edge of the census, against the architecture; the map of connections shows the same ruling.

Source: architecture document, "An Example: OpenStack Nova" and "Other OpenStack User-Facing Services" (services reach
each other by public API over HTTP alone), "Internal Services of OpenStack Clusters" (database, broker and cache may be
shared), "Child Operators of the OpenStack Add-On Operator" (no service depends on an operator).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from seatrial.checks.reading import mapping, text
from seatrial.model.inventory import Role
from seatrial.model.observation import Json

INFRASTRUCTURE: Mapping[str, frozenset[str]] = {
    "galera": frozenset({"mysql"}),
    "rabbitmq": frozenset({"amqp", "http"}),
    "memcached": frozenset({"memcached", "tls"}),
    "redis": frozenset({"redis", "tls", "unknown"}),
    "ovn": frozenset({"ovsdb", "tls", "http", "unknown"}),
    "dnsmasq": frozenset({"dns", "unknown"}),
}
"""Shared services, and the protocols in which their clients may speak to them."""
_AMONG_MEMBERS = frozenset({"galera", "erlang"})
"""Protocols by which members of a cluster talk; a client that speaks them has joined the cluster."""
_FROM_OUTSIDE = frozenset({"rabbitmq", "ovn", "dnsmasq"})
"""Infrastructure that compute nodes must reach (MSG-3, OVN-1)."""
HARNESS, OPERATOR, OUTSIDE, NODE, PLATFORM, UNKNOWN = "harness", "operator", "outside", "node", "platform", "unknown"
_NOT_SERVICES = frozenset({HARNESS, OPERATOR, OUTSIDE, NODE, PLATFORM, UNKNOWN, "openstackclient", "", *INFRASTRUCTURE})


class Ruling(StrEnum):
    """What the architecture says of an edge."""

    ALLOWED = "allowed"
    FORBIDDEN = "forbidden"
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True)
class EdgeRuling:
    """A ruling, and the rule that gave it."""

    ruling: Ruling
    rule: str


def user_facing(service: str) -> bool:
    """Tell whether a name is that of an OpenStack service with users of its own."""
    return service not in _NOT_SERVICES


def classify(edge: Mapping[str, Json]) -> EdgeRuling:
    """Return the ruling on one edge of a ``census`` observation."""
    caller, server = mapping(edge["from"]), mapping(edge["to"])
    source, goal = text(caller["service"]), text(server["service"])
    protocol = text(edge["protocol"])
    for test in (_bystanders, _operators, _strangers):
        ruling = test(source, goal)
        if ruling is not None:
            return ruling
    if source == goal:
        return _allowed("inside one service")
    if goal in INFRASTRUCTURE:
        return _infrastructure(source, goal, protocol)
    if server.get("role") != Role.API.value:
        return _forbidden(f"{goal}'s {server['component']} is no API: nobody else may connect to it")
    return _api(goal, protocol)


def _api(goal: str, protocol: str) -> EdgeRuling:
    if protocol == "http":
        return _allowed("the service's API, over HTTP")
    if protocol in ("unknown", "tls"):
        return _unproven("an API whose protocol was not proven")
    return _forbidden(f"{goal}'s API spoken to by {protocol}, not HTTP")


def _bystanders(source: str, goal: str) -> EdgeRuling | None:
    if HARNESS in (source, goal):
        return _allowed("the harness itself")
    if source == NODE:
        return _allowed("the platform's probes, or outside clients that it shows under a node's address")
    if source == PLATFORM or goal in (PLATFORM, NODE):
        return _allowed("the platform's own services")
    if goal == OUTSIDE:
        return _allowed("leaves the deployment")
    return None


def _operators(source: str, goal: str) -> EdgeRuling | None:
    if source == OPERATOR:
        return _allowed("operators manage")
    if goal == OPERATOR:
        if source == OUTSIDE:
            return _allowed("an operator's own endpoint")
        return _forbidden("a service calls an operator: it must go on without it")
    return None


def _strangers(source: str, goal: str) -> EdgeRuling | None:
    if source in (UNKNOWN, "") or goal in (UNKNOWN, ""):
        return _unproven("one end could not be named")
    return None


def _infrastructure(source: str, goal: str, protocol: str) -> EdgeRuling:
    if source == OUTSIDE and goal not in _FROM_OUTSIDE:
        return _forbidden(f"{goal} is reached from outside the deployment")
    if protocol in INFRASTRUCTURE[goal]:
        return _allowed("shared infrastructure, in its own protocol")
    if protocol in _AMONG_MEMBERS:
        return _forbidden(f"{source} speaks {protocol}, which is for members of {goal} alone")
    if protocol in ("unknown", "tls"):
        return _unproven(f"{goal}'s listener did not prove its protocol")
    return _forbidden(
        f"{source} speaks {protocol} to {goal}, whose clients speak {' or '.join(sorted(_clients(goal)))}"
    )


def _clients(goal: str) -> frozenset[str]:
    return INFRASTRUCTURE[goal] - {"unknown", "tls"}


def _allowed(rule: str) -> EdgeRuling:
    return EdgeRuling(Ruling.ALLOWED, rule)


def _forbidden(rule: str) -> EdgeRuling:
    return EdgeRuling(Ruling.FORBIDDEN, rule)


def _unproven(rule: str) -> EdgeRuling:
    return EdgeRuling(Ruling.UNPROVEN, rule)
