"""The infra operator's networks: no address is given twice, and compute nodes hear of every load balancer."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Network
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial_lab.operators.common.conditions import Conditions
from seatrial_lab.operators.common.exposure import DNS_NAME
from seatrial_lab.operators.common.kube import Kube
from seatrial_lab.operators.common.reconciler import NotYet, Round
from seatrial_lab.operators.common.resources import Json, Resource, resource_of
from seatrial_lab.operators.infra import dns, ip_set
from seatrial_lab.operators.infra.addresses import NoAddress, allocate, find, reservation

CIDR = IPv4Network("172.17.0.0/24")
SUBNET: Json = {
    "name": "subnet1",
    "cidr": str(CIDR),
    "vlan": 20,
    "allocationRanges": [{"start": "172.17.0.100", "end": "172.17.0.103"}],
}
CONFIG: Json = {
    "metadata": {"name": "netconfig", "namespace": "openstack"},
    "spec": {"networks": [{"name": "internalapi", "dnsDomain": "internalapi.example.com", "subnets": [SUBNET]}]},
}


class Api:
    """Stands in for the API server: objects by kind and name; others get their turn between any two questions."""

    def __init__(self, *objects: Json) -> None:
        self.objects = {(o["kind"], o["metadata"]["name"]): o for o in objects}

    async def get(self, resource: Resource, name: str, **_: object) -> Json | None:
        await asyncio.sleep(0)
        return self.objects.get((resource.kind, name))

    async def list(self, resource: Resource, *, labels: dict[str, str] | None = None, **_: object) -> list[Json]:
        await asyncio.sleep(0)
        wanted = (labels or {}).items()
        return [
            found
            for (kind, _), found in self.objects.items()
            if kind == resource.kind and wanted <= (found["metadata"].get("labels") or {}).items()
        ]

    async def apply(self, manifest: Json) -> Json:
        await asyncio.sleep(0)
        key = (resource_of(manifest).kind, manifest["metadata"]["name"])
        status = self.objects.get(key, {}).get("status", {})
        meta = {"uid": str(key), "resourceVersion": "1", "generation": 1, **manifest["metadata"]}
        self.objects[key] = {**manifest, "metadata": meta, "status": status}
        return self.objects[key]

    async def patch(self, resource: Resource, name: str, patch: Json, **_: object) -> Json:
        meta = self.objects[resource.kind, name]["metadata"]
        meta["annotations"] = {**meta.get("annotations", {}), **patch["metadata"]["annotations"]}
        return self.objects[resource.kind, name]


def a_round(api: Api, kind: str, name: str, spec: Json, conditions: tuple[str, ...]) -> Round:
    meta = {"name": name, "namespace": "openstack", "uid": name, "generation": 1}
    cr = {"apiVersion": "network.openstack.org/v1beta1", "kind": kind, "metadata": meta, "spec": spec}
    return Round(cast("Kube", api), cr, Conditions(conditions), {})


def an_ip_set(api: Api, ip_set_name: str, **asked: str) -> Round:
    network = {"name": "InternalApi", "subnetName": "subnet1", **asked}
    return a_round(api, "IPSet", ip_set_name, {"networks": [network]}, ("InputReady", "ReservationReady"))


def net_config() -> Json:
    return {**CONFIG, "kind": "NetConfig", "apiVersion": "network.openstack.org/v1beta1"}


addresses = st.integers(1, 254).map(lambda n: str(CIDR[n]))


@given(
    ends=st.lists(st.tuples(st.integers(1, 254), st.integers(1, 254)).map(sorted), max_size=3),
    taken=st.sets(addresses, max_size=30),
    excluded=st.sets(addresses, max_size=10),
    fixed=st.just("") | addresses,
    kept=st.just("") | addresses,
)
def test_an_address_is_free_and_of_its_range_or_the_fixed_one(
    ends: list[list[int]], taken: set[str], excluded: set[str], fixed: str, kept: str
) -> None:
    """Whatever is asked, nothing taken or excluded is given; what is refused really can't be had."""
    ranges = [{"start": str(CIDR[a]), "end": str(CIDR[b])} for a, b in ends]
    subnet = {**SUBNET, "allocationRanges": ranges, "excludeAddresses": sorted(excluded), "gateway": "172.17.0.1"}
    free = {str(CIDR[n]) for a, b in ends for n in range(a, b + 1)} - taken - excluded - {"172.17.0.1"}
    try:
        got = allocate(subnet, taken, fixed=fixed, kept=kept)
    except NoAddress:
        assert (fixed in taken | excluded | {"172.17.0.1"}) if fixed else not free
    else:
        assert got not in taken | excluded
        assert got == fixed if fixed else got in free
        if not fixed and kept in free:
            assert got == kept


