"""Laws of the census: parsing never crashes and loses nothing; joining finds every call once, whichever end is left."""

from __future__ import annotations

import ipaddress
from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from seatrial.probes.census.joining import Proof, Seen, join
from seatrial.probes.census.parties import Directory, Frontend, Party
from seatrial.probes.census.sockets import End, Row, Sample, State, address, parse, parse_row
from seatrial.probes.census.speak import CALLS_FROM

ips = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6).filter(lambda ip: ip.ipv4_mapped is None))
ends = st.builds(End, ips.map(str), st.integers(0, 65535))
rows = st.builds(Row, ends, ends, st.sampled_from([s.value for s in State]), st.integers(0, 2**32))


def words(ip: str) -> str:
    """Write an address as the kernel of a little-endian machine does."""
    packed = ipaddress.ip_address(ip).packed
    return "".join(packed[at : at + 4][::-1].hex().upper() for at in range(0, len(packed), 4))


def line(number: int, row: Row) -> str:
    ends = f"{words(row.local.ip)}:{row.local.port:04X} {words(row.remote.ip)}:{row.remote.port:04X}"
    return f"{number:4d}: {ends} {row.state:02X} 00000000:00000000 00:00000000 00000000     0        0 {row.inode} 1 0"


@given(ips)
def test_an_address_is_read_as_it_was_written(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Byte order and word order come back right for both families."""
    assert address(words(str(ip))) == str(ip)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_ipv6_is_the_same_address(ip: ipaddress.IPv4Address) -> None:
    """A server that listens on :: sees its IPv4 callers mapped; both ends must still be joined."""
    assert address(words(f"::ffff:{ip}")) == str(ip)


@given(st.lists(rows, max_size=20), st.lists(rows, max_size=20))
def test_every_socket_of_a_table_is_read(four: list[Row], six: list[Row]) -> None:
    """Nothing is lost, nothing is made up, and a complete answer is known for complete."""
    text = ["#tcp", "  sl  local_address rem_address   st", *(line(i, r) for i, r in enumerate(four))]
    text += ["#tcp6", "  sl  local_address", *(line(i, r) for i, r in enumerate(six)), "#comm", "1 init", "#fd", "#end"]
    sample = parse("\n".join(text))
    assert sample.rows == (*four, *six)
    assert sample.complete
    assert not sample.malformed


@given(st.text())
def test_parsing_never_crashes(text: str) -> None:
    """Whatever a pod answers, the census goes on."""
    parse(text)
    parse("#tcp\nheader\n" + text)
    parse_row(text)


@given(st.lists(rows, min_size=1, max_size=20), st.data())
def test_an_answer_that_broke_off_is_not_taken_for_a_whole_one(listed: list[Row], data: st.DataObject) -> None:
    """A pod whose answer was cut is unread, not quiet."""
    whole = "\n".join(["#tcp", "header", *(line(i, r) for i, r in enumerate(listed)), "#tcp6", "#comm", "#fd", "#end"])
    cut = data.draw(st.integers(0, len(whole) - len("#end")))
    assert not parse(whole[:cut]).complete


CLIENTS, SERVERS, SERVICE, PORT = [f"10.0.0.{i}" for i in range(1, 4)], ["10.0.1.1", "10.0.1.2"], "172.30.0.9", 5000
BOOK = Directory(
    pods={ip: Party("caller", ip, ip) for ip in CLIENTS} | {ip: Party("api", "api", ip) for ip in SERVERS},
    frontends={(SERVICE, 443): Frontend("service/x/api", Party("api", "api"), PORT, frozenset(SERVERS))},
)
calls = st.builds(
    lambda client, port, server, *rest: (client, port, server, *rest),
    st.sampled_from(CLIENTS),
    st.integers(32768, 60999),
    st.sampled_from(SERVERS),
    st.booleans(),
    st.sampled_from(["client", "server", "both"]),
)


@given(st.lists(calls, unique_by=lambda call: call[:2], max_size=30))
def test_every_call_is_found_once_whichever_end_is_left(made: list[tuple[str, int, str, bool, str]]) -> None:
    """The end that closed first keeps TIME_WAIT, the other may be gone: one call stays one call."""
    tables: dict[str, list[Row]] = {ip: [] for ip in (*CLIENTS, *SERVERS)}
    for ip in SERVERS:
        tables[ip].append(Row(End("0.0.0.0", PORT), End("0.0.0.0", 0), State.LISTEN, 7))  # noqa: S104
    for client, port, server, through_service, left in made:
        called = End(SERVICE, 443) if through_service else End(server, PORT)
        if left in ("client", "both"):
            tables[client].append(Row(End(client, port), called, State.TIME_WAIT, 0))
        if left in ("server", "both"):
            tables[server].append(Row(End(server, PORT), End(client, port), State.ESTABLISHED, 9))
    seen = Seen()
    for ip, table in tables.items():
        seen.add(ip, [Sample(tuple(table), {7: "httpd", 9: "httpd"}, complete=True)])
    proofs = {End(ip, PORT): Proof("http", "HTTP/1.1 200") for ip in SERVERS}
    edges = join(seen, BOOK, proofs)

    assert sum(edges.values()) == len(made)
    assert Counter(e.caller.component for e in edges.elements()) == Counter(call[0] for call in made)
    assert all(e.server.service == "api" and e.port == PORT and e.proof.protocol == "http" for e in edges)
    known = Counter(e.server.replica for e in edges.elements() if e.server.replica)
    assert known == Counter(server for _, _, server, service, left in made if left != "client" or not service)
    via = sum(count for e, count in edges.items() if e.via)
    assert via == sum(1 for *_, service, left in made if service and left != "server")


@given(st.lists(calls, unique_by=lambda call: call[:2], min_size=1, max_size=10), st.data())
def test_the_harness_own_calls_leave_no_trace(made: list[tuple[str, int, str, bool, str]], data: st.DataObject) -> None:
    """What the census itself caused is taken out at both ends, and nothing else is."""
    ours = data.draw(st.sets(st.sampled_from(range(len(made)))))
    seen = Seen()
    for ip in SERVERS:
        seen.listeners[End(ip, PORT)] = None
    for number, (client, port, server, _, _) in enumerate(made):
        caller = End(client, CALLS_FROM[number] if number in ours else port)
        seen.clients[caller, End(server, PORT)] = None
        seen.servers[End(server, PORT), caller] = None
    edges = join(seen.without_calls_from(CALLS_FROM), BOOK, {})
    assert sum(edges.values()) == len(made) - len(ours)


@given(st.integers(1, 32767), st.integers(32768, 60999), st.sampled_from(["client", "server", "both"]))
def test_a_server_that_listens_no_more_is_still_the_server(port: int, ephemeral: int, left: str) -> None:
    """State transfers open a port for one client and close it; the direction of the call stays known."""
    seen = Seen()
    if left != "server":
        seen.add(CLIENTS[0], [Sample((Row(End(CLIENTS[0], ephemeral), End(SERVERS[0], port), State.TIME_WAIT, 0),))])
    if left != "client":
        seen.add(SERVERS[0], [Sample((Row(End(SERVERS[0], port), End(CLIENTS[0], ephemeral), State.ESTABLISHED, 0),))])
    [edge] = join(seen, BOOK, {})
    assert (edge.caller.component, edge.server.replica, edge.port) == (CLIENTS[0], SERVERS[0], port)


def test_a_call_to_a_service_that_was_replaced_is_one_call() -> None:
    """The client shows an address that nobody has any more, the server shows the client: one edge, not two."""
    seen = Seen(listeners={End(SERVERS[0], PORT): None})
    seen.clients[End(CLIENTS[0], 40000), End("172.30.0.200", PORT)] = "python"
    seen.servers[End(SERVERS[0], PORT), End(CLIENTS[0], 40000)] = None
    [(edge, count)] = join(seen, BOOK, {}).items()
    assert (edge.caller_process, edge.server.replica, count) == ("python", SERVERS[0], 1)


def test_what_a_pod_did_before_it_was_gone_is_not_of_the_watch() -> None:
    """TIME_WAIT of the first look may be older than the watch; a socket that comes later is of the watch."""
    stranger = "10.0.3.3"
    book = replace(BOOK, pod_ranges=(ipaddress.ip_network("10.0.0.0/16"),))
    listening = Row(End("::", PORT), End("::", 0), State.LISTEN, 1)
    before = Row(End(SERVERS[0], PORT), End(stranger, 40000), State.TIME_WAIT, 0)
    known = Row(End(SERVERS[0], PORT), End(CLIENTS[0], 40000), State.TIME_WAIT, 0)
    later = Row(End(SERVERS[0], PORT), End(stranger, 40001), State.TIME_WAIT, 0)
    seen = Seen()
    seen.add(SERVERS[0], [Sample((listening, before, known))], first=True)
    seen.add(SERVERS[0], [Sample((listening, before, later))])
    kept, gone = seen.of_the_watch(book)
    assert gone == {stranger: 1}
    assert sorted((e.caller.service, count) for e, count in join(kept, book, {}).items()) == [
        ("caller", 1),
        ("unknown", 1),
    ]
