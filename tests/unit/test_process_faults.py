"""Killing and freezing processes: only what was prepared is touched, and what was touched is taken back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from seatrial.faults import build, container, proc
from seatrial.faults.process import KillProcess, PauseProcess
from seatrial.faults.select import Infeasible
from seatrial.model.errors import BadInput, Unreachable
from seatrial.model.fault import Injection, Pick, Selector
from tests.unit.containers import Containers, Deployment, end

ONE = Selector("galera", Pick.NAMED, "openstack-galera-0")
ALL = Selector("galera", Pick.ALL)
KILL, PAUSE = KillProcess(ONE), PauseProcess(ONE)


def prepared(platform: Containers, fault: KillProcess | PauseProcess = PAUSE) -> tuple[Deployment, Injection]:
    deployment = Deployment(platform)
    return deployment, fault.prepare(deployment, platform.inventory(), 1)  # type: ignore[arg-type]


def in_between(platform: Containers, request: str, number: int, happens: Any) -> None:
    """Let something happen once, just before the request of that kind and number from now on."""
    left = [number]

    def between(asked: str) -> None:
        if asked == request:
            left[0] -= 1
            if left[0] == 0:
                happens()

    platform.between = between


def states(platform: Containers) -> dict[int, str]:
    return {pid: process.state for pid, process in platform.box().processes.items()}


# -- only what was prepared --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [KILL, PAUSE], ids=lambda fault: fault.kind)
@pytest.mark.parametrize("happens", ["restart", "replace"])
@pytest.mark.parametrize("request_", ["get", "exec"])
def test_what_took_the_place_of_the_prepared_container_is_not_touched(
    fault: KillProcess | PauseProcess, happens: str, request_: str
) -> None:
    """Replaced after it was prepared, before the platform is asked or between that and the signal: refused in words."""
    platform = Containers()
    deployment, injection = prepared(platform, fault)
    in_between(platform, request_, 1, getattr(platform, happens))
    with pytest.raises(Unreachable, match=r"is (not the|another) container"):
        fault.inject(deployment, injection)
    assert platform.sent == []
    assert states(platform) == {1: "S", 7: "S"}
    assert not isinstance(fault, PauseProcess) or not fault.holds(deployment, injection).so
    fault.undo(deployment, injection, 0.0)
    assert fault.gone(deployment, injection).so


def test_a_container_that_is_replaced_between_two_rounds_is_left_alone() -> None:
    """The daemon was frozen, a worker not yet: the new container's processes have nothing to do with that."""
    platform = Containers()
    platform.add(platform.box(), "worker")
    deployment, injection = prepared(platform)
    in_between(platform, "exec", 3, platform.replace)
    with pytest.raises(Unreachable, match="another container"):
        PAUSE.inject(deployment, injection)
    assert states(platform) == {1: "S", 7: "S"}
    assert {sent.container for sent in platform.sent} == {injection.recipe["processes"][0]["container_id"]}


@pytest.mark.parametrize("fault", [KILL, PAUSE], ids=lambda fault: fault.kind)
def test_a_container_that_looks_the_same_from_inside_is_told_by_the_platform(fault: KillProcess | PauseProcess) -> None:
    """On another node its processes may have started at the very same ticks."""
    platform = Containers()
    deployment, injection = prepared(platform, fault)
    platform.box().id = "cri://twin"
    with pytest.raises(Unreachable, match="cri://twin now"):
        fault.inject(deployment, injection)
    assert platform.sent == []


def test_a_replacement_during_a_look_is_no_answer() -> None:
    """What was seen belongs to a container that is not there any more."""
    platform = Containers()
    deployment, injection = prepared(platform)
    in_between(platform, "get", 2, platform.replace)
    with pytest.raises(Unreachable, match="replaced while it was looked at"):
        PAUSE.gone(deployment, injection)
    assert PAUSE.gone(deployment, injection).so


@pytest.mark.parametrize("fault", [KILL, PAUSE], ids=lambda fault: fault.kind)
def test_a_number_that_another_process_has_taken_is_left_alone(fault: KillProcess | PauseProcess) -> None:
    """The same number, another start: nothing is sent, and the words name who was meant."""
    platform = Containers()
    deployment, injection = prepared(platform, fault)
    platform.box().processes[7].started += 1
    with pytest.raises(Unreachable, match=r"mysqld \(pid 7, started at tick \d+\) is not there any more"):
        fault.inject(deployment, injection)
    assert platform.sent == []


