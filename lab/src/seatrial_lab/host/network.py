"""The machines' networks: a namespace each, a switch a network in a namespace of its own, one link to the machine."""

from __future__ import annotations

from pathlib import Path

from seatrial_lab.host import shell
from seatrial_lab.topology import Machine, Network, Topology

NAMESPACES = Path("/run/netns")
EGRESS = """
add table ip egress
add chain ip egress postrouting {{ type nat hook postrouting priority srcnat; }}
add rule ip egress postrouting ip saddr {pods} ip daddr != {pods} masquerade
"""
"""Who is not of the cluster does not know its pods: they call from their node's address, as in an OpenShift."""


def namespaces(plan: Topology) -> tuple[str, ...]:
    """Return the names of all namespaces that the lab makes."""
    return (plan.fabric, *(machine.namespace for machine in plan.machines))


def make(plan: Topology) -> None:
    """Make the switches, the machines' namespaces, addresses and routes to each other's pods."""
    for name in namespaces(plan):
        shell.call("ip", "netns", "add", name)
    cabled = (*plan.nodes, *plan.computes)
    lines = [f"link add {plan.link} type veth peer name uplink netns {plan.fabric}"]
    lines += [
        f"link add port-{machine.name} netns {plan.fabric} type veth peer name eth0 netns {machine.namespace}"
        for machine in plan.machines
    ]
    lines += [
        f"link add {machine.port(network)} netns {plan.fabric} "
        f"type veth peer name {network.device} netns {machine.namespace}"
        for network in plan.isolated
        for machine in cabled
    ]
    lines += [f"addr add {plan.gateway}/{plan.ctlplane.prefixlen} dev {plan.link}", f"link set {plan.link} up"]
    shell.batch(["ip"], lines)
    ctlplane, *isolated = plan.networks
    fabric = ["link set lo up"]
    fabric += [f"link add {network.switch} type bridge" for network in plan.networks]
    fabric += [f"link set {network.switch} up" for network in plan.networks]
    fabric += [f"addr add {network.router} dev {network.switch}" for network in isolated if network.has_router]
    fabric.append(f"link set uplink master {ctlplane.switch} up")
    fabric += [f"link set port-{machine.name} master {ctlplane.switch} up" for machine in plan.machines]
    fabric += [f"link set {m.port(network)} master {network.switch} up" for network in isolated for m in cabled]
    shell.batch(["ip", "-n", plan.fabric], fabric)
    for machine in plan.machines:
        _configure(plan, machine)


def _configure(plan: Topology, machine: Machine) -> None:
    """Give a machine its address on ctlplane; those of the isolated networks are given by whoever configures it."""
    own = ["link set lo up", f"addr add {machine.address}/{plan.ctlplane.prefixlen} dev eth0", "link set eth0 up"]
    if machine not in plan.computes:
        # The machine's own programs reach Services through kube-proxy's rules, which need a route to act on.
        own.append(f"route add {plan.services} dev eth0")
        own += [
            f"route add {node.pods} via {node.address}" for node in plan.nodes if node.namespace != machine.namespace
        ]
    if machine in plan.nodes:
        own += [f"link set {network.device} up" for network in plan.isolated]
    shell.batch(["ip", "-n", machine.namespace], own)
    _enter(machine.namespace, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0")
    if machine in plan.nodes and plan.isolated:
        _enter(machine.namespace, "nft", EGRESS.format(pods=plan.pods))


def _enter(namespace: str, *argv: str) -> None:
    # `ip netns exec` would remount /sys and hide the control groups.
    shell.call("nsenter", f"--net={NAMESPACES / namespace}", *argv)


def cable(plan: Topology, machine: Machine, network: Network, *, plugged: bool) -> None:
    """Plug a machine's cable to a network in, or pull it: both ends lose their carrier, their addresses stay."""
    port = f"port-{machine.name}" if network.name == "ctlplane" else machine.port(network)
    shell.call("ip", "-n", plan.fabric, "link", "set", port, "up" if plugged else "down")


def remove(plan: Topology) -> None:
    """Remove all of it; what is not there is no error."""
    shell.attempt("ip", "link", "del", plan.link)
    for name in namespaces(plan):
        if (NAMESPACES / name).exists():
            shell.attempt("ip", "netns", "del", name)


def leftovers(plan: Topology) -> list[str]:
    """Return what of it still exists."""
    left = [f"namespace {name}" for name in namespaces(plan) if (NAMESPACES / name).exists()]
    if Path(f"/sys/class/net/{plan.link}").exists():
        left.append(f"link {plan.link}")
    return left
