"""The gate on one small deployment: what each form of a subject takes away, and what the owner's words mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import eyes_evidence as eyes
import pytest

from seatrial.engine.limits import limit_problems, refusal
from seatrial.faults import select
from seatrial.faults.select import Infeasible
from seatrial.journal.codec import encode
from seatrial.model.fault import Injection, Pick, Selector
from seatrial.model.inventory import Component, Inventory, Owner, Role
from seatrial.model.observation import Json, Subject
from seatrial.model.target import Cloud, Grant, Kubernetes, Limits, Target

GALERA = "statefulset/openstack/openstack-galera"


def injection(
    *subjects: str,
    fault: str = "delete_object",
    parameters: Mapping[str, Json] | None = None,
    recipe: Mapping[str, Json] | None = None,
    costs: Mapping[str, int] | None = None,
) -> Injection:
    return Injection("i-1", fault, parameters or {}, tuple(map(Subject, subjects)), recipe or {}, costs or {})


def asked(
    limits: Limits,
    wanted: Injection,
    *open_: Injection,
    inventory: Inventory | None = None,
    grant: Grant = Grant.DISRUPT,
    breaks_quorum: bool = False,
) -> str | None:
    target = Target("t", Kubernetes((Path("k"),)), Cloud(Path("c"), "c"), grant=grant, limits=limits)
    here = eyes.inventory() if inventory is None else inventory
    return refusal(target, here, wanted, open_, grant=Grant.DISRUPT, breaks_quorum=breaks_quorum)


def with_component(name: str, **changes: Any) -> Inventory:
    """Return the deployment with one component changed."""
    whole = eyes.inventory()
    return replace(whole, components=tuple(replace(c, **changes) if c.name == name else c for c in whole.components))


def without(ready: int, name: str = "openstack-galera") -> tuple[Any, ...]:
    """Return a component's replicas with one of them not ready."""
    component = next(c for c in eyes.inventory().components if c.name == name)
    return tuple(replace(r, ready=n != ready) for n, r in enumerate(component.replicas))


@pytest.mark.parametrize(
    "wanted",
    [
        injection(GALERA),
        injection("service/openstack/keystone-internal"),
        injection("galera/openstack/openstack"),
        injection("node/node-0", "node/node-1"),
        injection(eyes.pod("openstack-galera-0"), eyes.pod("openstack-galera-1")),
    ],
    ids=["workload", "service", "custom resource", "nodes", "pods"],
)
def test_every_form_of_a_subject_costs_the_instances_that_it_takes(wanted: Injection) -> None:
    """A whole workload is all of its members; a Service is whom it leads to; a node is all that runs on it."""
    assert "would be down at once" in str(asked(Limits({"*": 1}), wanted))
    assert asked(Limits({"*": 3}), wanted, breaks_quorum=True) is None


@pytest.mark.parametrize("key", ["openstack-galera", "galera", GALERA])
def test_a_limit_names_a_component_by_its_workload_its_subject_or_its_service(key: str) -> None:
    """And what names it counts before what is said of all; of several the strictest."""
    one = injection(eyes.pod("openstack-galera-0"))
    assert "limits.max_down of the target allows 0" in str(asked(Limits({"*": 3, key: 0}), one))
    assert "allows 0" in str(asked(Limits({"openstack-galera": 2, "galera": 2, key: 0}), one))
    assert asked(Limits({"*": 0, key: 1}), one) is None


@pytest.mark.parametrize("pattern", ["keystone", "key*", "service/openstack/*", "service=keystone", "*/keystone-*"])
def test_an_owner_who_protects_a_component_protects_its_service_object(pattern: str) -> None:
    """However it was written; and the workload, and its pods."""
    why = asked(Limits({"*": 9}, (pattern,)), injection("service/openstack/keystone-internal"))
    assert why == f"service/openstack/keystone-internal is protected: limits.protected has {pattern!r}"


