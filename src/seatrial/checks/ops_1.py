"""OPS-1: one meta-operator manages one child operator for each user-facing and infrastructure service.

The owners of every operator's Deployment, read anew; what the meta-operator counts; and the services that discovery
found. The *init* operator is owned by whoever installed it (OLM in RHOSO; architecture: none) and is a declared
exception, known by its label.

Not seen: operators outside the operators' namespace; operators without the label ``openstack.org/operator-name``;
whether an operator does its work (OPS-2).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from seatrial.checks.edges import HARNESS
from seatrial.checks.reading import mapping, mappings, text, whole
from seatrial.checks.weighing import Weighing
from seatrial.model.inventory import Inventory, Role
from seatrial.model.observation import Evidence, Json, Observation
from seatrial.model.verdict import Verdict

INIT = "openstack-init"
_META_KIND = "OpenStack"
_OPERATOR_OF: Mapping[str, tuple[str, ...]] = {
    "galera": ("mariadb",),
    "rabbitmq": ("infra", "rabbitmq-cluster"),
    "memcached": ("infra",),
    "redis": ("infra",),
    "dnsmasq": ("infra",),
    "openstackclient": ("openstack",),
    "placement": ("placement", "nova"),
    "ceilometer": ("telemetry",),
}
"""Services whose operator has another name; placement moved into nova's operator (rhoso-topology, fact 3)."""


def check(evidence: Evidence) -> Verdict:
    """Judge OPS-1."""
    weighing = Weighing(evidence)
    weighing.gaps(evidence.inventory)
    weighing.blind(*evidence.blind("resource.operators"))
    looks = [o for o in evidence.of("resource.operators") if o.seen]
    if not looks:
        weighing.doubt("nobody read who owns the operators")
        return weighing.verdict("")
    look = looks[-1]
    value = mapping(look.value)
    operators = mappings(value["operators"])
    if not operators:
        weighing.doubt("no operator was found", look)
    for operator in operators:
        _judge_owner(operator, look, weighing)
    _judge_meta(mappings(value["metas"]), operators, look, weighing)
    services = _services(evidence.inventory)
    _judge_coverage(services, operators, look, weighing)
    children = [o for o in operators if o["name"] != INIT]
    return weighing.verdict(
        f"one meta-operator owns all {len(children)} operators, and each service ({', '.join(services)}) has its own"
    )


def _judge_owner(operator: Mapping[str, Json], look: Observation, weighing: Weighing) -> None:
    subject, owners = text(operator["subject"]), mappings(operator["owners"])
    if operator["name"] == INIT:
        return
    if not owners:
        weighing.bad(subject, f"{subject} (operator {operator['name']}) has no owner", look)
    elif owners[-1]["kind"] != _META_KIND or not owners[-1]["exists"]:
        top = f"{owners[-1]['kind']}/{owners[-1]['name']}"
        weighing.bad(
            subject, f"{subject} (operator {operator['name']}) belongs to {top}, not to the meta-operator", look
        )
    else:
        weighing.good(subject, look)


def _judge_meta(
    metas: list[Mapping[str, Json]], operators: list[Mapping[str, Json]], look: Observation, weighing: Weighing
) -> None:
    if not metas:
        weighing.doubt("there is no OpenStack resource, which the meta-operator manages its children by", look)
    for extra in metas[1:]:
        weighing.bad(text(extra["subject"]), f"{extra['subject']} is a second OpenStack resource", look)
    for meta in metas[:1]:
        subject, counts = text(meta["subject"]), mapping(meta["counts"])
        enabled, deployed = counts.get("enabledOperatorCount"), counts.get("deployedOperatorCount")
        owned = sum(1 for o in operators if o["name"] != INIT and mappings(o["owners"]) and whole(o["desired"]) > 0)
        if enabled is None or deployed is None:
            weighing.doubt(f"{subject} does not count its operators", look)
        elif enabled != deployed:
            weighing.bad(subject, f"{subject} has {deployed} of {enabled} enabled operators deployed", look)
        elif whole(deployed) != owned:
            weighing.bad(subject, f"{subject} counts {deployed} operators, {owned} are there", look)
        else:
            weighing.good(subject, look)
    names = Counter(text(o["name"]) for o in operators)
    for name, times in names.items():
        if times > 1:
            subjects = [text(o["subject"]) for o in operators if o["name"] == name]
            weighing.bad(subjects[-1], f"there are {times} operators named {name}: {', '.join(subjects)}", look)


def _services(inventory: Inventory) -> list[str]:
    """Return the services that operators deployed: those whose components have an owner."""
    return sorted(
        {
            c.service
            for c in inventory.components
            if c.owners and c.service and c.service not in (HARNESS, "operator") and c.role is not Role.JOB
        }
    )


def _judge_coverage(
    services: list[str], operators: list[Mapping[str, Json]], look: Observation, weighing: Weighing
) -> None:
    if not services:
        weighing.doubt("discovery found no service that an operator deployed", look)
    names = {text(o["name"]) for o in operators}
    for service in services:
        wanted = _OPERATOR_OF.get(service, (service,))
        if not names & set(wanted):
            weighing.bad(f"service/{service}", f"{service} has no operator ({' or '.join(wanted)})", look)
