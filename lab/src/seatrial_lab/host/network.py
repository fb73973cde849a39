"""The machines' network: a namespace each, one switch in a namespace of its own, one link to the machine."""

from __future__ import annotations

from pathlib import Path

from seatrial_lab.host import shell
from seatrial_lab.topology import Topology

NAMESPACES = Path("/run/netns")


def namespaces(plan: Topology) -> tuple[str, ...]:
    """Return the names of all namespaces that the lab makes."""
    return (plan.fabric, *(machine.namespace for machine in plan.machines))


def make(plan: Topology) -> None:
    """Make the switch, the machines' namespaces, addresses and routes to each other's pods."""
    for name in namespaces(plan):
        shell.call("ip", "netns", "add", name)
    lines = [f"link add {plan.link} type veth peer name uplink netns {plan.fabric}"]
    lines += [
        f"link add port-{machine.name} netns {plan.fabric} type veth peer name eth0 netns {machine.namespace}"
        for machine in plan.machines
    ]
    lines += [f"addr add {plan.gateway}/{plan.ctlplane.prefixlen} dev {plan.link}", f"link set {plan.link} up"]
    shell.batch(["ip"], lines)
    switch = ["link set lo up", "link add switch type bridge", "link set switch up", "link set uplink master switch up"]
    switch += [f"link set port-{machine.name} master switch up" for machine in plan.machines]
    shell.batch(["ip", "-n", plan.fabric], switch)
    for machine in plan.machines:
        own = [
            "link set lo up",
            f"addr add {machine.address}/{plan.ctlplane.prefixlen} dev eth0",
            "link set eth0 up",
            # The machine's own programs reach Services through kube-proxy's rules, which need a route to act on.
            f"route add {plan.services} dev eth0",
        ]
        own += [
            f"route add {node.pods} via {node.address}" for node in plan.nodes if node.namespace != machine.namespace
        ]
        shell.batch(["ip", "-n", machine.namespace], own)
        _enter(machine.namespace, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0")


def _enter(namespace: str, *argv: str) -> None:
    # `ip netns exec` would remount /sys and hide the control groups.
    shell.call("nsenter", f"--net={NAMESPACES / namespace}", *argv)


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
