"""One database member keeps what it is told to itself: replication is switched off on it."""

from __future__ import annotations

from seatrial_lab.platform.apply import Kubectl
from seatrial_lab.violations.deviation import Violation, is_ready, rolled_out, sql, until

SET = "openstack-galera"


def _victim(kubectl: Kubectl) -> str:
    """Return a member that clients are not sent to, so that the deviation is quiet."""
    active = kubectl.get("service", "openstack", "-n", "openstack")["spec"]["selector"]
    members = kubectl.get("pods", "-n", "openstack", "-l", "app=galera")["items"]
    names = sorted(str(pod["metadata"]["name"]) for pod in members if is_ready(pod))
    return next(name for name in reversed(names) if name != active.get("statefulset.kubernetes.io/pod-name"))


def _apply(kubectl: Kubectl) -> None:
    sql(kubectl, _victim(kubectl), "SET GLOBAL wsrep_on=OFF;")


def _revert(kubectl: Kubectl) -> None:
    """Rows written meanwhile make that member differ from the others: it must fetch everything anew."""
    names = [pod["metadata"]["name"] for pod in kubectl.get("pods", "-n", "openstack", "-l", "app=galera")["items"]]
    for name in names:
        if sql(kubectl, name, "SELECT @@GLOBAL.wsrep_on;").strip() in ("0", "OFF"):
            kubectl.run(
                "exec", "-n", "openstack", name, "-c", "galera", "--", "rm", "-f", "/var/lib/mysql/grastate.dat"
            )
            kubectl.run("delete", "pod", name, "-n", "openstack", "--grace-period=0", "--force")
    until("the member's return", lambda: rolled_out(kubectl, "statefulset", SET))


VIOLATION = Violation("wsrep-off", "DB-4", "one database member does not replicate what it is told", _apply, _revert)