def test_sets_that_ask_at_once_get_different_addresses_until_none_is_left() -> None:
    """Four addresses for six machines: four are served, the others are told why, and are served when one is freed."""
    api = Api(net_config())
    rounds = [an_ip_set(api, f"compute-{n}") for n in range(6)]

    def addresses_of(chosen: list[Round]) -> list[str]:
        return [one.status["reservations"][0]["address"] for one in chosen]

    async def serve(chosen: list[Round]) -> list[BaseException | None]:
        return await asyncio.gather(*(ip_set.reconcile(one) for one in chosen), return_exceptions=True)

    async def play() -> None:
        ended = await serve(rounds)
        served = [one for one, end in zip(rounds, ended, strict=True) if end is None]
        got = addresses_of(served)
        assert sorted(got) == [str(CIDR[n]) for n in range(100, 104)]
        refused = [end for end in ended if isinstance(end, NotYet)]
        assert len(refused) == 2
        assert all("no free address" in str(end) and end.condition == "ReservationReady" for end in refused)
        assert await serve(served) == [None] * 4
        assert addresses_of(served) == got
        del api.objects["Reservation", served[1].name]
        waiting = [one for one in rounds if one not in served][:1]
        assert await serve(waiting) == [None]
        assert addresses_of(waiting) == got[1:2]

    asyncio.run(play())


def test_a_fixed_address_is_honoured_and_never_given_twice() -> None:
    """The second that asks for it is told so."""
    api = Api(net_config())
    first, second = (an_ip_set(api, name, fixedIP="172.17.0.200") for name in ("a", "b"))
    asyncio.run(ip_set.reconcile(first))
    assert first.status["reservations"][0]["address"] == "172.17.0.200"
    assert api.objects["Reservation", "a"]["metadata"]["labels"] == {"ipam/internalapi": "subnet1"}
    with pytest.raises(NotYet, match="reserved already"):
        asyncio.run(ip_set.reconcile(second))


@pytest.mark.parametrize(
    ("objects", "network", "names"),
    [
        ([], {}, "no NetConfig"),
        ([net_config()], {"name": "storage"}, "storage.*internalapi"),
        ([net_config()], {"subnetName": "subnet9"}, "subnet9.*subnet1"),
    ],
)
def test_what_is_missing_is_named(objects: list[Json], network: Json, names: str) -> None:
    """Before anything is reserved."""
    api = Api(*objects)
    with pytest.raises(NotYet, match=names) as told:
        asyncio.run(ip_set.reconcile(an_ip_set(api, "a", **network)))
    assert (told.value.condition, told.value.severity) == ("InputReady", "Error")


def test_the_default_route_is_told_with_its_gateway() -> None:
    """As in RHOSO's own assertion of an IPSet."""
    subnet = {**SUBNET, "gateway": "172.17.0.1"}
    network, _ = find(CONFIG, "INTERNALAPI", "subnet1")
    told = reservation({"defaultRoute": True}, network, subnet, "172.17.0.100")
    assert told == {
        "network": "internalapi",
        "subnet": "subnet1",
        "address": "172.17.0.100",
        "cidr": "172.17.0.0/24",
        "dnsDomain": "internalapi.example.com",
        "mtu": 1500,
        "vlan": 20,
        "gateway": "172.17.0.1",
        "routes": [{"destination": "0.0.0.0/0", "nexthop": "172.17.0.1"}],
    }
    assert "gateway" not in reservation({}, network, subnet, "172.17.0.100")


