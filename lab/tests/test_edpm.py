"""What runs on compute nodes: which ports a node takes as its own, and the playbooks that the services name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from seatrial_lab import paths
from seatrial_lab.edpm.instances import Port, wanted
from seatrial_lab.operators.openstack.dataplane.node_set import SHIPPED

COLLECTION = paths.PACKAGE / "edpm/ansible_collections/osp/edpm"
SAMPLE = paths.PACKAGE / "operators/openstack/samples/dataplane.yaml"


def row(port: str = "p", *, chassis: str = "compute-0", owner: str = "compute:nova", **told: str) -> dict[str, Any]:
    ids = {"neutron:device_owner": owner, "neutron:device_id": "s", **{f"neutron:{k}": v for k, v in told.items()}}
    return {
        "logical_port": port,
        "mac": "fa:16:3e:00:00:01 10.9.0.11",
        "options": ["map", [["requested-chassis", chassis]]],
        "external_ids": ["map", [list(pair) for pair in ids.items()]],
    }


def test_a_node_takes_the_ports_of_servers_that_are_bound_to_it() -> None:
    """A router's or another node's port is none; while a server moves, its port is still where it comes from."""
    rows = [
        row("here"),
        row("moving", chassis="compute-0,compute-1"),
        row("arriving", chassis="compute-1,compute-0"),
        row("there", chassis="compute-1"),
        row("router", owner="network:router_interface"),
        row("nobody", device_id=""),
        {**row("no address"), "mac": ["set", []]},
        {**row("unbound"), "options": ["map", []]},
    ]
    assert wanted(rows, "compute-0") == {
        "here": Port("here", "fa:16:3e:00:00:01", "s"),
        "moving": Port("moving", "fa:16:3e:00:00:01", "s"),
    }


@given(st.uuids())
def test_devices_have_names_that_the_kernel_takes(port: Any) -> None:
    """At most fifteen letters, and the same as Nova's own."""
    tap = Port(str(port), "m", "s").tap
    assert len(tap) < 16
    assert tap == f"tap{str(port)[:11]}"


def test_every_service_has_its_playbook_and_every_playbook_its_roles() -> None:
    """A service that names a playbook that is not there would fail only when it is deployed."""
    for service in SHIPPED.values():
        name = service["spec"]["playbook"].removeprefix("osp.edpm.")
        [play] = yaml.safe_load((COLLECTION / f"playbooks/{name}.yml").read_text())
        assert all((COLLECTION / f"roles/{role}/tasks/main.yml").exists() for role in play["roles"])


def test_the_sample_names_services_that_come_with_the_operator() -> None:
    """And the default of the NodeSet's schema does too."""
    node_set = next(yaml.safe_load_all(SAMPLE.read_text()))
    schema = yaml.safe_load(
        (paths.PACKAGE / "crds/dataplane.openstack.org_openstackdataplanenodesets.yaml").read_text()
    )
    spec = schema["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    default = spec["properties"]["services"]["default"]
    assert {*node_set["spec"]["services"], *default} <= set(SHIPPED)


def modules(tasks: list[dict[str, Any]]) -> set[str]:
    """All modules that tasks use, also within blocks."""
    found = {key for task in tasks for key in task if "." in key}
    return found.union(*(modules(task["block"]) for task in tasks if "block" in task))


def test_roles_use_what_ansible_has_by_itself() -> None:
    """No other collection is installed."""
    for file in Path(COLLECTION).glob("roles/*/tasks/*.yml"):
        assert all(name.startswith("ansible.builtin.") for name in modules(yaml.safe_load(file.read_text()))), file
