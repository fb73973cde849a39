"""Kubernetes as its customers reach it: merged files, a pod's own account, login helpers, proxies, other names."""

from __future__ import annotations

import base64
import json
import socket
import stat
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from seatrial.catalogue.document import parse
from seatrial.clients.kube import Kube
from seatrial.clients.kube_login import Login
from seatrial.entry.kubeconfig import way_in
from seatrial.entry.target import load_target
from seatrial.model.errors import BadInput, NotPermitted, Unreachable
from seatrial.model.target import Cloud, Kubernetes, Target
from tests.unit.small_platform import NAME, Platform, Proxy, certificate, serving

SECRET = "a-token-that-nobody-may-see"


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's own ways in is seen."""
    for variable in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    with serving(running := Platform(tmp_path / "tls", NAME)):
        yield running


def kubeconfig(
    path: Path, cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None, *, name: str = "lab"
) -> Path:
    """Write a kubeconfig with one context, cluster and user of one name."""
    document = {
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "clusters": [{"name": name, "cluster": cluster or {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": name, "user": user or {"token": SECRET}}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document))
    return path


def cluster_of(platform: Platform, **more: Any) -> dict[str, Any]:
    """Return how a kubeconfig describes a platform that has another name than its address."""
    server = f"https://127.0.0.1:{platform.port}"
    return {"server": server, "certificate-authority": str(platform.authority), "tls-server-name": NAME, **more}


def kube(*files: Path, context: str | None = None) -> Kube:
    return Kube(Target("t", Kubernetes(files, context), Cloud(None, "none")))


def target_file(folder: Path, kubernetes: dict[str, Any], **more: Any) -> Path:
    """Write a target with a good cloud."""
    auth = {"auth_url": "http://127.0.0.1:1/v3", "username": "u", "password": "p", "project_name": "p"}
    (folder / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"lab": {"auth": auth}}}))
    document = {"name": "lab", "kubernetes": kubernetes, "cloud": {"clouds_yaml": "clouds.yaml"}, **more}
    path = folder / "target.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def told(path: Path) -> str:
    """Return what is said about a target that is not accepted."""
    with pytest.raises(BadInput) as caught:
        load_target(path)
    assert SECRET not in str(caught.value)
    return str(caught.value)


# -- which files ---------------------------------------------------------------------------------------------------


def test_several_files_are_merged_and_the_first_word_counts(
    tmp_path: Path, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As kubectl does: current-context, a cluster and a user each come from the first file that has them."""
    platform.accepted = {"first"}
    one = {"current-context": "lab", "users": [{"name": "lab", "user": {"tokenFile": "token"}}]}
    (tmp_path / "one").mkdir()
    (tmp_path / "one/token").write_text("first")
    (tmp_path / "one/config").write_text(yaml.safe_dump(one))
    two = kubeconfig(tmp_path / "two/config", cluster_of(platform), {"token": "second"})
    other = kubeconfig(tmp_path / "three", name="other")
    gone = tmp_path / "gone"
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/one/config:{gone}:{two}:{other}")
    target = load_target(target_file(tmp_path, {}))
    assert target.kubernetes.kubeconfig == (tmp_path / "one/config", two, other)
    client = Kube(target)
    assert client.get("Pod", "p", namespace="o") is not None
    client.close()


def test_relative_paths_are_beside_the_file_they_stand_in(tmp_path: Path, platform: Platform) -> None:
    """Also where the cluster stands in one file and its user in another."""
    cluster = {**cluster_of(platform), "certificate-authority": "ca.crt"}
    clusters = kubeconfig(tmp_path / "tls/config", cluster, {"token": "unused"})
    document = yaml.safe_load(clusters.read_text())
    del document["users"]
    clusters.write_text(yaml.safe_dump(document))
    authority, key = certificate(tmp_path / "me", "me")
    users = kubeconfig(
        tmp_path / "me/config", user={"token": "t", "client-certificate": authority.name, "client-key": key.name}
    )
    client = kube(clusters, users, context="lab")
    assert client.get("Pod", "p", namespace="o") is not None
    client.close()


def test_what_the_target_names_wins_and_may_use_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists and variables as a shell knows them; a variable that is not set is told."""
    mine, theirs = kubeconfig(tmp_path / "mine"), kubeconfig(tmp_path / "theirs")
    monkeypatch.setenv("KUBECONFIG", str(theirs))
    monkeypatch.setenv("PLACE", str(tmp_path))
    target = load_target(target_file(tmp_path, {"kubeconfig": "${PLACE}/mine:theirs"}))
    assert target.kubernetes.kubeconfig == (mine.resolve(), theirs.resolve())
    assert "variable NOWHERE, which is not set" in told(target_file(tmp_path, {"kubeconfig": "${NOWHERE}/mine"}))


def test_the_usual_place_comes_after_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And without either, outside a pod, that is said."""
    path = target_file(tmp_path, {})
    assert "KUBECONFIG is not set" in told(path)
    usual = kubeconfig(tmp_path / "home/.kube/config")
    assert load_target(path).kubernetes.kubeconfig == (usual,)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert f"KUBECONFIG: {tmp_path}/none: No such file" in told(path)


def test_in_a_pod_its_own_account_is_the_way_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Token and authority are where Kubernetes puts them; no context is needed, and none can be named."""
    with serving(platform := Platform(tmp_path / "tls", "127.0.0.1")):
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(platform.port))
        (tmp_path / "tls/token").write_text("t")
        document = parse("name: x\ngrant: disrupt\n", "t.yaml")
        way, problems = way_in(None, None, document, tmp_path / "t.yaml", service_account=tmp_path / "tls")
        assert (way, problems) == (Kubernetes(None), [])
        login = Login(way, service_account=tmp_path / "tls")
        assert login.headers() == {"authorization": "bearer t"}
        assert login.where == "the service account of this pod"
        # It rotates: once the platform refuses the old one, the new one is read.
        (tmp_path / "tls/token").write_text("t2")
        assert login.renew({"authorization": "bearer t"})
        assert login.headers() == {"authorization": "bearer t2"}


@pytest.mark.parametrize("grant", ["mutate", "disrupt"])
def test_whoever_may_change_something_names_the_context(grant: str, tmp_path: Path) -> None:
    """What is current may be another cluster tomorrow; the contexts that there are stand in the message."""
    two = kubeconfig(tmp_path / "b", name="other")
    kubeconfig(tmp_path / "a")
    path = target_file(tmp_path, {"kubeconfig": f"a:{two}"}, grant=grant)
    said = told(path)
    assert f"kubernetes.context: found no context, with grant {grant}" in said
    assert "accepted: lab, other" in said
    assert load_target(target_file(tmp_path, {"kubeconfig": "a"}, grant="observe")).kubernetes.context is None
    assert load_target(target_file(tmp_path, {"kubeconfig": "a", "context": "lab"}, grant=grant))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("contexts", 0, "context", "cluster", ["a"]), "cluster a list in context 'lab'"),
        (("contexts", 0, "context", "user", {}), "user a mapping in context 'lab'"),
        (("clusters", 0, "name", ["lab"]), "entry 1 of clusters; accepted: a name, and a mapping under cluster"),
        (("users", 0, "user", [SECRET]), "entry 1 of users; accepted: a name, and a mapping under user"),
        (("users", 0, "user", "token", 7), "a number as token of user 'lab'"),
        (("users", {"lab": SECRET}), "a mapping as users; accepted: a list"),
        (("current-context", 5), "a number as current-context; accepted: a text"),
        (("clusters", 0, "cluster", "server", "lab:6443"), "'lab:6443' as server of cluster 'lab'"),
        (("clusters", 0, "cluster", "proxy-url", f"socks5://u:{SECRET}@h"), "accepted: http://HOST:PORT"),
        (("clusters", 0, "cluster", "insecure-skip-tls-verify", "yes"), "accepted: true or false"),
        (("users", 0, "user", "exec", {"command": "x", "args": "y"}), "exec of user 'lab'"),
    ],
)
def test_odd_kubeconfigs_are_told_in_a_line_with_their_file(change: tuple[Any, ...], said: str, tmp_path: Path) -> None:
    """Where it stands and what is accepted; never a traceback, never what stands there when it may be a secret."""
    path = kubeconfig(tmp_path / "config")
    document = yaml.safe_load(path.read_text())
    place: Any = document
    for step in change[:-2]:
        place = place[step]
    place[change[-2]] = change[-1]
    path.write_text(yaml.safe_dump(document))
    line = told(target_file(tmp_path, {"kubeconfig": "config"}))
    assert said in line
    assert str(path) in line


