"""A cloud as its customers reach it: files in two halves, variables, every way to log in; the same for the load."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from seatrial.clients.openstack import OpenStack
from seatrial.entry.target import load_target
from seatrial.load.runner import Load, running
from seatrial.model.errors import BadInput, NotPermitted, Unreachable
from seatrial.model.target import Cloud, Kubernetes, Target
from tests.unit.small_keystone import APPLICATION_SECRET, PASSWORD, TOKEN, Keystone
from tests.unit.small_platform import serving

SECRETS = (PASSWORD, APPLICATION_SECRET, TOKEN)
HOWS = ["password", "v3applicationcredential", "v3token"]
KUBECONFIG = """\
current-context: lab
contexts: [{name: lab, context: {cluster: lab, user: lab}}]
clusters: [{name: lab, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: lab, user: {token: t}}]
"""


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's own ways in is seen."""
    for variable in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def keystone() -> Iterator[Keystone]:
    with serving(running := Keystone()):
        yield running


def clouds(path: Path, **entries: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"clouds": entries}))
    return path


def target_file(folder: Path, cloud: dict[str, Any]) -> Path:
    (folder / "kubeconfig").write_text(KUBECONFIG)
    path = folder / "target.yaml"
    path.write_text(yaml.safe_dump({"name": "lab", "kubernetes": {"kubeconfig": "kubeconfig"}, "cloud": cloud}))
    return path


def told(path: Path) -> str:
    with pytest.raises(BadInput) as caught:
        load_target(path)
    assert not [secret for secret in SECRETS if secret in str(caught.value)]
    return str(caught.value)


def log_in(target: Target) -> None:
    client = OpenStack(target)
    assert client.token().reveal() == TOKEN
    client.close()


@pytest.mark.parametrize("how", HOWS)
def test_every_way_to_log_in_works(how: str, tmp_path: Path, keystone: Keystone) -> None:
    """By whatever plugin of keystoneauth1 the entry names."""
    clouds(tmp_path / "clouds.yaml", lab=keystone.entry(how))
    log_in(load_target(target_file(tmp_path, {"clouds_yaml": "clouds.yaml", "name": "lab"})))
    assert keystone.logins == [
        {"password": ("password", "admin"), "v3token": ("token", "token")}.get(how, ("application_credential", "app"))
    ]


def test_the_secret_half_beside_the_file_is_merged_into_it(tmp_path: Path, keystone: Keystone) -> None:
    """As the operators of a RHOSO hand it out: openstack-config and openstack-config-secret in one folder."""
    entry = keystone.entry()
    del entry["auth"]["password"]
    clouds(tmp_path / "clouds.yaml", default=entry)
    clouds(tmp_path / "secure.yaml", default={"auth": {"password": PASSWORD}})
    target = load_target(target_file(tmp_path, {"clouds_yaml": "clouds.yaml"}))
    assert target.cloud == Cloud(tmp_path / "clouds.yaml", "default", (tmp_path / "secure.yaml",))
    log_in(target)
    (tmp_path / "secure.yaml").write_text("a: &a [*a]")
    assert "secure.yaml: aliases" in told(target_file(tmp_path, {"clouds_yaml": "clouds.yaml"}))


def test_variables_name_the_file_and_the_cloud(
    tmp_path: Path, keystone: Keystone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OS_CLIENT_CONFIG_FILE and OS_CLOUD, where the target says nothing; where it does, it wins."""
    elsewhere = clouds(tmp_path / "elsewhere/some.yaml", a=keystone.entry(), b=keystone.entry(username="b"))
    clouds(tmp_path / "clouds.yaml", b=keystone.entry(username="mine"))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(elsewhere))
    assert f"no name, and 2 clouds in {elsewhere}; accepted: a, b" in told(target_file(tmp_path, {}))
    monkeypatch.setenv("OS_CLOUD", "b")
    assert load_target(target_file(tmp_path, {})).cloud == Cloud(elsewhere, "b")
    assert load_target(target_file(tmp_path, {"name": "a"})).cloud == Cloud(elsewhere, "a")
    mine = load_target(target_file(tmp_path, {"clouds_yaml": "clouds.yaml"}))
    assert mine.cloud == Cloud(tmp_path / "clouds.yaml", "b")
    log_in(mine)
    assert keystone.logins == [("password", "mine")]
    monkeypatch.setenv("OS_CLOUD", "bb")
    assert "cloud 'bb'; accepted: a, b; did you mean 'b'" in told(target_file(tmp_path, {}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "none.yaml"))
    assert "none.yaml: No such file" in told(target_file(tmp_path, {}))


def test_a_cloud_may_be_described_by_variables_alone(
    tmp_path: Path, keystone: Keystone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an openrc file sets them; a clouds.yaml that the target names is not mixed with them."""
    assert "nor OS_AUTH_URL" in told(target_file(tmp_path, {}))
    for key, value in keystone.entry(username="me")["auth"].items():
        monkeypatch.setenv(f"OS_{key.upper()}", value)
    monkeypatch.setenv("OS_CACERT", str(tmp_path / "ca.pem"))
    target = load_target(target_file(tmp_path, {}))
    assert str(target.cloud) == "cloud 'envvars' in the variables OS_*"
    log_in(target)
    client = OpenStack(target)
    assert client.trust == str(tmp_path / "ca.pem")
    clouds(tmp_path / "clouds.yaml", lab=keystone.entry())
    log_in(load_target(target_file(tmp_path, {"clouds_yaml": "clouds.yaml"})))
    assert keystone.logins == [("password", "me"), ("password", "admin")]


def test_the_usual_places_are_those_of_openstacksdk(tmp_path: Path) -> None:
    """In a process of its own: openstacksdk decides where they are when it is loaded."""
    usual = clouds(tmp_path / "home/.config/openstack/clouds.yaml", only={"auth": {"auth_url": "http://h/v3"}})
    code = "import sys, pathlib; from seatrial.entry.target import load_target as load;"
    code += "print(load(pathlib.Path(sys.argv[1])).cloud)"
    place = tmp_path / "empty"
    place.mkdir()
    argv = [sys.executable, "-c", code, str(target_file(tmp_path, {}))]
    done = subprocess.run(argv, cwd=place, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == f"cloud 'only' in {usual}"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"auth": {"username": "u", "password": PASSWORD}}, "parameters which were not given: auth_url"),
        ({"auth_type": "none", "auth": {"endpoint": "http://h"}}, "without auth.auth_url"),
        ({"auth": [PASSWORD]}, "it is no cloud (ValueError)"),
        ({"auth_type": "v3nope", "auth": {"auth_url": "http://h"}}, "v3nope"),
        ({"auth_type": "v3applicationcredential", "auth": {"auth_url": "http://h"}}, "application credential"),
        ({"auth": {"auth_url": 7, "password": PASSWORD}}, "it is no cloud (AttributeError)"),
        ([PASSWORD], "it is no cloud"),
    ],
)
def test_a_cloud_that_cannot_be_logged_in_to_is_told_without_contact(entry: Any, said: str, tmp_path: Path) -> None:
    """With its name and file, and without what stands in it."""
    clouds(tmp_path / "clouds.yaml", lab=entry)
    line = told(target_file(tmp_path, {"clouds_yaml": "clouds.yaml"}))
    assert said in line
    assert f"cloud 'lab' in {tmp_path}/clouds.yaml" in line


