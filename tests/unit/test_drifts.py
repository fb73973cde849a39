"""Drift is made where nobody notices: canaries first, and never what gives members of a cluster their names."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from seatrial.engine.drifts import KEEPERS, Change, ConfigMap, Drift, drifts
from seatrial.faults.config import AlterConfigMap
from seatrial.faults.drift import DeleteObject, SetReplicas
from seatrial.model.inventory import Inventory, Owner, Resource, Role, ServiceObject
from tests.unit import eyes_evidence as eyes

KEYSTONE = Owner("KeystoneAPI", "keystone", "u-keystone")
POD = {"statefulset.kubernetes.io/pod-name": "openstack-galera-0"}
LABELS = {"service": "keystone", "owner": "keystone"}
OWNERS = ("u-openstack-db", "u-rabbitmq", "u-memcached", "u-keystone", "u-northd", "", "nobody")
BACKENDS = (eyes.KEYSTONE, eyes.GALERA, eyes.RABBIT, eyes.MEMCACHED, eyes.GALERA[:1], [])


def service(name: str, *, endpoint: str = "internal", owner: Owner = KEYSTONE) -> ServiceObject:
    """A Service to which any API of the cloud sends its users from inside."""
    labels = {"endpoint": endpoint, "service": "keystone"} if endpoint else {"service": "keystone"}
    pods = tuple(eyes.KEYSTONE)
    return ServiceObject(
        name, "openstack", "keystone", "ClusterIP", "172.30.0.5", (), (), LABELS, pods, labels, (owner,)
    )


def cloud(*services: ServiceObject, resources: tuple[Resource, ...] = ()) -> Inventory:
    """The small deployment of the other tests, with these Services, and with OVN."""
    whole = eyes.inventory()
    northd = replace(eyes.resource("OVNNorthd", "ovnnorthd", 1, group="ovn.openstack.org"), uid="u-northd")
    owner = Owner("OVNNorthd", "ovnnorthd", "u-northd")
    made = eyes.component("ovn", "ovn-northd", kind="StatefulSet", role=Role.WORKER, pods=["ovn-northd-0"], owner=owner)
    components = (*whole.components, made)
    return replace(whole, services=services, components=components, resources=(*whole.resources, northd, *resources))


def deleted(inventory: Inventory) -> list[str]:
    return [drift.fault.name for drift in drifts(inventory) if isinstance(drift.fault, DeleteObject)]


@st.composite
def any_service(draw: st.DrawFn) -> ServiceObject:
    """Any Service that some platform may have."""
    owners = draw(st.sampled_from([(), (KEYSTONE,), (Owner("Galera", "openstack", "u-openstack-db"),)]))
    return ServiceObject(
        name=draw(st.sampled_from(["keystone-internal", "keystone-public", "rabbitmq-nodes", "memcached", "a", "z"])),
        namespace="openstack",
        service=draw(st.sampled_from(["keystone", "galera", "rabbitmq", "ovn", ""])),
        type=draw(st.sampled_from(["ClusterIP", "LoadBalancer", "NodePort", "ExternalName"])),
        cluster_ip=draw(st.sampled_from(["172.30.0.5", "", "None"])),
        external_ips=draw(st.sampled_from([(), ("192.0.2.7",)])),
        ports=(),
        selector=draw(st.sampled_from([LABELS, POD, {}])),
        backends=tuple(draw(st.sampled_from(BACKENDS))),
        labels=draw(st.sampled_from([{}, {"endpoint": "internal"}, {"endpoint": "public"}])),
        owners=owners,
    )


@st.composite
def any_cloud(draw: st.DrawFn) -> tuple[Inventory, list[ConfigMap]]:
    """A deployment in which anything may be owned by anybody, or by nobody."""
    inventory = cloud(*draw(st.lists(any_service(), max_size=6)))
    lost = draw(st.sets(st.sampled_from([component.name for component in inventory.components])))
    components = tuple(replace(c, owners=()) if c.name in lost else c for c in inventory.components)
    maps = st.builds(
        ConfigMap,
        name=st.sampled_from(["openstack-scripts", "rabbitmq-plugins-conf", "openstack-config", "custom"]),
        namespace=st.sampled_from(["openstack", "elsewhere"]),
        owner=st.sampled_from(OWNERS),
    )
    return replace(inventory, components=components), draw(st.lists(maps, max_size=6))


@given(any_cloud())
def test_no_drift_touches_what_somebody_needs(found: tuple[Inventory, list[ConfigMap]]) -> None:
    """Whatever it consists of: no headless Service, none of a cluster, no instance fewer, nothing foreign."""
    inventory, config_maps = found
    chosen = drifts(inventory, config_maps)
    services = {s.name: [other for other in inventory.services if other.name == s.name] for s in inventory.services}
    apis = {r.name for c in inventory.components if c.role is Role.API for r in c.replicas}
    owner_of = {r.uid: r for r in inventory.resources}
    for drift in chosen:
        if isinstance(drift.fault, DeleteObject):
            assert drift.fault.object_kind == "Service"
            assert any(
                s.type == "ClusterIP"
                and s.cluster_ip == "172.30.0.5"
                and s.selector == LABELS
                and s.labels == {"endpoint": "internal"}
                and s.owners
                and apis.issuperset(s.backends)
                for s in services[drift.fault.name]
            )
        elif isinstance(drift.fault, SetReplicas):
            component = next(c for c in inventory.components if c.name == drift.fault.component)
            assert drift.fault.to == component.desired + 1
            assert component.owners
        else:
            mine = [c for c in config_maps if (c.name, c.namespace) == (drift.fault.name, drift.fault.namespace)]
            assert any(owner_of[c.owner].kind in KEEPERS for c in mine if c.owner in owner_of)


@given(any_cloud())
def test_each_operator_gets_at_most_one_drift_of_each_kind(found: tuple[Inventory, list[ConfigMap]]) -> None:
    """The more an operator deploys, the more would be disturbed for the same answer."""
    counted = Counter((drift.operator, drift.change) for drift in drifts(*found))
    assert all(count == 1 for count in counted.values())


@given(any_cloud())
def test_canaries_come_first_and_services_last(found: tuple[Inventory, list[ConfigMap]]) -> None:
    """An operator that corrects nothing shows it on what nobody needs, before a Service is gone."""
    kinds = [list(Change).index(drift.change) for drift in drifts(*found)]
    assert kinds == sorted(kinds)


@given(any_cloud(), st.randoms(use_true_random=False))
def test_the_same_deployment_gets_the_same_drift(found: tuple[Inventory, list[ConfigMap]], chance: object) -> None:
    """In whatever order the platform lists things of different names."""
    inventory, config_maps = found
    services = list({s.name: s for s in inventory.services}.values())
    maps = list({c.name: c for c in config_maps}.values())
    before = drifts(replace(inventory, services=tuple(services)), maps)
    after = drifts(replace(inventory, services=tuple(reversed(services))), list(reversed(maps)))
    assert before == after


def test_a_deployment_as_on_openshift_keeps_its_services() -> None:
    """Load balancers inside, Routes outside, headless ones for clusters: nothing is deleted on such a one."""
    public = replace(eyes.resource("KeystoneEndpoint", "k", 1, group="keystone.openstack.org"), uid="u-endpoint")
    inventory = cloud(
        replace(service("openstack"), selector=POD),
        replace(service("openstack-galera", endpoint=""), cluster_ip=""),
        replace(service("rabbitmq", endpoint=""), type="LoadBalancer"),
        replace(service("rabbitmq-nodes", endpoint=""), cluster_ip=""),
        replace(service("memcached", endpoint=""), cluster_ip=""),
        replace(service("ovsdbserver-nb", endpoint=""), cluster_ip=""),
        replace(service("ovsdbserver-nb-0"), selector=POD),
        replace(service("keystone-internal"), type="LoadBalancer", external_ips=("172.17.0.80",)),
        service("keystone-public", endpoint="public"),
        service("horizon", endpoint=""),
        resources=(public,),
    )
    assert deleted(inventory) == []


def test_a_service_that_only_the_inside_uses_may_go_at_last() -> None:
    """It is the one kind that has neither a member's name, nor anybody outside who knows its address."""
    assert deleted(cloud(service("keystone-internal"), service("keystone-public", endpoint="public"))) == [
        "keystone-internal"
    ]


