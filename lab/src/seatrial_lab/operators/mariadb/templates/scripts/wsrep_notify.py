#!/usr/bin/python3 -IS
"""Called by mariadbd when its state or the cluster's membership changes: moves the client Service to a live member.

The Service selects one pod by name. The first member of a primary component, once synced, takes it over if the pod it
points to is no member any more (so nothing moves back without need). A member that leaves gives it up. No operator is
needed for this; the Kubernetes API is.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import ssl
import sys
import time
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
POD_LABEL = "statefulset.kubernetes.io/pod-name"
VIEW = Path("/run/mysqld/view.json")  # the last membership, for states that come without one
TURN = Path("/run/mysqld/notify-turn")  # whose turn it is: a later call makes an earlier one stop trying
RETRIES, RETRY_S, TIMEOUT_S = 30, 1.0, 5.0

View = dict[str, Any]


def say(text: str) -> None:
    """Say it in the container's log."""
    sys.stderr.write(f"wsrep_notify[{os.getpid()}]: {text}\n")
    sys.stderr.flush()


def told(arguments: list[str]) -> tuple[str, View]:
    """What mariadbd says: its state, and the membership (the last one it told, if it tells none now)."""
    parser = argparse.ArgumentParser()
    for name in ("status", "uuid", "primary", "members", "index"):
        parser.add_argument(f"--{name}")
    now, _ = parser.parse_known_args(arguments)
    if now.members is not None:
        view = {
            "primary": (now.primary or "").lower() == "yes",
            "index": int(now.index) if now.index else -1,
            # each member: node uuid / node name / address
            "members": [member.split("/")[1] for member in now.members.split(",") if member.count("/") >= 2],
        }
        new = VIEW.with_suffix(".new")
        new.write_text(json.dumps(view))
        new.replace(VIEW)
    elif VIEW.exists():
        view = json.loads(VIEW.read_text())
    else:
        view = {"primary": False, "index": -1, "members": []}
    return (now.status or "").lower(), view


def call(method: str, path: str, body: object = None) -> tuple[int, bytes]:
    """One request to the Kubernetes API with the pod's own service account."""
    token = (ACCOUNT / "token").read_text().strip()
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    connection = http.client.HTTPSConnection(
        os.environ["KUBERNETES_SERVICE_HOST"],
        int(os.environ.get("KUBERNETES_SERVICE_PORT", "443")),
        timeout=TIMEOUT_S,
        context=ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt")),
    )
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def may_take(status: str, view: View) -> bool:
    """Whether this member is the one that clients are sent to if they have no other."""
    return bool(status == "synced" and view["primary"] and view["index"] == 0)


def wanted(status: str, view: View, current: str, me: str) -> str | None:
    """The pod that the Service should select now, "" for nobody, or None to leave it as it is."""
    if status == "disconnecting":
        return "" if current == me else None
    if may_take(status, view) and current not in view["members"]:
        return me
    return None


def settle(status: str, view: View) -> bool:
    """Read the Service, change it if needed; False if somebody else wrote in between and it must be read again."""
    path = f"/api/v1/namespaces/{os.environ['POD_NAMESPACE']}/services/{os.environ['CLIENT_SERVICE']}"
    code, text = call("GET", path)
    if code == http.client.NOT_FOUND:
        say("the Service does not exist; who makes it will choose a member")
        return True
    if code != http.client.OK:
        raise OSError(f"reading the Service: {code}")
    service = json.loads(text)
    selector = service["spec"].setdefault("selector", {})
    current = selector.get(POD_LABEL, "")
    target = wanted(status, view, current, os.environ["POD_NAME"])
    if target is None:
        return True
    selector[POD_LABEL] = target
    code, text = call("PUT", path + "?fieldManager=galera-notify", service)  # refused if the Service changed meanwhile
    if code == http.client.CONFLICT:
        return False
    if code != http.client.OK:
        raise OSError(f"writing the Service: {code}")
    say(f"{status}: the client Service now selects {target or 'nobody'} (before: {current or 'nobody'})")
    return True


def attempt(status: str, view: View) -> bool:
    """Whether it is settled."""
    try:
        return settle(status, view)
    except (OSError, http.client.HTTPException) as problem:
        say(f"{status}: {type(problem).__name__} {problem}")
        return False


def main() -> None:
    """One call by mariadbd."""
    status, view = told(sys.argv[1:])
    turn = f"{os.getpid()} {time.monotonic_ns()}"
    TURN.write_text(turn)
    if not (status == "disconnecting" or may_take(status, view)) or attempt(status, view):
        return
    # mariadbd waits for this process: further attempts go on behind its back, until a later call takes over.
    if os.fork():
        return
    os.setsid()
    for _ in range(RETRIES):
        time.sleep(RETRY_S)
        if TURN.read_text() != turn or attempt(status, view):
            return


if __name__ == "__main__":
    main()