def test_what_was_born_meanwhile_is_frozen_too_and_what_its_owner_stopped_stays_so() -> None:
    """Stopped before the trial: neither counted nor continued. Born between prepare, the rounds: frozen, continued."""
    platform = Containers()
    box = platform.box()
    held = platform.add(box, "held-by-its-owner", state="T")
    deployment, injection = prepared(platform)
    first = platform.add(box, "born-before")
    in_between(platform, "exec", 3, lambda: platform.add(box, "born-between", parent=first))
    PAUSE.inject(deployment, injection)
    assert states(platform) == {1: "S", 7: "T", held: "T", first: "T", first + 1: "T"}
    look = PAUSE.holds(deployment, injection)
    assert look.so
    assert look.proof["containers"][0]["frozen"] == 3
    PAUSE.undo(deployment, injection, 0.0)
    assert states(platform) == {1: "S", 7: "S", held: "T", first: "S", first + 1: "S"}
    assert PAUSE.gone(deployment, injection).so
    assert f"kill -CONT -1; kill -STOP {held}" in injection.by_hand[0]


def test_one_that_is_replaced_keeps_nobody_else_from_being_frozen_and_taken_back() -> None:
    """All are tried, then what was refused is told."""
    platform = Containers(pods=3)
    fault = PauseProcess(ALL)
    deployment, injection = prepared(platform, fault)
    platform.replace("openstack-galera-1")
    with pytest.raises(Unreachable, match="openstack-galera-1"):
        fault.inject(deployment, injection)
    frozen = [name for name in platform.pods if platform.box(name).processes[7].state == "T"]
    assert frozen == ["openstack-galera-0", "openstack-galera-2"]
    fault.undo(deployment, injection, 0.0)
    assert fault.gone(deployment, injection).so
    assert [platform.box(name).processes[7].state for name in platform.pods] == ["S"] * 3


def test_a_daemon_that_is_stopped_already_is_not_frozen_by_us() -> None:
    """There would be nothing to prove, and nothing to take back."""
    platform = Containers()
    platform.box().processes[7].state = "T"
    with pytest.raises(Infeasible, match=r"stopped already, before this trial: mysqld \(pid 7\)"):
        prepared(platform)


# -- undo by what is there ---------------------------------------------------------------------------------------------


def test_undo_continues_what_a_signal_has_frozen_in_the_place_of_the_prepared_container() -> None:
    """However it got there: gone is only true when neither has anything frozen."""
    platform = Containers()
    deployment, injection = prepared(platform)
    box = platform.replace()
    box.processes[7].state = "T"
    assert not PAUSE.gone(deployment, injection).so
    PAUSE.undo(deployment, injection, 0.0)
    assert box.processes[7].state == "S"
    assert PAUSE.gone(deployment, injection).so


def test_a_container_that_is_being_started_is_not_an_answer() -> None:
    """Neither undone nor failed: not yet."""
    platform = Containers()
    deployment, injection = prepared(platform)
    PAUSE.inject(deployment, injection)
    platform.box().running = False
    for verb in (lambda: PAUSE.undo(deployment, injection, 0.0), lambda: PAUSE.gone(deployment, injection)):
        with pytest.raises(Unreachable, match="is being started"):
            verb()
    # The platform shows it as running for a moment longer than it does.
    platform.box().running = True
    platform.lag()
    platform.box().running = False
    with pytest.raises(Unreachable, match="container not found"):
        PAUSE.undo(deployment, injection, 0.0)
    platform.seen = None
    platform.restart()
    PAUSE.undo(deployment, injection, 0.0)
    assert PAUSE.gone(deployment, injection).so


def test_nothing_frozen_is_not_yet_a_whole_component() -> None:
    """Another member that did not survive the freeze is part of the hurt."""
    platform = Containers(pods=2)
    deployment, injection = prepared(platform)
    platform.box("openstack-galera-1").running = False
    PAUSE.undo(deployment, injection, 0.0)
    assert not PAUSE.gone(deployment, injection).so
    platform.restart("openstack-galera-1")
    assert PAUSE.gone(deployment, injection).so