def test_an_object_without_instances_belongs_to_whom_it_is_named_after_or_says() -> None:
    """A ConfigMap costs nobody, but what is protected is protected with its files."""
    named = injection("configmap/openstack/openstack-galera-scripts")
    assert asked(Limits({"*": 0}), named) is None
    assert "protected" in str(asked(Limits({}, ("galera",)), named))
    kept: dict[str, Json] = {
        "metadata": {"name": "x", "labels": {"tier": "gold"}, "ownerReferences": [{"name": "kst"}]}
    }
    object_ = injection("configmap/openstack/x", recipe={"object": kept})
    together = injection("configmap/openstack/x", parameters={"parts": []}, recipe={"parts": [encode(object_)]})
    for pattern in ("tier=gold", "kst"):
        assert "protected" in str(asked(Limits({}, (pattern,)), object_))
        assert "protected" in str(asked(Limits({}, (pattern,)), together))
    assert asked(Limits({}, ("tier=silver", "gold")), object_) is None


@pytest.mark.parametrize("subject", ["configmap/kube-system/coredns", "pod/default/web-0", "service/other/keystone"])
def test_what_is_outside_of_the_targets_namespaces_is_refused(subject: str) -> None:
    """Whatever the limits are: it is not this owner's."""
    assert "outside of the target's namespaces (openstack, openstack-operators)" in str(
        asked(Limits({"*": 99}), injection(subject))
    )


def test_what_is_the_harness_own_is_nobodys_instance() -> None:
    """Its schema, its queue, its projects, its pod: no limit is about them."""
    own = ("database/openstack/seatrial_0a1b2c", "queue/rabbitmq/seatrial-0a1b2c", "projects/seatrial-0a1b2c-")
    assert asked(Limits({"*": 0}, ("*",)), injection(*own, "pod/openstack/seatrial-agent-0a1b2c")) is None
    assert asked(Limits({"*": 9}), injection("pod/openstack/seatrial-agent-of-others")) is not None


def test_the_owners_grant_comes_first() -> None:
    """Who has not granted it need not have named limits."""
    assert asked(Limits({"*": 9}), injection(GALERA), grant=Grant.MUTATE) == (
        "target 't' grants mutate; this needs disrupt"
    )


def test_what_died_by_itself_counts() -> None:
    """One of three is down already: with a limit of one, none is taken."""
    inventory = with_component("openstack-galera", replicas=without(0))
    why = asked(Limits({"*": 1}), injection(eyes.pod("openstack-galera-1")), inventory=inventory)
    assert why == (
        "2 of openstack-galera would be down at once (1 of 3 down already); limits.max_down of the target allows 1"
    )


def test_the_parts_of_a_composed_fault_count_in_sum() -> None:
    """Each of two would be within a limit of two; with one that is down, both are not."""
    inventory = with_component("openstack-galera", replicas=without(0))
    one, two = eyes.pod("openstack-galera-1"), eyes.pod("openstack-galera-2")
    limits = Limits({"galera": 2})
    for part in (one, two):
        assert asked(limits, injection(part), inventory=inventory, breaks_quorum=True) is None
    assert "3 of openstack-galera" in str(asked(limits, injection(one, two), inventory=inventory, breaks_quorum=True))
    why = asked(limits, injection(two), injection(one), inventory=inventory, breaks_quorum=True)
    assert "3 of openstack-galera" in str(why)
    assert "1 of 3 down already, 1 of them by this trial" not in str(why)


def test_a_count_that_is_lowered_costs_the_difference_and_one_that_is_raised_costs_nothing() -> None:
    """Two of three members is one down; a replica more is none, and yet it touches what is protected."""
    lower = injection("deployment/openstack/keystone", costs={"deployment/openstack/keystone": 1})
    higher = injection("deployment/openstack/keystone", costs={"deployment/openstack/keystone": 0})
    down = with_component("keystone", replicas=without(0, "keystone"))
    assert asked(Limits({"*": 1}), lower) is None
    assert "2 of keystone" in str(asked(Limits({"*": 1}), lower, inventory=down))
    assert asked(Limits({"*": 0}), higher, inventory=down) is None
    assert "protected" in str(asked(Limits({}, ("keystone",)), higher))


