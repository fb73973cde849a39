"""Which cloud a load test logs in to, and as whom: what the harness hands over, or what OS_CLOUD names by hand.

Imported by load tests. Every kind of login that keystoneauth1 knows works, by the plugin that the cloud's entry names.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import keystoneauth1.exceptions as keystone_errors
import openstack.exceptions as sdk_errors
from openstack.config import OpenStackConfig

from seatrial.clients.cloud import taken_over
from seatrial.clients.unanswered import why
from seatrial.load.journal import CLOUD
from seatrial.model.known import cut

_TRIES = 3


def the_cloud() -> Callable[[], Any]:
    """Return a function that gives the cloud's configuration, with a login of its own each time.

    Ends the process with one line when there is no such cloud, or when it does not let us in.
    """
    find = _handed_over() if os.environ.get(CLOUD) else _named()
    _try(find())
    return find


def _handed_over() -> Callable[[], Any]:
    text = sys.stdin.read()
    return lambda: taken_over(text)


def _named() -> Callable[[], Any]:
    config = OpenStackConfig()
    known, name = sorted(set(config.get_cloud_names()) - {"defaults"}), config.default_cloud
    if name not in known:
        where = config.config_filename or "no clouds.yaml was found; OS_CLIENT_CONFIG_FILE names one"
        raise SystemExit(f"OS_CLOUD: found {name!r}; accepted: {', '.join(known) or 'nothing'} ({where})")
    return lambda: config.get_one(cloud=name)


def _try(cloud: Any) -> None:
    """Log in once: a load that can't would only be figures of its own refusal."""
    session = cloud.get_session()
    for left in reversed(range(_TRIES)):
        try:
            session.get_token()
        except (keystone_errors.Unauthorized, keystone_errors.Forbidden) as refused:
            raise SystemExit(f"the cloud does not accept the load's credentials: {_first_line(refused)}") from refused
        except keystone_errors.ConnectFailure as silent:
            if not left:
                url = cloud.get_auth_args()["auth_url"]
                raise SystemExit(f"the load could not log in: {url} does not answer: {why(silent)}") from silent
        except (keystone_errors.ClientException, sdk_errors.SDKException) as problem:
            if not left:
                raise SystemExit(f"the load could not log in: {_first_line(problem)}") from problem
        else:
            return


def _first_line(problem: Exception) -> str:
    return f"{type(problem).__name__}: {cut(' '.join(str(problem).split()), 300)}"