def test_a_pod_that_is_gone_for_good_is_gone() -> None:
    """Nothing of it can be frozen; whether its component is whole is another question."""
    platform = Containers(pods=2)
    deployment, injection = prepared(platform)
    PAUSE.inject(deployment, injection)
    del platform.pods["openstack-galera-0"]
    PAUSE.undo(deployment, injection, 0.0)
    assert PAUSE.gone(deployment, injection).so


def test_a_new_image_without_a_shell_holds_nothing_of_ours() -> None:
    """What can't be signalled in can't have been frozen."""
    platform = Containers()
    deployment, injection = prepared(platform)
    platform.replace().shell = False
    PAUSE.undo(deployment, injection, 0.0)
    assert PAUSE.gone(deployment, injection).so


@pytest.mark.parametrize("fault", [KILL, PAUSE], ids=lambda fault: fault.kind)
def test_what_was_prepared_and_never_carried_out_is_undone_at_once(fault: KillProcess | PauseProcess) -> None:
    """The prepared process lives on in the prepared container: nothing needs to be replaced."""
    platform = Containers()
    deployment, injection = prepared(platform, fault)
    again = build(injection.fault, injection.parameters)
    again.undo(deployment, injection, 0.0)  # type: ignore[arg-type]
    assert again.gone(deployment, injection).so  # type: ignore[arg-type]
    assert platform.sent == []


def test_a_recipe_of_an_earlier_version_is_taken_back_by_what_it_holds() -> None:
    """Without the start of process 1, the container's identity is all that there is."""
    platform = Containers()
    deployment, injection = prepared(platform)
    PAUSE.inject(deployment, injection)
    [target] = injection.recipe["processes"]  # type: ignore[misc]
    known = {key: value for key, value in target.items() if key not in ("init", "roots", "stopped")}
    old = replace(injection, recipe={**injection.recipe, "processes": [known]})
    PAUSE.undo(deployment, old, 0.0)
    assert states(platform) == {1: "S", 7: "S"}
    assert PAUSE.gone(deployment, old).so


# -- killed ------------------------------------------------------------------------------------------------------------


def test_what_was_killed_is_whole_again_only_in_another_container() -> None:
    """The platform calls the pod ready until it has noticed; that is no repair."""
    platform = Containers()
    deployment, injection = prepared(platform, KILL)
    assert not KILL.holds(deployment, injection).so
    platform.lag()
    KILL.inject(deployment, injection)
    assert not KILL.gone(deployment, injection).so
    platform.seen = None
    assert KILL.holds(deployment, injection).so
    assert not KILL.gone(deployment, injection).so
    platform.restart()
    assert KILL.holds(deployment, injection).so
    look = KILL.gone(deployment, injection)
    assert look.so
    assert look.proof["containers"][0]["anew"]
    assert [sent.signal for sent in platform.sent] == ["KILL"]


def test_a_shell_that_starts_its_daemon_again_needs_no_other_container() -> None:
    """The process is gone, which is what was asked for; whole is the component with another one in the same place."""
    platform = Containers()
    platform.box().init_is_shell = True
    platform.box().processes[1].name = "start.sh"
    deployment, injection = prepared(platform, KILL)
    KILL.inject(deployment, injection)
    assert KILL.holds(deployment, injection).so
    assert KILL.gone(deployment, injection).so


def test_a_process_that_was_gone_before_the_kill_needs_no_replacement() -> None:
    """An injection without an effect is undone when the component is whole."""
    platform = Containers()
    platform.box().init_is_shell = True
    deployment, injection = prepared(platform, KILL)
    end(platform.box(), 7)
    with pytest.raises(Unreachable, match="nothing was killed"):
        KILL.inject(deployment, injection)
    assert KILL.gone(deployment, injection).so


# -- how long it was held ----------------------------------------------------------------------------------------------


def test_a_container_that_its_liveness_probe_has_restarted_is_not_held_any_more() -> None:
    """The hold was shorter than wanted, and the proof says why."""
    platform = Containers()
    deployment, injection = prepared(platform)
    PAUSE.inject(deployment, injection)
    assert PAUSE.holds(deployment, injection).so
    platform.restart()
    look = PAUSE.holds(deployment, injection)
    assert not look.so
    assert look.proof["containers"][0] | {"processes": []} == {
        "pod": "openstack-galera-0",
        "container": "galera",
        "held": False,
        "replaced": True,
        "restarts": 1,
        "frozen": 0,
        "processes": [],
    }


