"""The data plane: inventories, conditions and reasons as pure functions, and rounds against a small API server."""

from __future__ import annotations

from seatrial_lab.operators.common.resources import Json
from seatrial_lab.operators.openstack.dataplane import execution, inventory
from seatrial_lab.operators.openstack.dataplane.deployment import condition_of_service
from seatrial_lab.operators.openstack.dataplane.inventory import Node, Resolver, Variables

UNREACHABLE = (
    "\x1b[0;31mfatal: [compute-0]: UNREACHABLE! => "
    '{"changed": false, "msg": "Failed to connect to the host via ssh: ssh: connect to host 192.168.122.100 port 22: '
    'No route to host", "unreachable": true}\x1b[0m\n\nPLAY RECAP ****\ncompute-0 : ok=0 unreachable=1\n'
)
FAILED = (
    'fatal: [compute-1]: FAILED! => {"changed": false, "cmd": "x", "msg": "non-zero return code", "rc": 1, '
    '"stderr": "the node lacks: /usr/sbin/haproxy", "stderr_lines": ["the node lacks: /usr/sbin/haproxy"]}\n'
)


def reservation(network: str, address: str, **more: object) -> Json:
    return {
        "network": network,
        "address": address,
        "cidr": address.rpartition(".")[0] + ".0/24",
        "dnsDomain": f"{network}.example.com",
        **more,
    }


def node() -> Node:
    return Node(
        "edpm-compute-0",
        {"hostName": "compute-0", "ansible": {"ansibleHost": "192.168.122.100"}},
        (
            reservation("ctlplane", "192.168.122.100", gateway="192.168.122.1", mtu=1500),
            reservation("internalapi", "172.17.0.100", vlan=20),
        ),
    )


def test_names_and_addresses_are_told_by_node_and_network() -> None:
    """`allHostnames` and `allIPs` as in RHOSO's sample."""
    assert inventory.host_names([node()]) == {
        "compute-0": {
            "ctlplane": "compute-0.ctlplane.example.com",
            "internalapi": "compute-0.internalapi.example.com",
        }
    }
    assert inventory.addresses([node()])["compute-0"]["internalapi"] == "172.17.0.100"
    assert inventory.search_domain([node()]) == "ctlplane.example.com"
    assert inventory.search_domain([]) == ""


def test_an_inventory_has_what_the_roles_ask_for_and_the_user_has_the_last_word() -> None:
    """Addresses come from the reservations; a variable of a node beats one of the template."""
    spec = {"nodeTemplate": {"ansible": {"ansibleUser": "root"}}, "services": ["ovn"]}
    said = Variables({"edpm-compute-0": {"tuned": "node", "ctlplane_mtu": 9000}}, {"tuned": "all"})
    group = inventory.inventory("edpm", spec, [node()], Resolver(("192.168.122.80",)), said)["edpm"]
    host = group["hosts"]["compute-0"]
    assert group["vars"]["ansible_user"] == "root"
    assert group["vars"]["tuned"] == "all"
    assert host["tuned"] == "node"
    assert host["ctlplane_mtu"] == 9000
    assert (host["internalapi_ip"], host["internalapi_cidr"], host["internalapi_vlan_id"]) == ("172.17.0.100", 24, 20)
    assert host["canonical_hostname"] == "compute-0.ctlplane.example.com"
    assert host["ctlplane_dns_nameservers"] == ["192.168.122.80"]


def test_a_failed_run_says_which_node_and_why() -> None:
    """The reason is taken from Ansible's own words, without colours."""
    assert execution.reason(UNREACHABLE).startswith("compute-0 is unreachable: Failed to connect to the host via ssh")
    assert "No route to host" in execution.reason(UNREACHABLE)
    assert execution.reason(FAILED) == "compute-1 failed: the node lacks: /usr/sbin/haproxy"
    assert execution.reason("ERROR! the playbook: osp.edpm.x could not be found\n").startswith("ERROR! the playbook")
    assert execution.reason("") == "it said nothing"


def test_conditions_and_jobs_are_named_as_in_rhoso() -> None:
    """`Service<Name>DeploymentReady`; `<service>-<deployment>-<nodeset>`, shortened to what a name may be long."""
    assert condition_of_service("configure-network") == "ServiceConfigureNetworkDeploymentReady"
    assert condition_of_service("nova") == "ServiceNovaDeploymentReady"

    def run(service: Json, deployment: str) -> execution.Run:
        deployed = {"metadata": {"name": deployment}, "spec": {}}
        return execution.Run(service, deployed, [{"metadata": {"name": "openstack-edpm"}}], ())

    nova: Json = {"metadata": {"name": "nova"}, "spec": {"playbook": "osp.edpm.nova"}}
    known: Json = {"metadata": {"name": "ssh-known-hosts"}, "spec": {"playbook": "x.y.z", "deployOnAllNodeSets": True}}
    assert run(nova, "edpm-deployment").name == "nova-edpm-deployment-openstack-edpm"
    assert run(known, "edpm-deployment").name == "ssh-known-hosts-edpm-deployment"
    assert len(run(nova, "d" * 80).name) <= 63
    assert run(nova, "d" * 80).name != run(nova, "d" * 81).name
