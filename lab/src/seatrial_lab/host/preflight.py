"""Whether this machine can host the lab: everything that is lacking, at once, before anything is touched."""

from __future__ import annotations

import ipaddress
import json
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from seatrial_lab import paths
from seatrial_lab.errors import Lack
from seatrial_lab.host import cgroups, network
from seatrial_lab.topology import Size, Topology

DISK_BUILD_MB = 9000
"""What the compile needs for some minutes; 1.2 GB of it stay."""
DISK_RUN_MB = 3000
OPEN_FILES = 4096


def lacks(plan: Topology, size: Size, *, built: bool, stands: bool = False) -> list[Lack]:
    """Return everything that keeps the lab from standing here; an empty list is a yes.

    ``built``: whether the programs are in the cache already, so that nothing needs to be compiled or installed.
    ``stands``: whether a lab is up, so that its names and addresses are taken by itself.
    """
    found = list(_rights())
    found += _tools(built=built)
    found += _control_groups()
    if os.geteuid() == 0:
        found += _kernel(size)
    found += _room(size, built=built)
    if not stands:
        found += _addresses(plan)
    return found


def _rights() -> Iterator[Lack]:
    if os.geteuid() != 0:
        yield Lack("not running as root", "run the same command as root (sudo -E make trial)")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard not in (resource.RLIM_INFINITY,) and hard < OPEN_FILES:
        yield Lack(f"the hard limit of open files is {hard}", f"raise it to at least {OPEN_FILES} (ulimit -Hn)")


def _tools(*, built: bool) -> Iterator[Lack]:
    if not Path("/usr/bin/python3").exists():
        yield Lack("no /usr/bin/python3", "install the distribution's Python: pods borrow the machine's /usr")
    if not built and shutil.which("apt-get") is None:
        yield Lack("no apt-get", "the lab takes its programs from Debian's packages: use a Debian 12 machine")


def _control_groups() -> Iterator[Lack]:
    missing = cgroups.missing_controllers()
    if missing:
        remedy = "enable them at boot (for example cgroup_enable=memory) or leave the container that hides them"
        yield Lack(f"control group controllers missing: {', '.join(missing)}", remedy)
    for root in cgroups.hierarchies():
        if os.geteuid() == 0 and not os.access(root, os.W_OK):
            yield Lack(
                f"{root} is read-only", "run on a machine or a privileged container that may make control groups"
            )
            return


def _kernel(size: Size) -> Iterator[Lack]:
    """Try each kernel feature in a throw-away namespace that vanishes with the process."""
    trials = {
        "network namespaces": "true",
        "veth devices": "ip link add st-try0 type veth peer name st-try1",
        "bridge devices": "ip link add st-try type bridge",
        "nf_tables with NAT": "nft add table ip t && nft 'add chain ip t c { type nat hook output priority 0; }'",
    }
    if size.plan.isolated:
        trials["macvlan devices"] = f"{trials['veth devices']} && ip link add link st-try0 name st-try type macvlan"
    for feature, command in trials.items():
        tool = command.split()[0]
        if shutil.which(tool) is None:
            continue  # its package is still to come; the boot would say so
        done = subprocess.run(["unshare", "--net", "sh", "-c", command], check=False, capture_output=True, text=True)
        if done.returncode:
            yield Lack(f"no {feature}: {done.stderr.strip()}", "use a kernel, or a container, that has it")
    if "overlay" not in Path("/proc/filesystems").read_text():
        yield Lack("no overlay file system", "load it: modprobe overlay")


def _room(size: Size, *, built: bool) -> Iterator[Lack]:
    words = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    memory_mb = next(int(word[1]) for word in words if word[0] == "MemAvailable:") // 1024
    if memory_mb < size.memory_mb:
        yield Lack(f"{memory_mb} MB of memory available", f"the lab of size {size.name} needs {size.memory_mb} MB")
    needs = {paths.state(): DISK_RUN_MB}
    if not built:
        needs[paths.cache()] = DISK_BUILD_MB
    for folder, need_mb in needs.items():
        free_mb = shutil.disk_usage(_existing(folder)).free // 2**20
        if free_mb < need_mb:
            yield Lack(f"{free_mb} MB free under {folder}", f"{need_mb} MB are needed there")


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def _addresses(plan: Topology) -> Iterator[Lack]:
    """Find address ranges and names that the machine uses already for something else."""
    if shutil.which("ip") is None:
        return
    said = subprocess.run(
        ["ip", "-j", "-4", "route", "show", "table", "all"], check=False, capture_output=True, text=True
    )
    for route in json.loads(said.stdout or "[]"):
        destination, device = route.get("dst", "default"), route.get("dev", "?")
        if destination == "default" or device == "lo" or route.get("type", "unicast") != "unicast":
            continue
        used = ipaddress.IPv4Network(destination, strict=False)
        ours = {"ctlplane": plan.ctlplane, "pods": plan.pods, "Services": plan.services}
        for what, wanted in ours.items():
            if used.overlaps(wanted):
                remedy = f"take it off {device} while the lab is up (a libvirt default network often is the reason)"
                yield Lack(f"{used} is in use on {device}, and the lab's {what} range is {wanted}", remedy)
                break
    for left in network.leftovers(plan):
        yield Lack(f"the name of a {left} is taken", "`seatrial-lab down` removes what a lab left; else rename yours")
