"""What people do with a cloud, from outside the cluster over its public addresses, and packets between their servers.

Nova's fake driver keeps servers as records; each is also a network namespace on its compute node, plugged into OVN.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import openstack
import pytest
from openstack.connection import Connection
from openstack.exceptions import ForbiddenException

from seatrial_lab.build import environments
from tests.conftest import Lab
from tests.lab.tenants import Guest, Network, Project, project, until

# The SDK warns of what it calls itself.
pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings._RemovedInSDKWarning")

CLOUD = "seatrial-lab"
SERVERS = 8
OPEN, CLOSED = 8080, 8081
IMAGE_SIZE = 1 << 20
PATHS = {
    "identity": "/v3/users",
    "placement": "/resource_providers",
    "image": "/v2/images",
    "network": "/v2.0/networks",
    "compute": "/servers",
}


@pytest.fixture(scope="module")
def image(admin: Connection) -> Iterator[str]:
    """A public image."""
    made = admin.image.create_image(
        name="acceptance", data=b"\0" * IMAGE_SIZE, disk_format="raw", container_format="bare", visibility="public"
    )
    yield str(made.id)
    admin.image.delete_image(made.id)


@pytest.fixture(scope="module")
def flavor(admin: Connection) -> Iterator[str]:
    """A small flavour."""
    made = admin.compute.create_flavor(name="acceptance", ram=256, vcpus=1, disk=1)
    yield str(made.id)
    admin.compute.delete_flavor(made.id)


@pytest.fixture(scope="module")
def outside(admin: Connection) -> Iterator[str]:
    """The network outside: the isolated network `external`, by the bridge mapping `datacentre`."""
    net = admin.network.create_network(
        name="acceptance-outside",
        is_router_external=True,
        provider_network_type="flat",
        provider_physical_network="datacentre",
    )
    admin.network.create_subnet(
        network_id=net.id,
        ip_version=4,
        cidr="10.0.0.0/24",
        gateway_ip="10.0.0.1",
        is_dhcp_enabled=False,
        allocation_pools=[{"start": "10.0.0.150", "end": "10.0.0.200"}],
    )
    yield str(net.id)
    admin.network.delete_network(net.id)


@pytest.fixture(scope="module")
def tenant(admin: Connection, outside: str) -> Iterator[Project]:
    """Whose servers these are; it goes before the network outside does."""
    with project(admin, "acceptance", instances=SERVERS + 2) as one:
        yield one


@pytest.fixture(scope="module")
def network(tenant: Project, outside: str) -> Network:
    """The tenant's network, with a way out."""
    return tenant.network("192.0.2.0/24", outside)


@pytest.fixture(scope="module")
def servers(tenant: Project, network: Network, image: str, flavor: str) -> list[Any]:
    """Servers that let in echo requests, and one port."""
    port = {"protocol": "tcp", "port_range_min": OPEN, "port_range_max": OPEN}
    group = tenant.group({"protocol": "icmp"}, port)
    more = {"key_name": tenant.keypair(), "security_groups": [{"name": group}]}
    return tenant.servers(SERVERS, image=image, flavor=flavor, network=network, **more)


@pytest.fixture(scope="module")
def guests(admin: Connection, servers: list[Any]) -> tuple[Guest, Guest]:
    """Two of the servers from within, on different compute nodes, with their addresses from DHCP, in touch."""
    all_of_them = [Guest.of(admin, server) for server in servers]
    one = all_of_them[0]
    other = next(guest for guest in all_of_them if guest.host != one.host)
    for guest in (one, other):
        until(
            f"{guest.address} is in server {guest.server}",
            lambda guest=guest: guest.address in guest.run("ip", "-4", "-o", "address").stdout,
        )
    # The fake driver does not wait for Neutron: a server may be active before all switches know of it.
    until(f"{one.address} reaches {other.address}", lambda: one.pings(other.address, count=3) == 3)
    return one, other


@pytest.fixture
def spare(tenant: Project, network: Network, image: str, flavor: str) -> Iterator[Any]:
    """A server to do things to."""
    [server] = tenant.servers(1, image=image, flavor=flavor, network=network)
    yield server
    tenant.without(server.id)


