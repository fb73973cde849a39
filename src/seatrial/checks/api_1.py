"""API-1: a service reaches another service only through that service's public API, over HTTP.

Two views: the census of sockets (who connects to what, in which protocol) and the database's own process list (with
whose account). Using shared infrastructure with one's own account is allowed.

Not seen: calls that were reset or that nobody answered; what travels inside AMQP (who consumes whose queue); pods that
ran only between two samples and left no trace; database sessions shorter than the time between two looks.
"""

from __future__ import annotations

from collections.abc import Mapping

from seatrial.checks import edges
from seatrial.checks.edges import Ruling
from seatrial.checks.reading import items, mapping, mappings, text
from seatrial.checks.weighing import Weighing
from seatrial.model.inventory import Inventory
from seatrial.model.observation import Evidence, Json, Observation
from seatrial.model.verdict import Verdict


def check(evidence: Evidence) -> Verdict:
    """Judge API-1."""
    weighing = Weighing(evidence)
    weighing.gaps(evidence.inventory, "Service")
    censuses = [o for o in evidence.of("census") if o.seen]
    weighing.blind(*evidence.blind("census", "galera.sessions"))
    if not censuses:
        weighing.doubt("no census of connections was taken")
    owners = _services(evidence.inventory, censuses)
    accounted = _sessions(evidence, weighing, owners)
    for census in censuses:
        _judge_edges(census, weighing, accounted)
        _judge_coverage(census, weighing, owners)
    watched = sum(float(str(mapping(c.value)["watched_s"])) for c in censuses)
    return weighing.verdict(
        f"in {watched:.0f} s of watching, services reached each other by their APIs over HTTP alone, shared "
        "infrastructure in its own protocols, and every database session used an account of its own service"
    )


def _services(inventory: Inventory, censuses: list[Observation]) -> dict[str, str]:
    """Return the service of every pod, as discovery knows it now or as the census knew it then."""
    found: dict[str, str] = {}
    for census in censuses:
        value = mapping(census.value)
        sides = [
            *mappings(value["listeners"]),
            *(mapping(e[k]) for e in mappings(value["edges"]) for k in ("from", "to")),
        ]
        found.update({text(side["subject"]): text(side["service"]) for side in sides if side.get("subject")})
    found.update({replica.subject: component.service for component, replica in inventory.replicas()})
    for operator in inventory.operators:
        found.update({replica.subject: edges.OPERATOR for replica in operator.component.replicas})
    return found


def _judge_edges(census: Observation, weighing: Weighing, accounted: set[str] | None) -> None:
    listed = mappings(mapping(census.value)["edges"])
    if not listed:
        weighing.doubt("the census saw no connection at all", census)
    for edge in listed:
        caller, server = mapping(edge["from"]), mapping(edge["to"])
        source, goal = text(caller["service"]), text(server["service"])
        if not (edges.user_facing(source) or source in (edges.UNKNOWN, "")) or goal == edges.OPERATOR:
            # What infrastructure, operators and the outside do is governed by other promises.
            continue
        ruling = edges.classify(edge)
        who = _subject(caller)
        told = f"{who} ({source}) -> {goal} {server['component']} port {edge['port']} by {edge['protocol']}"
        if ruling.ruling is Ruling.FORBIDDEN:
            weighing.bad(who, f"{told}: {ruling.rule}", census)
        elif ruling.ruling is Ruling.UNPROVEN:
            weighing.doubt(f"{told}: {ruling.rule}", census)
        elif goal == "galera" and accounted is not None and who not in accounted:
            weighing.doubt(f"{who} connects to the database, but no look saw with which account", census)
        else:
            weighing.good(who, census)


def _judge_coverage(census: Observation, weighing: Weighing, owners: Mapping[str, str]) -> None:
    for entry in mappings(mapping(census.value)["unread"]):
        subject = text(entry["subject"])
        service = owners.get(subject, edges.UNKNOWN)
        if edges.user_facing(service) or service in (edges.UNKNOWN, ""):
            weighing.doubt(f"the sockets of {subject} could not be read: {entry['why']}", census)
    for read in items(mapping(census.value)["read"]):
        if edges.user_facing(owners.get(text(read), edges.UNKNOWN)):
            weighing.good(text(read), census)


def _sessions(evidence: Evidence, weighing: Weighing, owners: Mapping[str, str]) -> set[str] | None:
    """Judge the database's own list of clients; returns the pods that it accounts for, None without a database."""
    if not evidence.inventory.of_service("galera"):
        return None
    looks = [o for o in evidence.of("galera.sessions") if o.seen]
    if not looks:
        weighing.doubt("nobody looked at the database's own list of sessions")
    accounted: set[str] = set()
    for look in looks:
        value = mapping(look.value)
        accounts = mapping(value["accounts"])
        for session in mappings(value["sessions"]):
            peer = session.get("peer")
            if peer is None:
                continue
            accounted.add(text(peer))
            _judge_session(look, session, accounts, weighing=weighing, owners=owners)
    return accounted


def _judge_session(
    look: Observation,
    session: Mapping[str, Json],
    accounts: Mapping[str, Json],
    *,
    weighing: Weighing,
    owners: Mapping[str, str],
) -> None:
    peer, user = text(session["peer"]), text(session["user"])
    service = owners.get(peer, edges.UNKNOWN)
    if not edges.user_facing(service) and service not in (edges.UNKNOWN, ""):
        return
    owner = text(mapping(accounts[user])["service"]) if user in accounts else ""
    if owner and owner == service:
        weighing.good(peer, look)
    elif owner and service not in (edges.UNKNOWN, ""):
        where = f" in schema {session['db']}" if session.get("db") else ""
        weighing.bad(peer, f"{peer} ({service}) uses account {user} of {owner}{where}", look)
    elif owner:
        weighing.doubt(f"{peer}, whose service is not known, uses account {user} of {owner}", look)
    else:
        weighing.doubt(f"{peer} ({service}) uses account {user}, which no MariaDBAccount declares", look)


def _subject(side: Mapping[str, Json]) -> str:
    subject = side.get("subject")
    return text(subject) if subject else f"{side['service']}/{side['component']}"
