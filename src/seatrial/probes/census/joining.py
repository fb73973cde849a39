"""Both ends of each connection put together; pure.

A client's socket shows the address it called (often a Service's), a server's socket shows who really called. Either
end may be all that is left: the end that closes first keeps TIME_WAIT for a minute, the other vanishes at once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field

from seatrial.probes.census.parties import OUTSIDE, UNKNOWN, Directory, Frontend, Party
from seatrial.probes.census.sockets import End, Sample, State, is_any, is_loopback


@dataclass(frozen=True, slots=True)
class Proof:
    """What a listener said when it was spoken to."""

    protocol: str
    proof: str


@dataclass(slots=True)
class Seen:
    """Everything seen so far, over all samples. Mutable: it is what a watch accumulates."""

    listeners: dict[End, str | None] = field(default_factory=dict)
    """Pod address and port to the process that listens, where known."""
    clients: dict[tuple[End, End], str | None] = field(default_factory=dict)
    """(own end, end that was called) to process."""
    servers: dict[tuple[End, End], str | None] = field(default_factory=dict)
    """(own end, caller's end) to process."""
    earlier: set[tuple[End, End]] = field(default_factory=set)
    """Sockets that were in TIME_WAIT at the first look already: their calls may have ended before the watch began."""

    def add(self, ip: str, samples: Iterable[Sample], *, first: bool = False) -> None:
        """Add what the containers of the pod with this address showed at one moment; ``first``: of the watch."""
        processes: dict[int, str] = {}
        rows = {}
        for sample in samples:
            processes.update(sample.processes)
            rows.update(dict.fromkeys(sample.rows))
        for row in rows:
            if row.listens and not is_loopback(row.local.ip):
                _keep(self.listeners, End(ip, row.local.port), processes.get(row.inode))
        listening = {row.local.port for row in rows if row.listens}
        for row in rows:
            if not row.connected or is_loopback(row.remote.ip) or is_any(row.remote.ip):
                continue
            own = End(ip, row.local.port)
            if first and row.state == State.TIME_WAIT:
                self.earlier.add((own, row.remote))
            if row.local.port in listening or own in self.listeners:
                _keep(self.servers, (own, row.remote), processes.get(row.inode))
            else:
                _keep(self.clients, (own, row.remote), processes.get(row.inode))

    def without_calls_from(self, ports: Container[int]) -> Seen:
        """Return what is left when the harness's own calls, known by the ports they come from, are taken out."""
        return Seen(
            dict(self.listeners),
            {k: v for k, v in self.clients.items() if k[0].port not in ports},
            {k: v for k, v in self.servers.items() if k[1].port not in ports},
            set(self.earlier),
        )

    def of_the_watch(self, directory: Directory) -> tuple[Seen, Counter[str]]:
        """Return what is left without the earlier calls of pods that are gone, and those calls by address.

        A pod that was deleted within the minute before the watch still shows in its peers' TIME_WAIT, and no listing
        can name it any more. What such an address did *during* the watch stays, unnamed.
        """
        gone: Counter[str] = Counter()

        def kept(key: tuple[End, End]) -> bool:
            if key not in self.earlier or directory.name(key[1].ip).service != UNKNOWN:
                return True
            gone[key[1].ip] += 1
            return False

        clients = {k: v for k, v in self.clients.items() if kept(k)}
        servers = {k: v for k, v in self.servers.items() if kept(k)}
        return Seen(dict(self.listeners), clients, servers, set(self.earlier)), gone


@dataclass(frozen=True, slots=True)
class Edge:
    """Who called whom, how; equal calls are counted, not listed."""

    caller: Party
    caller_process: str | None
    server: Party
    server_process: str | None
    port: int
    via: str | None
    proof: Proof


UNPROVEN = Proof("unknown", "")
EPHEMERAL = 32768
"""First port that Linux gives to clients (``ip_local_port_range``, as it comes)."""


def join(seen: Seen, directory: Directory, proofs: Mapping[End, Proof]) -> Counter[Edge]:
    """Return every edge with the number of connections on it."""
    seen = _turned(seen, directory)
    edges: Counter[Edge] = Counter()
    calls: dict[End, list[End]] = defaultdict(list)
    for own, called in seen.clients:
        calls[own].append(called)
    matched: set[tuple[End, End]] = set()
    for (own, caller), process in seen.servers.items():
        if caller.ip == own.ip:
            continue
        call = next((c for c in calls.get(caller, ()) if _leads(directory, c, own)), None)
        caller_process = None
        via = None
        if call is not None:
            matched.add((caller, call))
            caller_process = seen.clients[caller, call]
            frontend = directory.frontends.get((call.ip, call.port))
            via = frontend.via if frontend else None
        listener = seen.listeners.get(own)
        edges[
            Edge(
                directory.name(caller.ip),
                caller_process,
                directory.name(own.ip),
                process or listener,
                own.port,
                via,
                proofs.get(own, UNPROVEN),
            )
        ] += 1
    for (own, called), process in seen.clients.items():
        if (own, called) not in matched and called.ip != own.ip:
            edges[_one_sided(own, called, process, seen=seen, directory=directory, proofs=proofs)] += 1
    return edges


def _turned(seen: Seen, directory: Directory) -> Seen:
    """Return the same sockets, those taken for a client's that are a server's on the right side.

    A server that has stopped listening (state transfers do, after their one client) leaves connections of which
    neither end listens. Then the end below the range of ephemeral ports is the server's.
    """
    clients: dict[tuple[End, End], str | None] = {}
    servers = dict(seen.servers)
    for (own, other), process in seen.clients.items():
        listens = other in seen.listeners or (other.ip, other.port) in directory.frontends
        if own in seen.listeners or (not listens and own.port < EPHEMERAL <= other.port):
            _keep(servers, (own, other), process)
        else:
            clients[own, other] = process
    return Seen(dict(seen.listeners), clients, servers)


def _one_sided(
    own: End, called: End, process: str | None, *, seen: Seen, directory: Directory, proofs: Mapping[End, Proof]
) -> Edge:
    frontend = directory.frontends.get((called.ip, called.port))
    if frontend is None:
        server = directory.name(called.ip)
        proof = proofs.get(called, UNPROVEN)
        return Edge(directory.name(own.ip), process, server, seen.listeners.get(called), called.port, None, proof)
    proof = _behind(frontend, proofs, called)
    return Edge(directory.name(own.ip), process, frontend.party, None, frontend.port, frontend.via, proof)


def _behind(frontend: Frontend, proofs: Mapping[End, Proof], called: End) -> Proof:
    """Return what the pods behind a Service proved; a protocol only if all that were asked agree."""
    found = {p for ip in frontend.backends if (p := proofs.get(End(ip, frontend.port))) is not None}
    if not found:
        return proofs.get(called, UNPROVEN)
    first = min(found, key=lambda p: (p.protocol, p.proof))
    return first if len({p.protocol for p in found}) == 1 else UNPROVEN


def _leads(directory: Directory, called: End, server: End) -> bool:
    """Tell whether calling one end may arrive at the other."""
    if called == server:
        return True
    frontend = directory.frontends.get((called.ip, called.port))
    if frontend is None:
        # A Service that has been replaced since leaves clients that call an address nobody has any more. That the
        # server names this very caller, on the port that was called, says where the call arrived.
        return called.port == server.port and directory.name(called.ip).service == OUTSIDE
    # Backends change while a watch lasts (Galera's Service follows the active member), so the pod's component counts.
    return server.ip in frontend.backends or directory.name(server.ip).component == frontend.party.component


def _keep(store: dict[End, str | None] | dict[tuple[End, End], str | None], key: object, process: str | None) -> None:
    """Remember a socket; once a process is known, a later TIME_WAIT without one does not forget it."""
    if process is not None or key not in store:
        store[key] = process  # type: ignore[index]
