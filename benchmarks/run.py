"""Measures the lab and the harness, and prints one table; compares in one run where a ratio is meant.

    make bench

Boot and down of the lab (three times), discovery, a conformance run, and a known outage: a rule in a node's namespace
drops every packet to one port for an exactly known time, and the harness's own path probe says how long it saw it.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

BOOTS = 3
CUTS_S = (0.1, 0.5, 2.0)
NODES = tuple(f"/run/netns/seatrial-node-{n}" for n in range(3))
"""The lab's own namespaces: a rule in them goes away with the lab, even if this program is killed."""


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    """Run a command of ours that must succeed."""
    return subprocess.run([sys.executable, "-m", *argv], check=True, capture_output=True, text=True)


def timed(work: Callable[[], object]) -> float:
    """Return how long something took, in seconds."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


def row(what: str, seconds: list[float], note: str = "") -> None:
    """Print one line: least, median, most."""
    low, middle, high = min(seconds), statistics.median(seconds), max(seconds)
    print(f"{what:44} {low:8.2f} {middle:8.2f} {high:8.2f} s  {note}")


def known_outages(target: Path) -> None:
    """Drop packets to Keystone's public address for known times, and compare with what the path probe saw."""
    from seatrial.entry.target import load_target  # noqa: PLC0415 (after the lab is up)
    from seatrial.traffic.measuring import outages_of_public_path  # noqa: PLC0415 (likewise)

    table = "seatrial_bench"
    for cut in CUTS_S:

        def cut_off(cut: float = cut) -> float:
            rule = f"add table ip {table}\nadd chain ip {table} c {{ type filter hook prerouting priority -300; }}\n"
            rule += f"add rule ip {table} c iifname eth0 tcp dport 5000 drop\n"
            for node in NODES:
                subprocess.run(["nsenter", f"--net={node}", "nft", "-f", "-"], input=rule, text=True, check=True)
            began = time.monotonic()
            time.sleep(cut)
            for node in NODES:
                subprocess.run(["nsenter", f"--net={node}", "nft", "delete", "table", "ip", table], check=True)
            return time.monotonic() - began

        real, seen = outages_of_public_path(load_target(target), cut_off)
        print(f"{f'outage of {real:.3f} s, as measured':44} {seen:8.3f} s  off by {1000 * (seen - real):+.0f} ms")


def main() -> None:
    """Measure everything, in a lab of our own."""
    print(f"{'what':44} {'least':>8} {'median':>8} {'most':>8}")
    ups, downs = [], []
    for boot in range(BOOTS):
        ups.append(timed(lambda: run("seatrial_lab", "up")))
        if boot < BOOTS - 1:
            downs.append(timed(lambda: run("seatrial_lab", "down")))
    try:
        row("lab core up, everything built", ups)
        target = Path(run("seatrial_lab", "target", "--file").stdout.strip())
        discoveries = [timed(lambda: run("seatrial", "discover", "--target", str(target), "--json")) for _ in range(3)]
        row("discovery, the program's start included", discoveries)
        with tempfile.TemporaryDirectory() as out:
            took = timed(lambda: run("seatrial", "run", "conformance", "--target", str(target), "--out", out))
            row("conformance run", [took])
            journal = next(Path(out).glob("*/journal.jsonl")).read_text().splitlines()
            events = [json.loads(line) for line in journal]
            census = [e["data"]["took_s"] for e in events if e.get("data", {}).get("probe") == "census"]
            row("census (its window included)", census)
        known_outages(target)
    finally:
        downs.append(timed(lambda: run("seatrial_lab", "down")))
    row("lab core down", downs)


if __name__ == "__main__":
    main()
