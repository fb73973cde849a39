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
class Network:
    """A layer-2 segment; nodes and compute nodes have a device on it, and parts of its range are handed out."""

    name: str
    subnet: IPv4Network
    device: str
    """What the machines call their device on it."""
    vlan: int | None = None
    """As written into NetConfig; each segment is a switch of its own here, the frames carry no tag."""
    has_pool: bool = True
    """Whether load balancers get addresses from it."""
    has_router: bool = False
    """Whether the fabric itself is on it, as the first address: the world that OpenStack's routers lead to."""

    @property
    def router(self) -> str:
        """Return the address of the fabric on it."""
        return f"{self.subnet[1]}/{self.subnet.prefixlen}"

    @property
    def switch(self) -> str:
        """Return the bridge in the fabric that is this segment."""
        return f"sw-{self.name}"

    def of_node(self, number: int) -> IPv4Address:
        """Return a node's own address on an isolated network."""
        return self.subnet[5 + number]

    @property
    def pods(self) -> tuple[IPv4Address, IPv4Address]:
        """Return first and last address for attached pods (Multus)."""
        return self.subnet[30], self.subnet[70]

    @property
    def pool(self) -> tuple[IPv4Address, IPv4Address]:
        """Return first and last address for load balancers (MetalLB)."""
        return self.subnet[80], self.subnet[90]

    @property
    def computes(self) -> tuple[IPv4Address, IPv4Address]:
        """Return first and last address for compute nodes (NetConfig)."""
        return self.subnet[100], self.subnet[120]


@dataclass(frozen=True, slots=True)
class Machine:
    """A network namespace that plays a machine."""

    name: str
    """As Kubernetes names it."""
    namespace: str
    address: IPv4Address

    def port(self, network: Network) -> str:
        """Return the fabric's end of this machine's cable to an isolated network (at most 15 letters)."""
        kind, _, number = self.name.partition("-")
        return f"{network.name}-{kind[0]}{number}"


@dataclass(frozen=True, slots=True)
class Node(Machine):
    """A machine that runs pods."""

    pods: IPv4Network


@dataclass(frozen=True, slots=True)
class ComputeNode(Machine):
    """A machine outside the cluster that runs servers; its isolated networks are configured by Ansible."""


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
    node_count: int = 3
    isolated: tuple[Network, ...] = ()
    """The networks besides ctlplane and the pods' own."""
    compute_count: int = 0

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
    def computes(self) -> tuple[ComputeNode, ...]:
        """Return the compute nodes, in order."""
        return tuple(
            ComputeNode(f"compute-{n}", f"seatrial-compute-{n}", self.ctlplane[100 + n])
            for n in range(self.compute_count)
        )

    @property
    def machines(self) -> tuple[Machine, ...]:
        """Return control, nodes and compute nodes."""
        return (self.control, *self.nodes, *self.computes)

    @property
    def networks(self) -> tuple[Network, ...]:
        """Return ctlplane and the isolated networks."""
        return (Network("ctlplane", self.ctlplane, device="eth0"), *self.isolated)

    @property
    def dns(self) -> IPv4Address:
        """Return the cluster DNS's address."""
        return self.services[10]

    @property
    def kubernetes_service(self) -> IPv4Address:
        """Return the address under which pods find the API server."""
        return self.services[1]


@dataclass(frozen=True, slots=True)
class Size:
    """How much of a cloud is started."""

    name: str
    memory_mb: int
    """What it needs free on the machine."""
    control_plane: str
    """File of the OpenStackControlPlane that is applied."""
    patience_s: float
    """How long the cloud may take on a slow machine before a boot is given up."""
    plan: Topology


ISOLATED = (
    Network("internalapi", IPv4Network("172.17.0.0/24"), device="internalapi", vlan=20),
    Network("storage", IPv4Network("172.18.0.0/24"), device="storage", vlan=21),
    Network("tenant", IPv4Network("172.19.0.0/24"), device="tenant", vlan=22),
    # The way out of OpenStack's routers: a bare segment on the nodes, its addresses are Neutron's.
    Network("external", IPv4Network("10.0.0.0/24"), device="external", has_pool=False, has_router=True),
)
SIZES = {
    size.name: size
    for size in (
        Size("core", memory_mb=4500, control_plane="core.yaml", patience_s=300, plan=Topology()),
        Size(
            "full",
            memory_mb=9500,
            control_plane="full.yaml",
            patience_s=1200,
            plan=Topology(isolated=ISOLATED, compute_count=2),
        ),
    )
}
TOPOLOGY = SIZES["full"].plan
"""The widest plan: knows the name of everything that a lab of any size makes, so that it can be found and removed."""
