"""The kinds of object that the lab's operators read and write, and where the Kubernetes API keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of Kubernetes object and its address in the API."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """What manifests say in `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """Where the API serves the collection, one object of it, or a part of that object."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        rest = "".join(f"/{part}" for part in (self.plural, name, subresource) if part)
        return root + scope + rest


def _openstack(area: str, kind: str, plural: str) -> Resource:
    return Resource(f"{area}.openstack.org", "v1beta1", kind, plural)


POD: Final = Resource("", "v1", "Pod", "pods")
SERVICE: Final = Resource("", "v1", "Service", "services")
ENDPOINTS: Final = Resource("", "v1", "Endpoints", "endpoints")
SECRET: Final = Resource("", "v1", "Secret", "secrets")
CONFIG_MAP: Final = Resource("", "v1", "ConfigMap", "configmaps")
SERVICE_ACCOUNT: Final = Resource("", "v1", "ServiceAccount", "serviceaccounts")
PERSISTENT_VOLUME_CLAIM: Final = Resource("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")
NAMESPACE: Final = Resource("", "v1", "Namespace", "namespaces", namespaced=False)
STORAGE_CLASS: Final = Resource("storage.k8s.io", "v1", "StorageClass", "storageclasses", namespaced=False)
STATEFUL_SET: Final = Resource("apps", "v1", "StatefulSet", "statefulsets")
DEPLOYMENT: Final = Resource("apps", "v1", "Deployment", "deployments")
DAEMON_SET: Final = Resource("apps", "v1", "DaemonSet", "daemonsets")
JOB: Final = Resource("batch", "v1", "Job", "jobs")
CRON_JOB: Final = Resource("batch", "v1", "CronJob", "cronjobs")
POD_DISRUPTION_BUDGET: Final = Resource("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
ROLE: Final = Resource("rbac.authorization.k8s.io", "v1", "Role", "roles")
ROLE_BINDING: Final = Resource("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings")
CLUSTER_ROLE: Final = Resource("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", namespaced=False)
CLUSTER_ROLE_BINDING: Final = Resource(
    "rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False
)

OPENSTACK: Final = _openstack("operator", "OpenStack", "openstacks")
CONTROL_PLANE: Final = _openstack("core", "OpenStackControlPlane", "openstackcontrolplanes")
GALERA: Final = _openstack("mariadb", "Galera", "galeras")
MARIADB_DATABASE: Final = _openstack("mariadb", "MariaDBDatabase", "mariadbdatabases")
MARIADB_ACCOUNT: Final = _openstack("mariadb", "MariaDBAccount", "mariadbaccounts")
RABBITMQ: Final = _openstack("rabbitmq", "RabbitMq", "rabbitmqs")
TRANSPORT_URL: Final = _openstack("rabbitmq", "TransportURL", "transporturls")
MEMCACHED: Final = _openstack("memcached", "Memcached", "memcacheds")
KEYSTONE_API: Final = _openstack("keystone", "KeystoneAPI", "keystoneapis")
KEYSTONE_SERVICE: Final = _openstack("keystone", "KeystoneService", "keystoneservices")
KEYSTONE_ENDPOINT: Final = _openstack("keystone", "KeystoneEndpoint", "keystoneendpoints")
PLACEMENT_API: Final = _openstack("placement", "PlacementAPI", "placementapis")
GLANCE: Final = _openstack("glance", "Glance", "glances")
GLANCE_API: Final = _openstack("glance", "GlanceAPI", "glanceapis")
NOVA: Final = _openstack("nova", "Nova", "nova")
NOVA_API: Final = _openstack("nova", "NovaAPI", "novaapis")
NOVA_CELL: Final = _openstack("nova", "NovaCell", "novacells")
NOVA_CONDUCTOR: Final = _openstack("nova", "NovaConductor", "novaconductors")
NOVA_METADATA: Final = _openstack("nova", "NovaMetadata", "novametadata")
NOVA_NO_VNC_PROXY: Final = _openstack("nova", "NovaNoVNCProxy", "novanovncproxies")
NOVA_SCHEDULER: Final = _openstack("nova", "NovaScheduler", "novaschedulers")
NEUTRON_API: Final = _openstack("neutron", "NeutronAPI", "neutronapis")
OVN_DB_CLUSTER: Final = _openstack("ovn", "OVNDBCluster", "ovndbclusters")
OVN_NORTHD: Final = _openstack("ovn", "OVNNorthd", "ovnnorthds")
OVN_CONTROLLER: Final = _openstack("ovn", "OVNController", "ovncontrollers")
NET_CONFIG: Final = _openstack("network", "NetConfig", "netconfigs")
IP_SET: Final = _openstack("network", "IPSet", "ipsets")
RESERVATION: Final = _openstack("network", "Reservation", "reservations")
DNS_MASQ: Final = _openstack("network", "DNSMasq", "dnsmasqs")
DNS_DATA: Final = _openstack("network", "DNSData", "dnsdata")
NODE_SET: Final = _openstack("dataplane", "OpenStackDataPlaneNodeSet", "openstackdataplanenodesets")
DATA_PLANE_SERVICE: Final = _openstack("dataplane", "OpenStackDataPlaneService", "openstackdataplaneservices")
DATA_PLANE_DEPLOYMENT: Final = _openstack("dataplane", "OpenStackDataPlaneDeployment", "openstackdataplanedeployments")
NETWORK_ATTACHMENT: Final = Resource(
    "k8s.cni.cncf.io", "v1", "NetworkAttachmentDefinition", "network-attachment-definitions"
)

KNOWN: Final[dict[tuple[str, str], Resource]] = {
    (resource.api_version, resource.kind): resource
    for resource in list(globals().values())
    if isinstance(resource, Resource)
}


def resource_of(manifest: Json) -> Resource:
    """The kind of a manifest; one that no operator of the lab handles is a mistake in the manifest."""
    key = (str(manifest.get("apiVersion")), str(manifest.get("kind")))
    if key not in KNOWN:
        known = ", ".join(sorted(kind for _, kind in KNOWN))
        raise ValueError(f"no operator handles {key[1]} of {key[0]}; known kinds: {known}")
    return KNOWN[key]
