"""The packet side of servers: gives every server that Nova's fake driver only keeps a record of a network stack.

A server is a network namespace on the node that its ports are bound to, `server-<uuid>`, plugged into OVN as libvirt
would plug a guest (a tap of the same name, `iface-id`), addressed by OVN's DHCP. It asks for its metadata as cloud-init
does, and keeps it in `/run/servers/<uuid>`. So ports become active, and packets between servers are real packets.

Which ports are this node's is read from OVN's southbound database, where Neutron's binding arrives. This runs as a
service of compute nodes, with the distribution's Python and no library. What it does not see: whether Nova stopped or
paused a server.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOOK_S = 2.0
LOOK_CLOSELY_S = 30.0
"""After so long the switch is looked at even if nothing seems to have changed."""
ANSWER_S = 10
RUN = Path("/run/servers")
SCRIPT = Path(__file__).parent / "udhcpc.sh"
BRIDGE = "br-int"
OWNED = "vm-uuid"
"""The mark of our interfaces in Open vSwitch, as Nova leaves it there."""


class Failed(Exception):
    """A tool did not do what it was asked; it is asked again in the next round."""


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a server that is to be here."""

    id: str
    mac: str
    server: str

    @property
    def tap(self) -> str:
        """The device in the switch."""
        return f"tap{self.id[:11]}"

    @property
    def namespace(self) -> str:
        """Where the server's end of it is."""
        return f"server-{self.server}"

    @property
    def pid_file(self) -> Path:
        """Where its DHCP client says that it runs."""
        return RUN / self.server / f"{self.id}.pid"


def call(*argv: str) -> str:
    """Run a tool and return what it printed."""
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{' '.join(argv[:2])}: {done.stderr.strip()}")
    return done.stdout


def chassis() -> dict[str, str]:
    """What Open vSwitch is told about this node, by the data plane's service `ovn`."""
    said = json.loads(
        call("ovs-vsctl", "--timeout=5", "--format=json", "--columns=external_ids", "list", "Open_vSwitch")
    )
    return dict(said["data"][0][0][1])


def bound(remote: str) -> list[Any]:
    """Return all bindings of ordinary ports in the southbound database, from whichever member of it answers."""
    ask = {
        "op": "select",
        "table": "Port_Binding",
        "where": [["type", "==", ""]],
        "columns": ["logical_port", "mac", "options", "external_ids"],
    }
    query = json.dumps(["OVN_Southbound", ask])
    [answer] = json.loads(call("ovsdb-client", f"--timeout={ANSWER_S}", "--no-leader-only", "query", remote, query))
    return list(answer["rows"])


def wanted(rows: Iterable[Mapping[str, Any]], host: str) -> dict[str, Port]:
    """Choose the ports of servers that Neutron bound to this node."""
    found = {}
    for row in rows:
        told, options = dict(row["external_ids"][1]), dict(row["options"][1])
        mac = row["mac"] if isinstance(row["mac"], str) else " ".join(row["mac"][1])
        here = options.get("requested-chassis", "").split(",")[0] == host
        server = told.get("neutron:device_id", "")
        if here and server and mac and told.get("neutron:device_owner", "").startswith("compute:"):
            found[row["logical_port"]] = Port(row["logical_port"], mac.split()[0], server)
    return found


def plugged() -> dict[str, Port]:
    """Return the ports that are in the switch, by our mark; the switch's database outlives the machine's reboot."""
    columns = ["--format=json", "--columns=external_ids", "list", "Interface"]
    rows = json.loads(call("ovs-vsctl", "--timeout=5", *columns))["data"]
    ids = [dict(row[0][1]) for row in rows]
    return {one["iface-id"]: Port(one["iface-id"], one["attached-mac"], one[OWNED]) for one in ids if OWNED in one}


def is_whole(port: Port) -> bool:
    """Tell whether device and DHCP client of a port are alive."""
    try:
        pid = int(port.pid_file.read_text())
    except (OSError, ValueError):
        return False
    return Path(f"/sys/class/net/{port.tap}").exists() and Path(f"/proc/{pid}").exists()


