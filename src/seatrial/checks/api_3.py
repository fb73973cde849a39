"""API-3: every service uses Keystone.

Three views: the catalogue, the service users, and what each ready instance of each API and its Services answer to
somebody without a token and with a made-up one, and its public address to somebody without one and with a valid one.

Not seen: what a valid token may do (policy); whether each instance alone lets a valid token in (no pod is shown one:
the public address answers for all); APIs whose protected page the probe does not know, which it names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from http import HTTPStatus

from seatrial.checks.edges import user_facing
from seatrial.checks.reading import items, mapping, mappings, text, whole
from seatrial.checks.weighing import Weighing, listed
from seatrial.model.inventory import Component, Inventory, Replica, Resource, Role
from seatrial.model.observation import Evidence, Json, Observation
from seatrial.model.verdict import Verdict

_IDENTITY = "identity"
NOTHING, MADE_UP, VALID = "nothing", "a made-up token", "a valid token"
"""What somebody who asks may show."""


def check(evidence: Evidence) -> Verdict:
    """Judge API-3."""
    weighing = Weighing(evidence)
    weighing.blind(*evidence.blind("keystone.catalog", "keystone.answer"))
    apis = [c for c in evidence.inventory.of_role(Role.API) if user_facing(c.service)]
    if not apis:
        weighing.doubt("discovery found no API of any service")
    weighing.gaps(evidence.inventory, "Service", "EndpointSlice", "KeystoneService")
    catalogs = [o for o in evidence.of("keystone.catalog") if o.seen]
    if not catalogs:
        weighing.doubt("the catalogue was not read")
    for catalog in catalogs[-1:]:
        _judge_catalog(catalog, weighing, evidence.inventory, sorted({c.service for c in apis}))
    asked = _judge_answers(evidence, weighing)
    _judge_coverage(weighing, apis, asked)
    pods = sum(1 for subject in asked if subject.startswith("pod/"))
    return weighing.verdict(
        f"every service ({listed(sorted({c.service for c in apis}))}) stands in the catalogue, all {pods} API "
        "instances answer 401 to whoever has no valid token, and each service lets a valid one in (asked at its "
        "public address: no pod is shown one)"
    )


def _judge_catalog(catalog: Observation, weighing: Weighing, inventory: Inventory, services: list[str]) -> None:
    value = mapping(catalog.value)
    entries = {text(e["type"]): e for e in mappings(value["services"])}
    names = {text(e["name"]) for e in mappings(value["services"])}
    users = {text(u) for u in items(value["service_users"])}
    weighing.saw(catalog)
    registered = [r for r in inventory.of_kind("KeystoneService") if r.spec.get("enabled", True)]
    for resource in registered:
        _judge_registration(resource, set(entries), users, weighing=weighing, catalog=catalog)
    for service in services:
        types = {str(r.spec.get("serviceType")) for r in registered if _service(r) == service}
        present = _IDENTITY in entries if service == "keystone" else bool(types & set(entries)) or service in names
        if not present:
            weighing.bad(f"service/{service}", f"{service} does not stand in the catalogue", catalog)
    for kind, entry in entries.items():
        if not items(entry["endpoints"]):
            weighing.bad(f"catalog/{kind}", f"catalogue entry {kind} has no endpoint", catalog)


def _judge_registration(
    resource: Resource, types: set[str], users: set[str], *, weighing: Weighing, catalog: Observation
) -> None:
    wanted, user = str(resource.spec.get("serviceType", "")), str(resource.spec.get("serviceUser", ""))
    if wanted and wanted not in types:
        weighing.bad(resource.subject, f"{resource.subject} asks for {wanted}, which the catalogue lacks", catalog)
    elif user and user not in users:
        weighing.bad(resource.subject, f"{resource.subject} names service user {user}, who does not exist", catalog)
    else:
        weighing.good(resource.subject, catalog)


def _service(resource: Resource) -> str:
    """Return the service that a KeystoneService registers, by the API that owns it."""
    for owner in resource.owners:
        if owner.kind.endswith("API"):
            return owner.kind.removesuffix("API").lower()
    return str(resource.spec.get("serviceName", resource.name))


def _judge_answers(evidence: Evidence, weighing: Weighing) -> Mapping[str, set[str]]:
    """Judge every answer; returns for each subject, and each service, what it was asked with."""
    asked: dict[str, set[str]] = defaultdict(set)
    open_doors: list[Observation] = []
    for answer in (o for o in evidence.of("keystone.answer") if o.seen):
        value = mapping(answer.value)
        status, shown = whole(value["status"]), _shown(value)
        asked[answer.subject].add(shown)
        asked[text(value["service"])].add(shown)
        if shown == VALID:
            _judge_with(answer, status, weighing)
        elif status < HTTPStatus.MULTIPLE_CHOICES:
            open_doors.append(answer)
        else:
            _judge_without(answer, status, weighing)
    # A Service lets somebody in because an instance behind it does; where the instance is known, it is the culprit.
    instances = [door for door in open_doors if mapping(door.value)["via"] == "pod"]
    weighing.saw(*open_doors)
    for door in instances or open_doors:
        value = mapping(door.value)
        why = f"{door.subject} answers {value['status']} to {value['url']} with {_shown(value)}"
        weighing.bad(door.subject, why, door)
    return asked


def _shown(value: Mapping[str, Json]) -> str:
    """Return what the one who asked showed; runs of version 0.1 say only whether it was a (valid) token."""
    return text(value["shown"]) if "shown" in value else VALID if value["with_token"] else NOTHING


def _judge_without(answer: Observation, status: int, weighing: Weighing) -> None:
    value = mapping(answer.value)
    if status == HTTPStatus.UNAUTHORIZED:
        weighing.good(answer.subject, answer)
    else:
        weighing.doubt(f"{answer.subject} answers {status}, not 401, to {value['url']} with {_shown(value)}", answer)


def _judge_with(answer: Observation, status: int, weighing: Weighing) -> None:
    url = mapping(answer.value)["url"]
    if status < HTTPStatus.MULTIPLE_CHOICES:
        weighing.good(answer.subject, answer)
    elif status == HTTPStatus.UNAUTHORIZED:
        weighing.bad(answer.subject, f"{answer.subject} refuses a valid token at {url}", answer)
    else:
        weighing.doubt(f"{answer.subject} answers {status} to {url} with a valid token", answer)


def _judge_coverage(weighing: Weighing, apis: list[Component], asked: Mapping[str, set[str]]) -> None:
    replicas = [replica.subject for component in apis for replica in _serving(component)]
    missing = [s for s in replicas if NOTHING not in asked.get(s, ()) or not {MADE_UP, VALID} & asked.get(s, set())]
    if missing:
        weighing.doubt(f"not asked both without a token and with one: {listed(missing)}")
    closed = [name for name in sorted({c.service for c in apis}) if VALID not in asked.get(name, ())]
    if closed:
        weighing.doubt(f"shown no valid token at a public address: {listed(closed)}")


def _serving(component: Component) -> list[Replica]:
    return [r for r in component.replicas if r.ready]