def test_a_lowered_count_still_counts_when_the_platform_has_followed_it() -> None:
    """The workload then says that two are all that it wants; the trial knows that it was three."""
    lowered = injection(GALERA, costs={GALERA: 1})
    component = next(c for c in eyes.inventory().components if c.name == "openstack-galera")
    followed = with_component("openstack-galera", desired=2, replicas=component.replicas[:2])
    why = asked(Limits({"*": 1}), injection(eyes.pod("openstack-galera-0")), lowered, inventory=followed)
    assert "2 of openstack-galera" in str(why)


def test_a_pod_that_was_taken_and_is_gone_still_counts() -> None:
    """Deleted, and nobody has put it back yet: it is known by its name whose it was."""
    component = next(c for c in eyes.inventory().components if c.name == "openstack-galera")
    gone = with_component("openstack-galera", replicas=component.replicas[1:])
    deleted = injection(eyes.pod("openstack-galera-0"))
    why = asked(Limits({"*": 1}), injection(eyes.pod("openstack-galera-1")), deleted, inventory=gone)
    assert "2 of openstack-galera would be down at once" in str(why)
    away = with_component("openstack-galera", desired=0, replicas=())
    both = Limits({"*": 2})
    assert asked(both, injection(eyes.pod("memcached-0")), deleted, inventory=away) is None


@pytest.mark.parametrize("pick", ["one", "active", "minority"])
def test_the_last_instance_is_only_taken_where_the_owner_names_it(pick: str) -> None:
    """That a single instance can't be lost is in the inventory: nobody has to lose it to find that out."""
    component = next(c for c in eyes.inventory().components if c.name == "keystone")
    alone = with_component("keystone", desired=1, replicas=component.replicas[:1])
    wanted = injection(eyes.pod(eyes.KEYSTONE[0]), parameters={"component": "keystone", "pick": pick})
    assert "its last instance is only taken when limits.max_down names 'keystone'" in str(
        asked(Limits({"*": 5}), wanted, inventory=alone)
    )
    assert asked(Limits({"*": 0, "keystone": 1}), wanted, inventory=alone) is None
    part = injection(eyes.pod(eyes.KEYSTONE[0]), parameters={"parts": []}, recipe={"parts": [encode(wanted)]})
    assert "last instance" in str(asked(Limits({"*": 5}), part, inventory=alone))
    everybody = replace(wanted, parameters={"component": "keystone", "pick": "all"})
    assert asked(Limits({"*": 1}), everybody, inventory=alone) is None


def test_a_single_member_is_not_taken_by_any_selection_that_does_not_name_it() -> None:
    """A database of one has no majority without it, however it was selected."""
    component = next(c for c in eyes.inventory().components if c.name == "openstack-galera")
    alone = with_component("openstack-galera", desired=1, replicas=component.replicas[:1])
    for wanted in (injection(GALERA), injection(eyes.pod("openstack-galera-0"), parameters={"pick": "named"})):
        assert "would lose its majority (0 of 1 would be left)" in str(asked(Limits({"*": 1}), wanted, inventory=alone))
        assert asked(Limits({"galera": 1}), wanted, inventory=alone) is None


def raft(size: int) -> Component:
    owner = Owner("OVNDBCluster", "ovndbcluster-nb", "u-nb")
    pods = [f"ovsdbserver-nb-{n}" for n in range(size)]
    return eyes.component("ovn", "ovsdbserver-nb", kind="StatefulSet", role=Role.WORKER, pods=pods, owner=owner)