def plug(port: Port) -> None:
    """Give a server a device of its own in the switch, and have it ask for its address."""
    unplug(port)
    if not Path(f"/run/netns/{port.namespace}").exists():
        call("ip", "netns", "add", port.namespace)
        call("ip", "-n", port.namespace, "link", "set", "lo", "up")
    inside = ["ip", "netns", "exec", port.namespace]
    taken = call("ip", "-n", port.namespace, "-o", "link", "show", "type", "veth").splitlines()
    device = f"eth{len(taken)}"
    ends = ["name", device, "address", port.mac, "netns", port.namespace]
    call("ip", "link", "add", port.tap, "type", "veth", "peer", *ends)
    # The switch is a program: nobody computes the checksums that a device would.
    call(*inside, "ethtool", "-K", device, "tx", "off")
    call("ip", "-n", port.namespace, "link", "set", device, "up")
    call("ip", "link", "set", port.tap, "up")
    marks = {"iface-id": port.id, "attached-mac": port.mac, OWNED: port.server, "iface-status": "active"}
    settings = [f'external_ids:{key}="{value}"' for key, value in marks.items()]
    add = ["--may-exist", "add-port", BRIDGE, port.tap, "--", "set", "Interface", port.tap, *settings]
    call("ovs-vsctl", "--timeout=10", *add)
    port.pid_file.parent.mkdir(parents=True, exist_ok=True)
    asking = [
        "udhcpc",
        "-f",
        "-S",
        "-i",
        device,
        "-s",
        str(SCRIPT),
        "-p",
        str(port.pid_file),
        "-t",
        "3",
        "-A",
        "1",
        "-O",
        "mtu",
    ]
    # On its own from the start: it outlives a restart of this program.
    subprocess.run(
        ["setsid", "--fork", *inside, *asking, "-x", f"hostname:server-{port.server[:8]}", "-O", "staticroutes"],
        check=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "SERVER": str(port.pid_file.parent)},
    )


def unplug(port: Port) -> None:
    """Take a port out of the switch, and its device away; what is not there is no error."""
    with contextlib.suppress(OSError, ValueError):
        os.kill(int(port.pid_file.read_text()), signal.SIGTERM)
    port.pid_file.unlink(missing_ok=True)
    call("ovs-vsctl", "--timeout=10", "--if-exists", "del-port", BRIDGE, port.tap)
    if Path(f"/sys/class/net/{port.tap}").exists():
        call("ip", "link", "del", port.tap)


def forget(server: str) -> None:
    """Remove what is left of a server that has no port here any more."""
    namespace = f"server-{server}"
    if Path(f"/run/netns/{namespace}").exists():
        call("ip", "netns", "del", namespace)
    shutil.rmtree(RUN / server, ignore_errors=True)


def settle(here: Mapping[str, Port]) -> None:
    """Make what is plugged be what is bound here."""
    there = plugged()
    for port in there.values():
        if port.id not in here:
            unplug(port)
    for port in here.values():
        if there.get(port.id) != port or not is_whole(port):
            print(f"server {port.server}: port {port.id} is plugged", flush=True)  # noqa: T201 (its log)
            plug(port)
    staying = {port.server for port in here.values()}
    for folder in Path("/run/netns").glob("server-*"):
        if (server := folder.name.removeprefix("server-")) not in staying:
            print(f"server {server} is gone", flush=True)  # noqa: T201 (its log)
            forget(server)


def main() -> None:
    """Look again and again; a database that does not answer leaves everything as it is."""
    said, known, settled, due = "", dict[str, str](), dict[str, Port](), 0.0
    while True:
        try:
            known = known or chassis()
            here = wanted(bound(known["ovn-remote"]), known.get("hostname", socket.gethostname()))
            # A quiet node costs one question a round, and no look at the switch.
            if here != settled or time.monotonic() > due or not all(map(is_whole, here.values())):
                settle(here)
                settled, due = here, time.monotonic() + LOOK_CLOSELY_S
            said = ""
        except (Failed, KeyError, ValueError) as problem:
            known, due = {}, 0.0
            if str(problem) != said:
                said = str(problem)
                print(said, file=sys.stderr, flush=True)  # noqa: T201 (its log)
        time.sleep(LOOK_S)


if __name__ == "__main__":
    main()
