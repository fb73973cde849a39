"""All of a lab that a trial might leave changed, read past the harness: objects, stopped processes, stores."""

from __future__ import annotations

import base64
import time
from typing import Any

import openstack

from tests.conftest import Lab

SPACES = ("openstack", "openstack-operators")
KINDS = (
    "services,deployments,statefulsets,daemonsets,configmaps,secrets,serviceaccounts,roles,rolebindings,"
    "poddisruptionbudgets,persistentvolumeclaims,leases,jobs,galeras,rabbitmqs,memcacheds,keystoneapis,mariadbdatabases,"
    "mariadbaccounts,transporturls,openstackcontrolplanes"
)
_GIVEN = ("clusterIP", "clusterIPs", "healthCheckNodePort", "ports")
"""What the platform gives to a Service that is made anew; its ports lose their node ports only."""
_ONE_POD = "statefulset.kubernetes.io/pod-name"
_STOPPED = "grep -ls '^[0-9]* (.*) T' /proc/[0-9]*/stat || true"


def facts(lab: Lab) -> dict[str, Any]:
    """Return everything that has to be after a trial as it was before."""
    pods = [pod for space in SPACES for pod in lab.get("pods", "-n", space)["items"]]
    running = [pod["metadata"] for pod in pods if pod["status"]["phase"] == "Running"]
    databases = [m["name"] for m in running if (m.get("labels") or {}).get("app") == "galera"]
    brokers = [m["name"] for m in running if (m.get("labels") or {}).get("app.kubernetes.io/component") == "rabbitmq"]
    return {
        "objects": {name: spec for space in SPACES for name, spec in _objects(lab, space)},
        "pods": sorted(_family(pod) for pod in pods),
        "not ready": sorted(pod["metadata"]["name"] for pod in pods if not _is_well(pod)),
        "stopped": [m["name"] for m in running if _inside(lab, m["namespace"], m["name"], "", "sh", "-c", _STOPPED)],
        "sql": {member: _sql(lab, member) for member in databases},
        "broker": _broker(lab, brokers[0]) if brokers else None,
        "projects": _projects(lab),
    }


def settled(lab: Lab, before: dict[str, Any], *, within_s: float = 120.0) -> dict[str, list[Any]]:
    """Return what differs from before once it differs no more, or when the time is over: by part, before and now."""
    deadline = time.monotonic() + within_s
    while True:
        differs = differences(before, facts(lab))
        if not differs or time.monotonic() > deadline:
            return differs
        time.sleep(3)


def differences(before: dict[str, Any], now: dict[str, Any]) -> dict[str, list[Any]]:
    """Return what differs, by part; of objects only those that differ."""
    found: dict[str, list[Any]] = {}
    for part, was in before.items():
        if part == "objects":
            names = sorted({*was, *now[part]})
            found |= {n: [was.get(n), now[part].get(n)] for n in names if was.get(n) != now[part].get(n)}
        elif was != now[part]:
            found[part] = [was, now[part]]
    return found


def _objects(lab: Lab, space: str) -> list[tuple[str, Any]]:
    return [
        (f"{m['kind']}/{space}/{m['metadata']['name']}", _spec(m))
        for m in lab.get(KINDS, "-n", space)["items"]
        # A leader that is elected anew is no difference.
        if m["kind"] != "Lease" or m["metadata"]["name"] == "seatrial"
    ]


def _spec(manifest: dict[str, Any]) -> Any:
    if manifest["kind"] == "Secret":
        return sorted(manifest.get("data") or {})
    if manifest["kind"] == "Service":
        kept = {key: value for key, value in manifest["spec"].items() if key not in _GIVEN}
        # Whom the clients of the database are sent to moves with its active member.
        return kept | {"selector": {k: v for k, v in (kept.get("selector") or {}).items() if k != _ONE_POD}}
    return manifest.get("spec", manifest.get("data"))


def _family(pod: dict[str, Any]) -> str:
    owner = next((o["name"] for o in pod["metadata"].get("ownerReferences") or []), pod["metadata"]["name"])
    return f"{pod['metadata']['namespace']}/{owner}"


def _is_well(pod: dict[str, Any]) -> bool:
    if pod["status"]["phase"] == "Succeeded":
        return True
    conditions = {c["type"]: c["status"] for c in pod["status"].get("conditions") or []}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def _inside(lab: Lab, space: str, pod: str, container: str, *argv: str, text: str | None = None) -> str:
    chosen = ["-c", container] if container else []
    return lab.kubectl("exec", *(["-i"] if text else []), "-n", space, pod, *chosen, "--", *argv, text=text).strip()


def _sql(lab: Lab, member: str) -> list[str]:
    galera = lab.get("galera", "openstack", "-n", SPACES[0])
    secret = lab.get("secret", galera["status"]["rootDatabaseSecret"], "-n", SPACES[0])
    password = base64.b64decode(secret["data"]["DatabasePassword"]).decode()
    ask = "SELECT schema_name FROM information_schema.schemata UNION SELECT CONCAT(user, '@', host) FROM mysql.user;"
    shell = "IFS= read -r MYSQL_PWD; export MYSQL_PWD; exec mysql -uroot --batch --skip-column-names"
    return sorted(
        _inside(lab, SPACES[0], member, "galera", "sh", "-c", shell, text=f"{password}\n{ask}\n").splitlines()
    )


def _broker(lab: Lab, pod: str) -> list[str]:
    users = _inside(lab, SPACES[0], pod, "rabbitmq", "rabbitmqctl", "-q", "list_users", "--no-table-headers")
    queues = _inside(lab, SPACES[0], pod, "rabbitmq", "rabbitmqctl", "-q", "list_queues", "name", "--no-table-headers")
    # The services' own reply queues come and go.
    return sorted([*(line.split()[0] for line in users.splitlines()), *(q for q in queues.split() if "seatrial" in q)])


def _projects(lab: Lab) -> list[str]:
    config = openstack.config.OpenStackConfig(config_files=[str(lab.target.parent / "clouds.yaml")])
    region = config.get_one("seatrial-lab")
    with openstack.connection.Connection(config=region) as cloud:
        listed = cloud.session.get(f"{region.get_auth_args()['auth_url']}/projects").json()["projects"]
    return sorted(project["name"] for project in listed)