# -- login helpers -------------------------------------------------------------------------------------------------


def helper(path: Path, body: str) -> Path:
    """Write a login helper."""
    path.write_text(f"#!{sys.executable}\nimport json, os, pathlib, sys\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def exec_user(command: Path | str, **more: Any) -> dict[str, Any]:
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(command), **more}}


COUNTING = """
count = pathlib.Path(__file__).with_name("count")
number = int(count.read_text()) + 1 if count.exists() else 1
count.write_text(str(number))
ends = os.environ.get("ENDS")
status = {"token": f"token-{number}", **({"expirationTimestamp": ends} if ends else {})}
print(json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}))
"""


def test_a_helper_gives_the_token_for_questions_and_for_exec(tmp_path: Path, platform: Platform) -> None:
    """It is asked once, and is told the version of the protocol."""
    platform.accepted = {"token-1"}
    path = helper(tmp_path / "oc-login", COUNTING)
    client = kube(kubeconfig(tmp_path / "config", cluster_of(platform), exec_user(path)))
    assert client.get("Pod", "p", namespace="o") is not None
    assert client.exec("p", ["echo"], namespace="o").stdout == "hello"
    assert [who for _, who in platform.asked] == ["Bearer token-1"] * 2
    client.close()


def test_a_token_that_is_about_to_end_is_renewed_before_it_is_used(tmp_path: Path, platform: Platform) -> None:
    """For questions and for exec alike; one that lasts is kept."""
    platform.accepted = {f"token-{n}" for n in range(9)}
    path = helper(tmp_path / "oc-login", COUNTING)

    def ends(seconds: int) -> list[dict[str, str]]:
        return [{"name": "ENDS", "value": (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()}]

    client = kube(kubeconfig(tmp_path / "short", cluster_of(platform), exec_user(path, env=ends(10))))
    client.get("Pod", "p", namespace="o")
    client.exec("p", ["echo"], namespace="o")
    client.close()
    assert [who for _, who in platform.asked] == ["Bearer token-2", "Bearer token-3"]
    platform.asked.clear()
    client = kube(kubeconfig(tmp_path / "long", cluster_of(platform), exec_user(path, env=ends(3600))))
    client.get("Pod", "p", namespace="o")
    client.exec("p", ["echo"], namespace="o")
    client.close()
    assert [who for _, who in platform.asked] == ["Bearer token-4"] * 2


def test_a_helper_that_fails_does_not_end_a_token_that_still_lives(tmp_path: Path) -> None:
    """The last one is used to its end."""
    ends = (datetime.now(UTC) + timedelta(seconds=20)).isoformat()
    body = "if pathlib.Path(__file__).with_name('count').exists(): sys.exit('the door is closed')\n" + COUNTING
    path = helper(tmp_path / "oc-login", body)
    config = kubeconfig(tmp_path / "config", user=exec_user(path, env=[{"name": "ENDS", "value": ends}]))
    login = Login(Kubernetes((config,)))
    assert login.headers() == {"authorization": "Bearer token-1"}


def test_a_token_that_is_refused_is_asked_for_again_once(tmp_path: Path, platform: Platform) -> None:
    """Helpers need not say when a token ends, and somebody may log in anew in another terminal."""
    platform.accepted = {"token-2"}
    path = helper(tmp_path / "oc-login", COUNTING)
    client = kube(kubeconfig(tmp_path / "config", cluster_of(platform), exec_user(path)))
    assert client.exec("p", ["echo"], namespace="o").stdout == "hello"
    platform.accepted = {"token-3"}
    assert client.get("Pod", "p", namespace="o") is not None
    assert [who for _, who in platform.asked] == [f"Bearer token-{n}" for n in (1, 2, 2, 3)]
    client.close()
    by_hand = kubeconfig(tmp_path / "by-hand", cluster_of(platform), {"token": "old"})
    client = kube(by_hand)
    kubeconfig(by_hand, cluster_of(platform), {"token": "token-3"})
    assert client.get("Pod", "p", namespace="o") is not None
    # What stands there now is another cluster, though under the same name: not for this trial.
    kubeconfig(by_hand, {**cluster_of(platform), "server": "https://127.0.0.1:1"}, {"token": "token-9"})
    platform.accepted = set()
    with pytest.raises(NotPermitted, match="expired or revoked"):
        client.get("Pod", "p", namespace="o")
    assert "Bearer token-9" not in [who for _, who in platform.asked]
    client.close()


def test_a_helper_that_is_not_there_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    """By its name and whose it is, with its own hint how to get it."""
    user = exec_user("oc-nope", installHint="Get it at the\n  counter.")
    kubeconfig(tmp_path / "config", user=user)
    said = told(target_file(tmp_path, {"kubeconfig": "config"}))
    assert "the login helper oc-nope of user lab was not found (Get it at the counter.)" in said


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("print('x', file=sys.stderr); sys.exit('You must log in: run oc login')", "ended with 1: You must log in"),
        ("sys.exit(3)", "ended with 3: no word"),
        (f"print({SECRET!r})", "did not answer with an ExecCredential"),
        (f"print(json.dumps({{'status': {{'token': ['{SECRET}']}}}}))", "a token that is no text"),
        ("print(json.dumps({'status': {}}))", "neither a token nor a certificate"),
    ],
)
def test_a_helper_that_fails_is_told_in_its_own_words(body: str, said: str, tmp_path: Path) -> None:
    """And nothing is said of credentials that have expired."""
    path = helper(tmp_path / "oc-login", body)
    with pytest.raises(NotPermitted) as caught:
        kube(kubeconfig(tmp_path / "config", user=exec_user(path)))
    assert "the login helper oc-login of user lab" in str(caught.value)
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "expired" not in str(caught.value)