@pytest.mark.parametrize("service", PATHS)
def test_a_request_without_a_token_is_refused(admin: Connection, service: str) -> None:
    """Of every service's public endpoint."""
    url = admin.session.get_endpoint(service_type=service, interface="public").rstrip("/")
    root = url if service == "compute" else url.removesuffix("/v3").removesuffix("/v2.0").removesuffix("/v2")
    answer = admin.session.get(f"{root}{PATHS[service]}", authenticated=False, raise_exc=False)
    assert answer.status_code == 401


def test_the_catalogue_has_both_endpoints_of_every_service(admin: Connection) -> None:
    """Users go by one of them, services by the other."""
    for service in PATHS:
        urls = {admin.session.get_endpoint(service_type=service, interface=i) for i in ("public", "internal")}
        assert len(urls) == 2
        assert None not in urls


def test_the_client_works_from_outside(full: Lab) -> None:
    """The `openstack` client needs no more than clouds.yaml."""
    program = environments.openstack() / "bin"

    def ask(*argv: str) -> list[dict[str, Any]]:
        command = [program / "python", program / "openstack", *argv, "-f", "json"]
        env = {"OS_CLIENT_CONFIG_FILE": str(full.target.parent / "clouds.yaml"), "OS_CLOUD": CLOUD, "PATH": "/usr/bin"}
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=90, env=env)
        assert done.returncode == 0, done.stderr
        answer: list[dict[str, Any]] = json.loads(done.stdout)
        return answer

    services = ask("compute", "service", "list")
    assert {each["Binary"] for each in services} == {"nova-scheduler", "nova-conductor", "nova-compute"}
    assert {each["State"] for each in services} == {"up"}
    assert len({each["Host"] for each in services if each["Binary"] == "nova-compute"}) == 2
    assert all(each["Alive"] for each in ask("network", "agent", "list"))
    assert {each["Type"] for each in ask("catalog", "list")} >= set(PATHS)


def test_an_image_comes_back_as_it_was_sent(admin: Connection, image: str) -> None:
    """Glance keeps what it is given."""
    assert admin.image.download_image(image).content == b"\0" * IMAGE_SIZE


def test_what_is_over_quota_is_refused(admin: Connection, image: str, flavor: str) -> None:
    """Neither Nova nor Neutron gives a project more than its share."""
    with project(admin, "poor", instances=0) as poor:
        admin.network.update_quota(poor.id, networks=1)
        net = poor.network("198.51.100.0/24")
        with pytest.raises(openstack.exceptions.ConflictException, match="Quota"):
            poor.cloud.network.create_network(name="one-too-many")
        with pytest.raises(ForbiddenException, match="Quota exceeded"):
            poor.servers(1, image=image, flavor=flavor, network=net)


def test_servers_run_on_both_compute_nodes(admin: Connection, servers: list[Any]) -> None:
    """The scheduler leaves no node idle."""
    assert len(servers) == SERVERS
    assert {Guest.of(admin, server).host for server in servers} == {"compute-0", "compute-1"}


def test_a_flavour_that_fits_nowhere_finds_no_host(admin: Connection, tenant: Project, image: str) -> None:
    """And the server says so."""
    giant = admin.compute.create_flavor(name="acceptance-giant", ram=256, vcpus=1, disk=10**8)
    try:
        server = tenant.cloud.compute.create_server(name="giant", image_id=image, flavor_id=giant.id, networks="none")
        failed = tenant.settled(server.id, "ERROR")
        assert "No valid host" in failed.fault["message"]
        tenant.without(server.id)
    finally:
        admin.compute.delete_flavor(giant.id)


def test_an_instance_reads_its_metadata(guests: tuple[Guest, Guest]) -> None:
    """Each gets its own."""
    for guest in guests:
        said = json.loads(guest.fetches("http://169.254.169.254/openstack/latest/meta_data.json"))
        assert said["uuid"] == guest.server


def test_packets_pass_between_servers_on_two_nodes(guests: tuple[Guest, Guest]) -> None:
    """Every echo request is answered, both ways."""
    one, other = guests
    assert one.pings(other.address, count=20) == 20
    assert other.pings(one.address, count=20) == 20