def test_a_service_that_the_catalogue_shows_the_public_stays() -> None:
    """Whatever its label says."""
    shown = {"endpoints": {"public": "https://keystone-internal.openstack.svc:5000/v3"}}
    endpoint = replace(eyes.resource("KeystoneEndpoint", "keystone", 1, group="keystone.openstack.org"), spec=shown)
    assert deleted(cloud(service("keystone-internal"), resources=(replace(endpoint, uid="u-endpoint"),))) == []


def test_what_no_operator_owns_is_left_alone() -> None:
    """Somebody's own ConfigMap, Deployment or Service is nobody's drift."""
    monitoring = Owner("Prometheus", "metrics", "u-metrics")
    inventory = cloud(service("keystone-internal", owner=monitoring))
    orphaned = replace(inventory, components=tuple(replace(c, owners=(monitoring,)) for c in inventory.components))
    assert (
        drifts(orphaned, [ConfigMap("custom", "openstack", ""), ConfigMap("metrics", "openstack", "u-metrics")]) == []
    )


def test_a_broker_that_another_operator_deploys_is_not_tried_with_a_key() -> None:
    """Before 18.0 FR6 the RabbitMq only asks for a RabbitmqCluster, and nobody watches its own ConfigMap."""
    key = [ConfigMap("rabbitmq-config-data", "openstack", "u-rabbitmq")]
    inventory = cloud()
    assert [drift.change for drift in drifts(inventory, key)] == [Change.FOREIGN_KEY, Change.REPLICAS]
    older = Owner("RabbitmqCluster", "rabbitmq", "u-cluster")
    components = tuple(
        replace(c, owners=(older, *c.owners)) if c.service == "rabbitmq" else c for c in inventory.components
    )
    assert [drift.change for drift in drifts(replace(inventory, components=components), key)] == [Change.REPLICAS]