def test_a_cloud_that_is_not_there_is_told_as_a_person_would(tmp_path: Path, keystone: Keystone) -> None:
    """Address, why, and by which entry; and refused credentials as what they are."""
    clouds(tmp_path / "clouds.yaml", off={"auth": {**keystone.entry()["auth"], "auth_url": "http://127.0.0.1:1/v3"}})
    target = load_target(target_file(tmp_path, {"clouds_yaml": "clouds.yaml"}))
    with pytest.raises(Unreachable) as silent:
        OpenStack(target).token()
    assert str(silent.value) == f"http://127.0.0.1:1/v3 does not answer: connection refused ({target.cloud})"
    clouds(tmp_path / "clouds.yaml", wrong=keystone.entry(password="wrong"))
    with pytest.raises(NotPermitted, match="does not accept the credentials"):
        OpenStack(load_target(target_file(tmp_path, {"clouds_yaml": "clouds.yaml"}))).token()


# -- the load ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", HOWS)
def test_the_load_logs_in_as_the_harness_does(
    how: str, tmp_path: Path, keystone: Keystone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the user's own files and variables say; nothing of the login is in arguments, variables or files."""
    entry = keystone.entry(how)
    secure = {key: entry["auth"].pop(key) for key in list(entry["auth"]) if entry["auth"][key] in SECRETS}
    target = Target(
        "lab",
        Kubernetes(()),
        Cloud(
            clouds(tmp_path / "clouds.yaml", lab=entry),
            "lab",
            (clouds(tmp_path / "secure.yaml", lab={"auth": secure}),),
        ),
    )
    clouds(tmp_path / "home/.config/openstack/secure.yaml", lab={"auth": {"password": "of-another-cloud"}})
    for key, value in keystone.entry(username="somebody-else", password="else")["auth"].items():
        monkeypatch.setenv(f"OS_{key.upper()}", value)
    log_in(target)
    [mine] = keystone.logins
    seen: list[object] = []
    with running(Load(users=1), target, folder=tmp_path, note=lambda _, data: seen.append(data)) as load:
        process = Path(f"/proc/{load._process.pid}")
        shown = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    assert set(keystone.logins) == {mine}
    assert len(keystone.logins) > 1
    assert seen
    shown += (tmp_path / "load.jsonl").read_bytes() + (tmp_path / "locust.log").read_bytes()
    assert not [secret for secret in SECRETS if secret.encode() in shown]


def test_a_load_that_cannot_log_in_says_why_at_once(tmp_path: Path, keystone: Keystone) -> None:
    """It does not make figures of its own refusal, and the harness does not wait for them."""
    wrong = Cloud(clouds(tmp_path / "clouds.yaml", lab=keystone.entry(password="wrong")), "lab")
    with (
        pytest.raises(Unreachable, match="the cloud does not accept the load's credentials") as refused,
        running(Load(users=1), Target("lab", Kubernetes(()), wrong), folder=tmp_path, note=lambda *_: None),
    ):
        pass
    assert "wrong" not in str(refused.value)
    off = {"auth": {**keystone.entry()["auth"], "auth_url": "http://127.0.0.1:1/v3"}}
    silent = Cloud(clouds(tmp_path / "off.yaml", lab=off), "lab")
    with (
        pytest.raises(Unreachable, match="does not answer: connection refused"),
        running(Load(users=1), Target("lab", Kubernetes(()), silent), folder=tmp_path, note=lambda *_: None),
    ):
        pass