def test_a_security_group_lets_in_what_it_says_and_nothing_else(guests: tuple[Guest, Guest]) -> None:
    """On the way to the other node's server one port is reached, and its neighbour is not."""
    one, other = guests
    assert one.reaches(other.address, OPEN)
    assert not one.reaches(other.address, CLOSED)


def test_tenants_do_not_reach_each_other(
    admin: Connection, guests: tuple[Guest, Guest], image: str, flavor: str
) -> None:
    """Even where both let everything in: their networks are not joined."""
    with project(admin, "stranger") as stranger:
        net = stranger.network("198.51.100.0/24")
        group = stranger.group({"protocol": "icmp"})
        more = {"security_groups": [{"name": group}]}
        pair = stranger.servers(2, image=image, flavor=flavor, network=net, **more)
        first, second = (Guest.of(admin, server) for server in pair)
        until("the stranger's servers reach each other", lambda: first.pings(second.address, count=3))
        assert guests[0].pings(first.address, count=5) == 0
        assert first.pings(guests[0].address, count=5) == 0


def test_a_floating_ip_leads_to_its_server(
    full: Lab, tenant: Project, outside: str, guests: tuple[Guest, Guest]
) -> None:
    """From the network outside."""
    api = tenant.cloud.network
    [port] = api.ports(device_id=guests[0].server)
    floating = api.create_ip(floating_network_id=outside, port_id=port.id)
    try:
        until("floating IP ACTIVE", lambda: api.get_ip(floating.id).status == "ACTIVE")
        address = floating.floating_ip_address
        answered = until(
            f"{address} answers",
            lambda: "3 received" in full.command("shell", "fabric", "sh", "-c", f"ping -nq -c 3 {address} || true"),
        )
        assert answered
    finally:
        api.delete_ip(floating.id)


def test_a_console_has_a_page(admin: Connection, tenant: Project, servers: list[Any]) -> None:
    """At the public address of the cell's proxy, with a token of its own."""
    console = tenant.cloud.compute.create_console(servers[0].id, console_type="novnc")
    assert "token" in console["url"]
    page = admin.session.get(console["url"], authenticated=False, raise_exc=False)
    assert page.status_code == 200


def test_a_server_is_rebuilt(tenant: Project, spare: Any, image: str) -> None:
    """It keeps its name, its address and its node."""
    tenant.cloud.compute.rebuild_server(spare.id, image=image)
    after = tenant.settled(spare.id)
    assert after.addresses == spare.addresses


def test_a_server_is_resized(admin: Connection, tenant: Project, spare: Any) -> None:
    """As far as the fake driver goes; when that is confirmed, only the new size is counted."""
    bigger = admin.compute.create_flavor(name="acceptance-bigger", ram=512, vcpus=2, disk=1)
    try:
        tenant.cloud.compute.resize_server(spare.id, bigger.id)
        tenant.settled(spare.id, "VERIFY_RESIZE")
        tenant.cloud.compute.confirm_server_resize(spare.id)
        after = tenant.settled(spare.id)
        assert after.flavor["original_name"] == "acceptance-bigger"
        assert len(_allocations(admin, spare.id)) == 1
    finally:
        admin.compute.delete_flavor(bigger.id)


def test_a_server_is_moved(admin: Connection, tenant: Project, spare: Any) -> None:
    """To the other node, with its address; nothing of it is left on the first."""
    before = Guest.of(admin, spare)
    admin.compute.migrate_server(spare.id)
    tenant.settled(spare.id, "VERIFY_RESIZE")
    admin.compute.confirm_server_resize(spare.id)
    tenant.settled(spare.id)
    after = Guest.of(admin, spare)
    assert after.host != before.host
    assert after.address == before.address
    assert len(_allocations(admin, spare.id)) == 1


def test_a_server_that_is_deleted_leaves_nothing(admin: Connection, tenant: Project, spare: Any) -> None:
    """Neither ports in Neutron nor allocations in Placement."""
    assert _allocations(admin, spare.id)
    tenant.without(spare.id)
    until("its ports are gone", lambda: not list(admin.network.ports(device_id=spare.id)))
    until("its allocations are gone", lambda: not _allocations(admin, spare.id))


def _allocations(admin: Connection, server: str) -> dict[str, Any]:
    answer = admin.placement.get(f"/allocations/{server}")
    allocations: dict[str, Any] = answer.json()["allocations"]
    return allocations