@pytest.mark.parametrize(
    ("name", "first", "size"),
    [
        ("openstack-galera", "openstack-galera", 3),
        ("rabbitmq-server", "rabbitmq-server", 3),
        ("ovn", "ovsdbserver-nb", 3),
    ],
)
def test_a_cluster_keeps_its_majority_unless_the_scenario_says_otherwise(name: str, first: str, size: int) -> None:
    """Within the owner's limit or not: two of three members are a quorum, and losing it is a trial of its own."""
    inventory = eyes.inventory()
    inventory = replace(inventory, components=(*inventory.components, raft(size)))
    two = injection(*(eyes.pod(f"{first}-{n}") for n in range(2)))
    why = asked(Limits({"*": 3}), two, inventory=inventory)
    assert f"{first} would lose its majority (1 of 3 would be left)" in str(why)
    assert asked(Limits({"*": 3}), two, inventory=inventory, breaks_quorum=True) is None
    assert asked(Limits({"*": 3}), injection(eyes.pod(f"{first}-0")), inventory=inventory) is None, name


def test_what_has_no_quorum_may_lose_more_than_half() -> None:
    """Two of two memcached are a limit's affair alone."""
    assert asked(Limits({"*": 2}), injection(*map(eyes.pod, eyes.MEMCACHED))) is None


def test_operators_may_all_be_taken_each_for_itself() -> None:
    """Each is a component of its own; ``operators`` names them all."""
    chosen = select.resolve(Selector("operators", Pick.ALL), eyes.inventory(), seed=1)
    everybody = injection(
        *(one.replica.subject for one in chosen), parameters={"component": "operators", "pick": "all"}
    )
    assert asked(Limits({"*": 1}), everybody) is None
    assert "allows 0" in str(asked(Limits({"*": 1, "operators": 0}), everybody))
    assert "protected" in str(asked(Limits({"*": 1}, ("mariadb-operator-*",)), everybody))


def test_a_pod_left_over_from_an_eviction_is_not_an_instance_that_is_down() -> None:
    """What serves is what counts: a dead pod beside as many live ones as are meant to be is litter."""
    component = next(c for c in eyes.inventory().components if c.name == "keystone")
    litter = replace(component.replicas[0], name="keystone-old", ready=False, phase="Failed")
    inventory = with_component("keystone", replicas=(*component.replicas, litter))
    assert asked(Limits({"*": 1}), injection(eyes.pod(eyes.KEYSTONE[0])), inventory=inventory) is None


def test_every_name_in_the_limits_that_names_nothing_is_told_with_the_nearest() -> None:
    """All at once; what is right is not told, nor what discovery does not read."""
    limits = Limits(
        {"*": 1, "gallera": 0, "galera": 1, "keystone": 1, "operators": 2, GALERA: 1},
        (
            "kestone",
            "key*",
            "swift*",
            "part-of=other",
            "endpoint=internal",
            "configmap/openstack/a",
            "node-1",
            "memcached-0",
        ),
    )
    told = [str(problem) for problem in limit_problems(limits, eyes.inventory())]
    assert [line.partition(": ")[0] for line in told] == ["limits.max_down.gallera", *["limits.protected"] * 3]
    assert "did you mean 'galera'?" in told[0]
    assert "'kestone', which matches nothing here" in told[1]
    assert "did you mean 'keystone'?" in told[1]


def test_the_active_member_of_a_database_with_a_single_member_is_refused_where_it_is_wanted() -> None:
    """Selection says who it would be; the gate says that it is the last one."""
    component = next(c for c in eyes.inventory().components if c.name == "openstack-galera")
    alone = with_component("openstack-galera", desired=1, replicas=component.replicas[:1])
    selector = Selector("galera", Pick.ACTIVE)
    (chosen,) = select.resolve(selector, alone, seed=1, limits=Limits({"*": 1}))
    wanted = injection(chosen.replica.subject, parameters={"component": "galera", "pick": "active"})
    assert "last instance" in str(asked(Limits({"*": 1}), wanted, inventory=alone))
    two = replace(alone, components=(*alone.components, replace(component, name="openstack-cell1-galera")))
    with pytest.raises(Infeasible, match="choose from: openstack-cell1-galera, openstack-galera"):
        select.resolve(selector, two, seed=1)