def test_a_helper_may_give_a_certificate(tmp_path: Path, platform: Platform) -> None:
    """With its key, instead of a token."""
    authority, key = certificate(tmp_path / "me", "me")
    body = (
        f"read = lambda path: pathlib.Path(path).read_text()\n"
        f"status = dict(clientCertificateData=read({str(authority)!r}), clientKeyData=read({str(key)!r}))\n"
        "print(json.dumps({'status': status}))"
    )
    config = kubeconfig(tmp_path / "config", cluster_of(platform), exec_user(helper(tmp_path / "oc-login", body)))
    configuration = Login(Kubernetes((config,))).configuration
    assert Path(configuration.cert_file).read_text() == authority.read_text()
    assert Path(configuration.key_file).read_text() == key.read_text()


# -- on the way ----------------------------------------------------------------------------------------------------


def through(proxy: Proxy) -> list[str]:
    return [head[0].removesuffix(" HTTP/1.1").removesuffix(" HTTP/1.0") for head in proxy.asked]


def test_exec_goes_through_the_same_proxy_as_everything_else(tmp_path: Path, platform: Platform) -> None:
    """The platform's name is known to the proxy alone; its credentials are shown to it, and to nobody else."""
    with serving(proxy := Proxy(platform.port)):
        url = proxy.url.replace("http://", "http://me:s%40fe@")
        cluster = {**cluster_of(platform), "server": f"https://{NAME}:6443", "proxy-url": url}
        del cluster["tls-server-name"]
        client = kube(kubeconfig(tmp_path / "config", cluster, {"token": "t"}))
        assert client.get("Pod", "p", namespace="o") is not None
        assert client.exec("p", ["echo"], namespace="o").stdout == "hello"
        client.close()
        assert through(proxy) == [f"CONNECT {NAME}:6443"] * 2
        shown = f"proxy-authorization: basic {base64.b64encode(b'me:s@fe').decode()}".lower()
        assert all(shown in [line.lower() for line in head] for head in proxy.asked)


