"""Paths measured and a ledger kept while something else happens to the deployment.

``with traffic.watch(...) as live:`` starts the agents, waits until every path has been answered once, and on the way
out stops them, looks for every acknowledged entry, and records one Observation for each path and each ledger.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from seatrial import waiting
from seatrial.clients.looking import observed
from seatrial.model.access import AgentAccess, ProjectsAccess, QueueAccess, SchemaAccess
from seatrial.model.inventory import Inventory
from seatrial.model.journal import EventKind
from seatrial.model.observation import Json, Observation
from seatrial.traffic import config, lookup
from seatrial.traffic.channel import PodChannel, ProcessChannel
from seatrial.traffic.ledger import settle, told, utc
from seatrial.traffic.link import Link
from seatrial.traffic.outage import Measured, measure, stretches

if TYPE_CHECKING:
    from seatrial.clients.deployment import Deployment

Record = Callable[[Observation], Observation]
Note = Callable[[EventKind, Mapping[str, object]], object]


@dataclass(frozen=True, slots=True)
class Equipment:
    """What the harness has put into the deployment for its traffic; what is None is not measured or written."""

    agent: AgentAccess
    schema: SchemaAccess | None = None
    queue: QueueAccess | None = None
    projects: ProjectsAccess | None = None


@dataclass(slots=True)
class Traffic:
    """Traffic that flows until it is stopped."""

    deployment: Deployment
    inventory: Inventory
    equipment: Equipment
    record: Record
    note: Note
    ledger: bool = True
    """Whether entries are written, or paths measured only."""
    _links: list[Link] = field(default_factory=list)
    _paths: dict[str, Link] = field(default_factory=dict)
    _started: float = 0.0
    _stopped: bool = False

    def start(self) -> None:
        """Start the agents and wait until every path has been answered once.

        Raises ``Unreachable`` when an agent does not start. A path that never answers is no error: it is an outage.
        """
        equipment = self.equipment
        inside = config.inside(self.deployment, equipment.agent, equipment.schema, equipment.queue, ledger=self.ledger)
        outside = config.outside(self.deployment, equipment.projects if self.ledger else None)
        within_s = waiting.seconds(self.deployment.target.budgets, "agent_start")
        try:
            self._begin(Link(PodChannel(self.deployment.kube, equipment.agent), inside, name="in the cluster"), inside)
            self._begin(Link(ProcessChannel(), outside, name="outside"), outside)
            self._started = time.time()
            for link in self._links:
                own = [path for path, its in self._paths.items() if its is link]
                link.wait_for_answers(own, within_s=within_s)
        except BaseException:
            self._close()
            raise
        self._started = time.time()

    def stop(self) -> tuple[Observation, ...]:
        """Stop everything and record what was seen; a second call does nothing."""
        if self._stopped:
            return ()
        self._stopped = True
        ended = time.time()
        try:
            for link in self._links:
                link.stop()
            made = [self._path(path, link, ended) for path, link in self._paths.items()]
            if self.ledger:
                made += self._accounts()
        finally:
            self._close()
        return tuple(self.record(observation) for observation in made)

    def _begin(self, link: Link, settings: Mapping[str, Any]) -> None:
        self._links.append(link)
        self._paths.update({entry["name"]: link for entry in settings["paths"]})

    def _close(self) -> None:
        for link in self._links:
            link.close()

    def _path(self, path: str, link: Link, ended: float) -> Observation:
        """Return how one path fared; blind when its agent never got to ask."""
        offset = link.offset_s
        measured = measure(
            [sample.moved(-offset) for sample in link.samples.get(path, ())], start=self._started, end=ended
        )
        trouble = "; ".join([*([link.broken] if link.broken else []), *link.complaints])
        error = None
        if measured.asked == 0:
            error = f"nothing was asked on path {path}: {trouble or 'the agent said nothing of it'}"
        else:
            for start, end, outcome, detail in stretches(measured):
                told_as = {"path": path, "from": utc(start), "to": utc(end), "outcome": outcome, "detail": detail}
                self.note(EventKind.PATH, told_as)
        return observed(
            "outage",
            f"path/{path}",
            _measured(path, measured, offset, trouble),
            asked_at=datetime.fromtimestamp(self._started, UTC),
            took_s=ended - self._started,
            error=error,
            raw=trouble,
        )

    def _accounts(self) -> list[Observation]:
        """Look for every entry where it has to be, and return one Observation for each ledger (two if partly blind)."""
        made: list[Observation] = []
        for link in self._links:
            for kind in sorted(link.entries):
                made += self._account(kind, link)
        return made

    def _account(self, kind: str, link: Link) -> list[Observation]:
        asked_at, started = datetime.now(UTC), time.monotonic()
        entries = link.entries[kind]
        looked = lookup.everywhere(
            kind,
            self.deployment,
            self.inventory,
            schema=self.equipment.schema,
            projects=self.equipment.projects,
            drain=link.drain,
        )
        account = settle(entries, looked.found, whole=link.broken is None)
        value = told(kind, entries, looked.found, account)
        value["unread"] = [{"where": where, "why": why} for where, why in sorted(looked.unread.items())]
        subject = f"ledger/{kind}"
        took_s = time.monotonic() - started
        made = []
        if looked.found:
            made.append(observed("ledger", subject, value, asked_at=asked_at, took_s=took_s))
        if looked.unread or not looked.found:
            why = "; ".join(f"{where}: {why}" for where, why in sorted(looked.unread.items()))
            error = f"could not look for {kind} entries in {why or 'any place'}"
            made.append(observed("ledger", subject, None, asked_at=asked_at, took_s=took_s, error=error))
        return made


@contextmanager
def watch(
    deployment: Deployment,
    inventory: Inventory,
    equipment: Equipment,
    *,
    record: Record,
    note: Note,
    ledger: bool = True,
) -> Iterator[Traffic]:
    """Let traffic flow inside the block, and record how it fared, also when the block ends with an error."""
    traffic = Traffic(deployment, inventory, equipment, record, note, ledger)
    traffic.start()
    try:
        yield traffic
    finally:
        traffic.stop()


def _measured(path: str, measured: Measured, offset_s: float, trouble: str) -> dict[str, Json]:
    outages: list[Json] = [
        {
            "from": utc(outage.start),
            "to": utc(outage.end),
            "took_s": round(outage.took_s, 3),
            "detail": outage.detail,
            "within_s": round(outage.within_s, 3),
        }
        for outage in measured.outages
    ]
    return {
        "path": path,
        "resolution_s": round(measured.resolution_s, 3),
        "from": utc(measured.start),
        "to": utc(measured.end),
        "asked": measured.asked,
        "ok": measured.ok,
        "fail": measured.asked - measured.ok,
        "outages": outages,
        "longest_s": round(measured.longest_s, 3),
        "total_s": round(measured.total_s, 3),
        "blind_s": round(measured.blind_s, 3),
        "slowest_s": round(measured.slowest_s, 3),
        "clock_offset_s": round(offset_s, 4),
        "trouble": trouble,
    }