def test_the_orphan_of_a_probe_that_was_given_up_does_not_end_the_hold_and_a_worker_that_runs_does() -> None:
    """It came to init from outside, after the daemon was frozen; what is below the daemon is the server."""
    platform = Containers()
    worker = platform.add(platform.box(), "worker")
    deployment, injection = prepared(platform)
    PAUSE.inject(deployment, injection)
    platform.add(platform.box(), "mysql", parent=proc.INIT)
    assert PAUSE.holds(deployment, injection).so
    platform.box().processes[worker].state = "R"
    assert not PAUSE.holds(deployment, injection).so


# -- which container, which process ------------------------------------------------------------------------------------


def chosen(platform: Containers, fault: KillProcess) -> Any:
    return prepared(platform, fault)[1].recipe["processes"][0]["container"]


def test_the_server_is_meant_and_not_the_first_of_a_sorted_list() -> None:
    """kubelet sorts by name, and side-cars come early in the alphabet."""
    assert chosen(Containers(names=("amqp-proxy", "rabbitmq")), KILL) == "rabbitmq"
    assert chosen(Containers(names=("kube-rbac-proxy", "manager")), KILL) == "manager"
    assert chosen(Containers(names=("istio-proxy", "galera")), KILL) == "galera"


def test_several_that_may_be_the_server_are_refused_by_name_with_the_parameter_that_decides() -> None:
    """Before anything is read, and nothing is guessed."""
    platform = Containers(names=("account-server", "object-server", "rsync"))
    said = r"several containers that may be its server's: account-server, object-server, rsync.*parameter 'container'"
    refusal = KILL.applies(platform.inventory())
    assert refusal is not None
    with pytest.raises(BadInput, match=said) as raised:
        prepared(platform, KILL)
    assert str(raised.value) == refusal
    assert chosen(platform, KillProcess(ONE, "object-server")) == "object-server"
    assert KillProcess(ONE, "object").applies(platform.inventory()) == (
        "pod/openstack/openstack-galera-0 has no container 'object', only account-server, object-server, rsync"
    )


@pytest.mark.parametrize(
    ("names", "server"),
    [
        (("keystone-api",), "keystone-api"),
        (("kube-state-metrics",), "kube-state-metrics"),
        (("openstack-network-exporter",), "openstack-network-exporter"),
        (("nova-api-api", "nova-api-log"), "nova-api-api"),
        (("cinder-912da-api-log", "cinder-api"), "cinder-api"),
        (("cinder-volume", "probe"), "cinder-volume"),
        (("glance-httpd", "glance-log"), "glance-httpd"),
        (("glance-api", "glance-httpd", "glance-log"), "glance-api"),
        (("neutron-api", "neutron-httpd"), "neutron-api"),
        (("redis", "sentinel"), "redis"),
        (("openstack-network-exporter", "ovsdbserver-sb"), "ovsdbserver-sb"),
        (("proxy-httpd", "proxy-server"), "proxy-server"),
        (("istio-proxy", "nova-cell1-conductor-conductor"), "nova-cell1-conductor-conductor"),
        (("ovs-vswitchd", "ovsdb-server"), ("ovs-vswitchd", "ovsdb-server")),
        (("a-log", "b-log"), ("a-log", "b-log")),
    ],
)
def test_the_container_of_the_server_is_known_by_its_name(
    names: tuple[str, ...], server: str | tuple[str, ...]
) -> None:
    """The pods of a RHOSO, as its operators make them."""
    assert container.choose(names) == server


def test_everything_that_is_wrong_is_told_at_once() -> None:
    """One line for each pod."""
    platform = Containers(pods=3)
    platform.box("openstack-galera-0").shell = False
    platform.box("openstack-galera-2").processes[1].name = "httpd"
    with pytest.raises(BadInput) as raised:
        prepared(platform, KillProcess(ALL))
    first, second = str(raised.value).split("\n")
    assert "galera-0, container 'galera': found an image without /bin/sh" in first
    assert "galera-2, container 'galera': found a daemon that is the container's process 1 (httpd)" in second
    assert "the fault delete_pod" in first
    assert "the fault delete_pod" in second


