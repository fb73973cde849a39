"""Laws of the gate: whatever is asked for, in whatever form, on whatever is down or hurt already."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from seatrial.engine.limits import refusal
from seatrial.model.fault import Injection
from seatrial.model.inventory import Component, Inventory, Node, Owner, Replica, Role, ServiceObject
from seatrial.model.observation import Subject
from seatrial.model.target import Cloud, Grant, Kubernetes, Limits, Target

NAMES = ("openstack-galera", "keystone", "memcached")
SERVICES = {"openstack-galera": "galera", "keystone": "keystone", "memcached": "memcached"}
NODES = ("node-0", "node-1", "node-2")


def target(limits: Limits) -> Target:
    return Target("t", Kubernetes((Path("k"),)), Cloud(Path("c"), "c"), grant=Grant.DISRUPT, limits=limits)


def injection(*subjects: str, costs: dict[str, int] | None = None, pick: str = "all") -> Injection:
    return Injection("i-1", "delete_pod", {"pick": pick}, tuple(map(Subject, subjects)), {}, costs or {})


@st.composite
def components(draw: st.DrawFn, name: str) -> Component:
    """Draw a workload that is partly there, and partly ready; never more than it is meant to have."""
    present = draw(st.integers(0, 4))
    replicas = tuple(
        Replica(
            name=f"{name}-{n}",
            namespace="openstack",
            uid=f"u-{name}-{n}",
            node=draw(st.sampled_from(NODES)),
            ip="",
            ready=draw(st.booleans()),
            phase="Running",
            containers=(),
            labels={"app": name},
        )
        for n in range(present)
    )
    desired = present + draw(st.integers(0, 2))
    role = Role.DATABASE if name == NAMES[0] else Role.API
    kind = "StatefulSet" if name == NAMES[0] else "Deployment"
    owners = (Owner("Galera", "openstack", "u-galera"),)
    return Component(
        SERVICES[name], name, kind, "openstack", role, desired, replicas, owners, labels={"app": name, "part": name}
    )


@st.composite
def inventories(draw: st.DrawFn) -> Inventory:
    """Draw a small deployment: three workloads, a Service of each, three nodes."""
    made = tuple(draw(components(name)) for name in NAMES)
    return Inventory(
        datetime.now(UTC), tuple(Node(n, "", True) for n in NODES), made, tuple(map(behind, made)), (), (), ()
    )


def behind(component: Component) -> ServiceObject:
    ready = tuple(r.name for r in component.replicas if r.ready)
    name = f"{component.name}-internal"
    return ServiceObject(name, "openstack", component.service, "ClusterIP", "", (), (), {"app": component.name}, ready)


def subjects_of(inventory: Inventory) -> list[str]:
    """Return every form in which something of this deployment can be meant."""
    pods = [replica.subject for _, replica in inventory.replicas()]
    return [
        *pods,
        *(component.subject for component in inventory.components),
        *(service.subject for service in inventory.services),
        *(f"node/{node.name}" for node in inventory.nodes),
        "configmap/openstack/keystone-config-data",
        "database/openstack/seatrial_0a1b2c",
        "pod/openstack/seatrial-agent-0a1b2c",
    ]


@st.composite
def injections(draw: st.DrawFn, inventory: Inventory) -> Injection:
    """Draw any of these, several at once, some of which cost less than all that they have."""
    chosen = draw(st.lists(st.sampled_from(subjects_of(inventory)), min_size=1, max_size=3, unique=True))
    cheap = [subject for subject in chosen if subject.startswith(("deployment/", "statefulset/"))]
    costs = {subject: draw(st.integers(0, 3)) for subject in cheap if draw(st.booleans())}
    return injection(*chosen, costs=costs)


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    """Draw what the owner allows: of all, of a workload by its name, its subject or its service."""
    names = ["*", *NAMES, "galera", "deployment/openstack/keystone"]
    return Limits(draw(st.dictionaries(st.sampled_from(names), st.integers(0, 6), max_size=4)))


@st.composite
def cases(draw: st.DrawFn, several: int = 2) -> tuple[Inventory, Limits, list[Injection]]:
    inventory = draw(inventories())
    return inventory, draw(limits()), [draw(injections(inventory)) for _ in range(several)]


def allowed(at_most: Limits, component: Component) -> int:
    """Say again, in other words, what the limits mean."""
    known = {component.name, component.subject, component.service}
    named = [most for name, most in at_most.max_down.items() if name in known]
    return min(named) if named else at_most.max_down.get("*", 1)


def why(
    inventory: Inventory, bounds: Limits, wanted: Injection, *open_: Injection, breaks_quorum: bool = True
) -> str | None:
    return refusal(target(bounds), inventory, wanted, open_, grant=Grant.DISRUPT, breaks_quorum=breaks_quorum)


def lost(inventory: Inventory, one: Injection, component: Component) -> tuple[set[str], int]:
    """Return which instances of a component an injection takes by name, and how many more: subject by subject."""
    names: set[str] = set()
    more = 0
    for subject in one.subjects:
        own = {r.subject for r in component.replicas}
        if subject == component.subject:
            cost = one.costs.get(subject, len(own))
            if cost < len(own):
                more += cost
            else:
                names |= own
        elif subject == f"service/openstack/{component.name}-internal":
            names |= own
        elif subject.startswith("node/"):
            names |= {r.subject for r in component.replicas if f"node/{r.node}" == subject}
        elif subject in own:
            names.add(subject)
    return names, more


@given(cases())
def test_never_more_of_a_component_are_down_than_its_owner_allows(
    case: tuple[Inventory, Limits, list[Injection]],
) -> None:
    """Down now, hurt by us and wanted, counted once each: what is allowed stays within the limit in sum."""
    inventory, bounds, (before, wanted) = case
    if why(inventory, bounds, wanted, before) is not None:
        return
    for component in inventory.components:
        names, more = lost(inventory, wanted, component)
        if not names and not more:
            continue
        hurt, hurt_more = lost(inventory, before, component)
        down = {r.subject for r in component.replicas if not r.ready}
        missing = component.desired - len(component.replicas)
        assert len(down | hurt | names) + missing + more + hurt_more <= allowed(bounds, component)


@given(cases(several=1), st.booleans(), st.randoms())
def test_the_order_of_subjects_does_not_matter(
    case: tuple[Inventory, Limits, list[Injection]], breaks: bool, dice: object
) -> None:
    """The same things in another order: the same answer, word by word."""
    inventory, bounds, (wanted,) = case
    turned = replace(wanted, subjects=tuple(reversed(wanted.subjects)))
    mixed = replace(inventory, components=inventory.components[::-1], services=inventory.services[::-1])
    answer = why(inventory, bounds, wanted, breaks_quorum=breaks)
    assert why(mixed, bounds, turned, breaks_quorum=breaks) == answer


@given(cases(), st.booleans())
def test_together_costs_what_one_after_the_other_costs(
    case: tuple[Inventory, Limits, list[Injection]], breaks: bool
) -> None:
    """Two hurts at once are allowed exactly when the second is allowed while the first is open, whichever is first."""
    inventory, bounds, (one, two) = case
    if set(one.subjects) & set(two.subjects):
        return
    both = injection(*one.subjects, *two.subjects, costs={**one.costs, **two.costs})
    cheap = {**one.costs, **two.costs}
    if cheap:  # an open injection that lowers a count has lowered it: that is another inventory, tried elsewhere
        return
    first = why(inventory, bounds, one, breaks_quorum=breaks) is None
    first = first and why(inventory, bounds, two, one, breaks_quorum=breaks) is None
    second = why(inventory, bounds, two, breaks_quorum=breaks) is None
    second = second and why(inventory, bounds, one, two, breaks_quorum=breaks) is None
    assert (why(inventory, bounds, both, breaks_quorum=breaks) is None) == first == second


@given(cases(), st.data())
def test_what_dies_by_itself_never_makes_a_refusal_a_permission(
    case: tuple[Inventory, Limits, list[Injection]], data: st.DataObject
) -> None:
    """One more instance that is not ready, or one more hurt that is open, can only be a reason more."""
    inventory, bounds, (before, wanted) = case
    breaks = data.draw(st.booleans())
    if why(inventory, bounds, wanted, breaks_quorum=breaks) is None:
        return
    assert why(inventory, bounds, wanted, before, breaks_quorum=breaks) is not None
    pods = [replica.name for _, replica in inventory.replicas()]
    if pods:
        dead = data.draw(st.sampled_from(pods))
        worse = tuple(
            replace(c, replicas=tuple(replace(r, ready=r.ready and r.name != dead) for r in c.replicas))
            for c in inventory.components
        )
        worn = replace(inventory, components=worse, services=tuple(map(behind, worse)))
        assert why(worn, bounds, wanted, breaks_quorum=breaks) is not None


@given(inventories(), st.sampled_from(NAMES), st.data())
def test_what_is_protected_is_touched_in_no_form(inventory: Inventory, name: str, data: st.DataObject) -> None:
    """By its pod, its workload, its Service, its node, its ConfigMap; by name, service, subject, label or pattern."""
    component = next(c for c in inventory.components if c.name == name)
    patterns = [name, SERVICES[name], component.subject, f"part={name}", f"{name[:4]}*", f"*/{name}", "*"]
    bounds = Limits({"*": 99}, (data.draw(st.sampled_from(patterns)),))
    forms = [
        component.subject,
        f"service/openstack/{name}-internal",
        f"configmap/openstack/{name}-config-data",
        *(r.subject for r in component.replicas),
        *(f"node/{r.node}" for r in component.replicas),
    ]
    others = data.draw(st.lists(st.sampled_from(subjects_of(inventory)), max_size=2))
    wanted = data.draw(st.permutations([data.draw(st.sampled_from(forms)), *others]))
    answer = why(inventory, bounds, injection(*wanted, costs={component.subject: 0}))
    assert answer is not None
    assert "protected" in answer


@given(cases(several=1))
def test_a_cluster_keeps_its_majority(case: tuple[Inventory, Limits, list[Injection]]) -> None:
    """However many may be down: who does not say that the quorum is to be broken leaves more than half."""
    inventory, bounds, (wanted,) = case
    if why(inventory, bounds, wanted, breaks_quorum=False) is not None:
        return
    database = inventory.components[0]
    names, more = lost(inventory, wanted, database)
    left = len({r.subject for r in database.replicas if r.ready} - names) - more
    named = {"openstack-galera", "galera"} & set(bounds.max_down)
    assert not (names or more) or left * 2 > database.desired or (database.desired <= 1 and named)


@given(st.text(), inventories())
def test_what_nobody_knows_is_refused_and_never_an_error(subject: str, inventory: Inventory) -> None:
    """A subject that can't be mapped to instances is not free of charge."""
    if subject not in subjects_of(inventory):
        assert why(inventory, Limits({"*": 99}), injection(subject)) is not None
