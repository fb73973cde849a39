"""One snapshot of a deployment: every layer read once, what could not be read recorded as a gap."""

from __future__ import annotations

from datetime import UTC, datetime

from seatrial.clients.deployment import Deployment
from seatrial.clients.kube import Kube, Manifest
from seatrial.discovery import custom, naming, ownership, serving, workloads
from seatrial.model.errors import BadInput, NotPermitted, Problem, Unreachable
from seatrial.model.inventory import Gap, Inventory, Node, Operator, Resource
from seatrial.model.known import cut
from seatrial.model.target import Namespaces

_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod")
_EXTRA_GROUPS = ("rabbitmq.com",)
"""Groups of operators that are not OpenStack's own but run its parts (RabbitmqCluster, until FR5)."""


def discover(deployment: Deployment) -> Inventory:
    """Read the deployment and return what it consists of.

    Raises ``Unreachable`` when the platform does not answer at all, ``BadInput`` when what answers is no OpenStack
    (its namespace is missing, or it serves no ``*.openstack.org`` resource). Anything less becomes a ``Gap``.
    """
    names = deployment.target.namespaces
    reader = _Reader(deployment.kube)
    _require_openstack(deployment, reader)
    found = {kind: reader.everywhere(kind, names) for kind in _WORKLOADS}
    resources = _custom(deployment.kube, reader, names)
    tree = ownership.Tree([*(m for kind in _WORKLOADS for m in found[kind]), *resources])
    slices = reader.everywhere("EndpointSlice", names)
    services = serving.services(reader.everywhere("Service", names), slices, tree)
    behind_api = serving.behind_api(services)
    components = workloads.components(found, tree, behind_api)
    operators = [c for c in components if c.kind == "Deployment" and naming.OPERATOR_LABEL in c.labels]
    return Inventory(
        taken_at=datetime.now(UTC),
        nodes=tuple(_node(m) for m in reader.read("Node")),
        components=tuple(c for c in components if c not in operators),
        services=serving.named(services, components),
        resources=_kept(resources, tree, reader),
        operators=tuple(
            Operator(c.labels[naming.OPERATOR_LABEL], c, c.owners[0] if c.owners else None) for c in operators
        ),
        gaps=tuple(reader.gaps),
    )


class _Reader:
    """Lists objects; what can't be listed is remembered instead of raised."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self.gaps: list[Gap] = []

    def read(self, kind: str, namespace: str | None = None) -> list[Manifest]:
        """Return all objects of a kind, or none and a gap."""
        try:
            return self._kube.list(kind, namespace=namespace)
        except (Unreachable, NotPermitted) as problem:
            where = f"{kind.lower()}/{namespace}/*" if namespace else f"{kind.lower()}/*"
            self.gaps.append(Gap(where, str(problem)))
            return []

    def everywhere(self, kind: str, names: Namespaces) -> list[Manifest]:
        """Return all objects of a kind in the namespaces of the deployment."""
        spaces = dict.fromkeys((names.control_plane, names.operators))
        return [manifest for namespace in spaces for manifest in self.read(kind, namespace)]


def _require_openstack(deployment: Deployment, reader: _Reader) -> None:
    kube, target = deployment.kube, deployment.target
    if not any(kind.group.endswith(naming.GROUP_SUFFIX) for kind in kube.kinds()):
        where = f"kubernetes: {target.kubernetes}"
        found = "a platform that serves no *.openstack.org resource"
        raise BadInput([Problem(where, found, "a platform on which OpenStack operators are installed")])
    problems: list[Problem] = []
    for key, name in (("control_plane", target.namespaces.control_plane), ("operators", target.namespaces.operators)):
        try:
            if kube.get("Namespace", name) is None:
                problems.append(Problem(f"namespaces.{key}", f"{name!r}, which does not exist", "a namespace there"))
        except NotPermitted as denied:
            reader.gaps.append(Gap(f"namespace/{name}", str(denied)))
    if problems:
        raise BadInput(problems)


def _custom(kube: Kube, reader: _Reader, names: Namespaces) -> list[Manifest]:
    wanted = [
        kind
        for kind in kube.kinds()
        if kind.namespaced and (kind.group.endswith(naming.GROUP_SUFFIX) or kind.group in _EXTRA_GROUPS)
    ]
    return [m for kind in wanted for m in reader.everywhere(f"{kind.name}.{kind.group}", names)]


def _kept(manifests: list[Manifest], tree: ownership.Tree, reader: _Reader) -> tuple[Resource, ...]:
    """Return what is kept of each custom resource; one that is not shaped as its kind is a gap."""
    found: list[Resource] = []
    for manifest in manifests:
        try:
            found.append(custom.resource(manifest, tree))
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as odd:
            metadata = manifest["metadata"]
            where = f"{manifest['kind'].lower()}/{metadata.get('namespace', '')}/{metadata['name']}"
            reader.gaps.append(Gap(where, f"it is not shaped as its kind ({type(odd).__name__}: {cut(str(odd), 200)})"))
    return tuple(found)


def _node(manifest: Manifest) -> Node:
    status = manifest.get("status") or {}
    addresses = {a["type"]: a["address"] for a in status.get("addresses") or []}
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or [])
    return Node(
        name=manifest["metadata"]["name"],
        ip=addresses.get("InternalIP", ""),
        ready=ready,
        schedulable=not (manifest.get("spec") or {}).get("unschedulable", False),
    )