def test_the_environment_proxy_is_taken_or_passed_by_for_both(
    tmp_path: Path, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTPS_PROXY and NO_PROXY mean the same to questions and to exec."""
    config = kubeconfig(tmp_path / "config", cluster_of(platform), {"token": "t"})
    with serving(proxy := Proxy(platform.port)):
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        for bypassed, asked in (("elsewhere", 2), ("127.0.0.0/8", 0), (f"127.0.0.1:{platform.port}", 0)):
            monkeypatch.setenv("NO_PROXY", bypassed)
            proxy.asked.clear()
            client = kube(config)
            assert client.get("Pod", "p", namespace="o") is not None
            assert client.exec("p", ["echo"], namespace="o").stdout == "hello"
            client.close()
            assert len(proxy.asked) == asked, bypassed


def test_a_proxy_that_refuses_is_told_as_such(tmp_path: Path, platform: Platform) -> None:
    """Not as a platform that does not answer."""
    with serving(proxy := Proxy(platform.port)):
        proxy.refuses = True
        client = kube(kubeconfig(tmp_path / "config", cluster_of(platform, **{"proxy-url": proxy.url}), {"token": "t"}))
        for ask in (lambda: client.get("Pod", "p", namespace="o"), lambda: client.exec("p", ["x"], namespace="o")):
            with pytest.raises(Unreachable, match=r"does not answer: its proxy: .*403"):
                ask()
        client.close()


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_certificates_are_looked_at_the_same_way_for_both(tmp_path: Path, platform: Platform) -> None:
    """Another name than the server's is refused, unless the kubeconfig names it, or looks at none."""
    wrong = {**cluster_of(platform)}
    del wrong["tls-server-name"]
    blind = {"server": wrong["server"], "insecure-skip-tls-verify": True}
    for cluster, good in ((cluster_of(platform), True), (wrong, False), (blind, True)):
        client = kube(kubeconfig(tmp_path / "config", cluster, {"token": "t"}))
        for ask in (lambda it: it.get("Pod", "p", namespace="o"), lambda it: it.exec("p", ["x"], namespace="o")):
            if good:
                assert ask(client)
            else:
                with pytest.raises(Unreachable, match="its certificate is not accepted"):
                    ask(client)
        client.close()


def test_a_platform_that_is_not_there_is_told_as_a_person_would(tmp_path: Path) -> None:
    """Address, why, and by which way: nothing of what a library went through."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    config = kubeconfig(tmp_path / "config", {"server": f"https://127.0.0.1:{port}"})
    client = kube(config)
    with pytest.raises(Unreachable) as caught:
        client.get("Pod", "p", namespace="o")
    said = f"https://127.0.0.1:{port} does not answer: connection refused (kubeconfig {config}, context lab)"
    assert str(caught.value) == said
    with pytest.raises(Unreachable, match="does not answer: connection refused"):
        client.exec("p", ["true"], namespace="o")
    client.close()


def test_json_of_a_token_never_travels_in_an_error(tmp_path: Path) -> None:
    """The Kubernetes client names a broken entry by all that it holds; we don't."""
    path = tmp_path / "config"
    document = json.loads(json.dumps(yaml.safe_load(kubeconfig(path).read_text())))
    document["users"][0]["usr"] = document["users"][0].pop("user")
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(BadInput) as caught:
        kube(path)
    assert SECRET not in str(caught.value)
