"""What the lab consists of, as frozen values: nodes, networks, addresses, sizes. No I/O here.

The address plan is that of OpenShift (pods 10.128.0.0/14, Services 172.30.0.0/16) and of RHOSO's samples
(ctlplane 192.168.122.0/24 with MetalLB's pool at .80-.90).
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from itertools import islice

KUBERNETES_VERSION = "1.33.13"
IMAGE = "lab.local/base:1"
"""The one image: empty folders into which every container gets the machine's software mounted."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A network namespace that plays a machine."""

    name: str
    """As Kubernetes names it."""
    namespace: str
    address: IPv4Address


@dataclass(frozen=True, slots=True)
class Node(Machine):
    """A machine that runs pods."""

    pods: IPv4Network


@dataclass(frozen=True, slots=True)
class Size:
    """How much of a cloud is started."""

    name: str
    memory_mb: int
    """What it needs free on the machine."""
    control_plane: str
    """File of the OpenStackControlPlane that is applied."""


@dataclass(frozen=True, slots=True)
class Topology:
    """The whole plan."""

    link: str = "st-ctlplane"
    """The machine's own end of the ctlplane network: the only device that the lab adds to the machine."""
    fabric: str = "seatrial-fabric"
    """The namespace that holds the switch, so that the machine's own firewall and bridges play no part."""
    ctlplane: IPv4Network = IPv4Network("192.168.122.0/24")
    pods: IPv4Network = IPv4Network("10.128.0.0/14")
    services: IPv4Network = IPv4Network("172.30.0.0/16")
    load_balancer: tuple[str, str] = ("192.168.122.80", "192.168.122.90")
    node_count: int = 3

    @property
    def gateway(self) -> IPv4Address:
        """Return the machine's own address on ctlplane."""
        return self.ctlplane[1]

    @property
    def control(self) -> Machine:
        """Return where the Kubernetes control plane runs."""
        return Machine("control", "seatrial-control", self.ctlplane[2])

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Return the nodes, in order."""
        ranges = list(islice(self.pods.subnets(new_prefix=24), self.node_count))
        return tuple(
            Node(f"node-{n}", f"seatrial-node-{n}", self.ctlplane[10 + n], ranges[n]) for n in range(self.node_count)
        )

    @property
    def machines(self) -> tuple[Machine, ...]:
        """Return control and nodes."""
        return (self.control, *self.nodes)

    @property
    def dns(self) -> IPv4Address:
        """Return the cluster DNS's address."""
        return self.services[10]

    @property
    def kubernetes_service(self) -> IPv4Address:
        """Return the address under which pods find the API server."""
        return self.services[1]


SIZES = {"core": Size("core", memory_mb=4500, control_plane="core.yaml")}
TOPOLOGY = Topology()