@pytest.mark.parametrize("when", ["replaced since discovery", "replaced while it is looked at", "down"])
def test_what_is_not_the_discovered_pod_any_more_is_not_prepared(when: str) -> None:
    """Its identity in the recipe would be half of one and half of the other."""
    platform = Containers()
    inventory = platform.inventory()
    if when == "replaced since discovery":
        platform.replace()
    elif when == "down":
        platform.box().running = False
    else:
        in_between(platform, "exec", 1, platform.replace)
    with pytest.raises(Unreachable, match="discover again"):
        KILL.prepare(Deployment(platform), inventory, 1)  # type: ignore[arg-type]


def seen(text: str, *, script: bool = False) -> proc.Seen:
    lines = [f"process {line}" for line in text.splitlines()]
    return proc.parse("\n".join(["init 100", "uptime 5.00", *["shell"] * script, *lines, "end\n"]))


LISTING = """\
1 0 S 100 catatonit
7 1 S 105 mysqld safe) x
30 7 T 110 worker
31 7 Z 111 dead
40 1 S 300 orphan
50 0 S 900 sh
51 50 R 901 sleep"""


def test_the_daemon_is_the_oldest_child_of_init_and_exec_is_not_among_its_processes() -> None:
    """What came in by exec has no parent inside; a zombie cannot be stopped; names may hold anything."""
    daemon = proc.daemon(seen(LISTING))
    assert isinstance(daemon, proc.Process)
    assert (daemon.pid, daemon.name) == (7, "mysqld safe) x")
    assert [process.pid for process in proc.descendants(seen(LISTING))] == [7, 30, 40]


@pytest.mark.parametrize(
    ("listing", "script", "known", "said"),
    [
        ("1 0 S 100 manager\n50 0 S 900 sh", False, (), "process 1 (manager)"),
        # As in every API of a RHOSO: kolla_start is replaced by the server, whose children are its workers and a log.
        ("1 0 S 100 httpd\n12 1 S 101 cat\n13 1 S 102 httpd", False, ("httpd",), "process 1 (httpd)"),
        ("1 0 S 100 dumb-init\n50 0 S 900 sh", False, (), "no process below process 1 (dumb-init)"),
        ("1 0 S 100 start.sh\n8 1 S 101 tail\n9 1 S 102 d", True, ("mysqld",), "tail (pid 8), d (pid 9)"),
    ],
)
def test_a_process_that_can_not_be_told_for_sure_is_refused(
    listing: str, script: bool, known: tuple[str, ...], said: str
) -> None:
    """A worker or a log reader would die, and its container live on as if nothing had happened."""
    why = proc.daemon(seen(listing, script=script), known)
    assert isinstance(why, str)
    assert said in why


def test_a_shell_as_process_one_runs_the_server_that_is_known_for_its_container() -> None:
    """It may have started a log reader first, and got an orphan later."""
    listing = "1 0 S 100 rabbitmq-server\n8 1 S 101 tail\n9 1 S 102 beam.smp\n20 1 S 103 epmd"
    daemon = proc.daemon(seen(listing, script=True), container.processes_of("rabbitmq"))
    assert isinstance(daemon, proc.Process)
    assert daemon.pid == 9


@pytest.mark.parametrize(
    "text", ["", "end\n", "init x\nuptime 5.00\nend\n", "init 1\nend\n", "init 1\nuptime 5.00\nx\nend\n"]
)
def test_what_is_no_list_is_not_read_as_one(text: str) -> None:
    """A foreign answer is as good as none."""
    with pytest.raises(Unreachable):
        proc.parse(text)


def test_half_a_list_is_no_list() -> None:
    """An answer that was cut off anywhere must not look as if nothing else ran."""
    text = "init 100\nuptime 5.00\nshell\nsent 7 1 a\nprocess 1 0 S 100 init\nprocess 7 1 T 105 a b\nend\n"
    assert len(proc.parse(text).processes) == 2
    for length in range(len(text)):
        with pytest.raises(Unreachable):
            proc.parse(text[:length])