def test_the_drift_of_a_small_cloud() -> None:
    """A key for each operator that keeps ConfigMaps, an instance of Keystone more, and its inner Service."""
    maps = [
        ConfigMap("rabbitmq-server-conf", "openstack", "u-rabbitmq"),
        ConfigMap("openstack-scripts", "openstack", "u-openstack-db"),
        ConfigMap("openstack-config-data", "openstack", "u-openstack-db"),
        ConfigMap("openstack-config", "openstack", "u-keystone"),
        ConfigMap("memcached-config-data", "openstack", "u-memcached"),
    ]
    chosen = drifts(cloud(service("keystone-internal")), maps)
    assert chosen == [
        Drift(
            "mariadb",
            Change.FOREIGN_KEY,
            "configmap/openstack/openstack-config-data",
            AlterConfigMap("openstack-config-data", "openstack"),
        ),
        Drift(
            "infra",
            Change.FOREIGN_KEY,
            "configmap/openstack/rabbitmq-server-conf",
            AlterConfigMap("rabbitmq-server-conf", "openstack"),
        ),
        Drift("keystone", Change.REPLICAS, "deployment/openstack/keystone", SetReplicas("keystone", 3)),
        Drift(
            "keystone",
            Change.DELETION,
            "service/openstack/keystone-internal",
            DeleteObject("Service", "keystone-internal", "openstack"),
        ),
    ]