def a_service(name: str, kind: str, address: str | None, hostname: str | None) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "annotations": {DNS_NAME: hostname} if hostname else {}},
        "spec": {"type": kind},
        "status": {"loadBalancer": {"ingress": [{"ip": address}] if address else []}},
    }


def test_only_load_balancers_with_a_name_and_an_address_are_told() -> None:
    """Names that share an address share a line; the order does not depend on that of the Services."""
    services = [
        a_service("nova-internal", "LoadBalancer", "172.17.0.80", "nova-internal.openstack.svc"),
        a_service("keystone-internal", "LoadBalancer", "172.17.0.80", "keystone-internal.openstack.svc"),
        a_service("rabbitmq", "LoadBalancer", "172.17.0.85", "rabbitmq.openstack.svc"),
        a_service("waits", "LoadBalancer", None, "waits.openstack.svc"),
        a_service("inner", "ClusterIP", None, "inner.openstack.svc"),
        a_service("nameless", "LoadBalancer", "172.17.0.86", None),
    ]
    wanted = [
        {"ip": "172.17.0.80", "hostnames": ["keystone-internal.openstack.svc", "nova-internal.openstack.svc"]},
        {"ip": "172.17.0.85", "hostnames": ["rabbitmq.openstack.svc"]},
    ]
    assert dns.hosts_of(services) == dns.hosts_of(services[::-1]) == wanted


def test_new_names_leave_the_deployment_alone_and_touch_the_pod() -> None:
    """A name server is not restarted for new names; a changed option does restart it."""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "dnsmasq-dns-x", "labels": {"service": "dnsmasq"}}}
    api = Api(pod, a_service("rabbitmq", "LoadBalancer", "172.17.0.85", "rabbitmq.openstack.svc"))

    def look(**spec: Any) -> tuple[Json, str, str]:
        with pytest.raises(NotYet, match="0 of 1"):
            asyncio.run(dns.reconcile(a_round(api, "DNSMasq", "dns", spec, ())))
        data = api.objects["DNSData", "dns-svc"]
        asyncio.run(dns.reconcile_data(a_round(api, "DNSData", "dns-svc", data["spec"], ())))
        annotations: Json = api.objects["Pod", "dnsmasq-dns-x"]["metadata"]["annotations"]
        hosts = api.objects["ConfigMap", "dns-hosts"]["data"]
        return api.objects["Deployment", "dnsmasq-dns"]["spec"], annotations[dns.HOSTS_HASH], str(hosts)

    look()
    before, stamp, hosts = look()
    assert "172.17.0.85 rabbitmq.openstack.svc" in hosts
    api.objects["Service", "cell1"] = a_service("cell1", "LoadBalancer", "172.17.0.86", "cell1.openstack.svc")
    look()
    after, new_stamp, hosts = look()
    assert "172.17.0.86 cell1.openstack.svc" in hosts
    assert after == before
    assert new_stamp != stamp
    assert look(options=[{"key": "server", "values": ["192.168.122.1"]}])[0] != before


@given(st.lists(st.sampled_from(["server", "cname", "host-record"]), max_size=4))
def test_a_server_answers_itself_for_the_names_of_services(keys: list[str]) -> None:
    """With no other server to ask it answers for everything; the cluster's names it never passes on."""
    text = dns.config_of([{"key": key, "values": ["a", "b"]} for key in keys])
    assert text.splitlines() == [f"local=/{'svc' if 'server' in keys else '#'}/", *(f"{key}=a,b" for key in keys)]
