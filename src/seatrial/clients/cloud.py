"""The way into one cloud, as openstacksdk reads it: for the harness, and handed on to the load that it starts.

The load gets what the harness has found, and looks nowhere itself: two different logins are impossible.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keystoneauth1.exceptions as keystone_errors
import openstack.exceptions as sdk_errors
import yaml
from openstack.config import OpenStackConfig
from openstack.config import loader as sdk_loader

from seatrial.clients.unanswered import why
from seatrial.model.errors import BadInput, NotPermitted, Problem, Unreachable
from seatrial.model.known import KNOWN, cut
from seatrial.model.target import Cloud

ANSWER_S = 10.0
"""The deadline of everything that is asked, the login included: a black hole must not hold up a trial."""
USUAL_FILES = tuple(Path(place) for place in sdk_loader.CONFIG_FILES)
USUAL_SECURE_FILES = tuple(Path(place) for place in sdk_loader.SECURE_FILES)
"""Where openstacksdk looks for a clouds.yaml, and for the secrets that belong to one."""
_TRIES = 3
_HANDED = (
    *("auth", "auth_type", "auth_methods", "region_name", "interface", "identity_api_version"),
    *("verify", "insecure", "cacert", "cert", "key", "force_ipv4"),
)
_SECRET = ("password", "token", "application_credential_secret", "passcode", "client_secret", "access_token")
_ODD = (yaml.YAMLError, OSError, AttributeError, TypeError, ValueError, LookupError, ArithmeticError)


def region(cloud: Cloud) -> Any:
    """Return the configuration of a cloud as openstacksdk understands it; raises BadInput when it can't be one."""
    accepted = f"a readable clouds.yaml with an entry {cloud.name!r}"
    if cloud.clouds_yaml is not None and not cloud.clouds_yaml.is_file():
        raise BadInput([Problem(f"cloud.clouds_yaml {cloud.clouds_yaml}", "no such file", accepted)])
    files = () if cloud.clouds_yaml is None else (cloud.clouds_yaml,)
    try:
        config = OpenStackConfig(
            config_files=_names(files), secure_files=_names(cloud.secure), load_envvars=cloud.clouds_yaml is None
        )
        return _with_known_secrets(config.get_one(cloud=cloud.name, api_timeout=ANSWER_S))
    except (sdk_errors.SDKException, keystone_errors.ClientException) as problem:
        raise BadInput([Problem(str(cloud), _short(problem), accepted)]) from problem
    except _ODD as problem:
        # The text may show what stands there, and that may be a secret.
        raise BadInput([Problem(str(cloud), f"it is no cloud ({type(problem).__name__})", accepted)]) from problem


def handed_on(found: Any) -> str:
    """Return what a process of our own needs to log in as this cloud's user; holds secrets: for a pipe, no more."""
    return json.dumps({key: found.config[key] for key in _HANDED if found.config.get(key) is not None})


def taken_over(text: str) -> Any:
    """Return the configuration that was handed on; nothing else is looked at, no file and no variable."""
    written = json.loads(text)
    config = OpenStackConfig(load_yaml_config=False, load_envvars=False)
    return _with_known_secrets(config.get_one(**written, api_timeout=ANSWER_S))


def _with_known_secrets(found: Any) -> Any:
    """Return it, once the sieve knows what must not be written down of it."""
    given = found.config.get("auth")
    for key in _SECRET if isinstance(given, dict) else ():
        if isinstance(given.get(key), str):
            KNOWN.tell(given[key])
    return found


def by_hand() -> Any:
    """Return the configuration of the cloud that OS_CLOUD names, found as openstacksdk finds it."""
    config = OpenStackConfig()
    known, name = sorted(set(config.get_cloud_names()) - {"defaults"}), config.default_cloud
    if name not in known:
        where = config.config_filename or "no clouds.yaml was found; OS_CLIENT_CONFIG_FILE names one"
        raise BadInput([Problem("OS_CLOUD", repr(name), f"{', '.join(known) or 'nothing'} ({where})")])
    return _with_known_secrets(config.get_one(cloud=name))


def let_in(found: Any) -> None:
    """See that this cloud lets us in; raises NotPermitted when it refuses, Unreachable when it does not answer."""
    session = found.get_session()
    for left in reversed(range(_TRIES)):
        try:
            session.get_token()
        except (keystone_errors.Unauthorized, keystone_errors.Forbidden) as refused:
            raise NotPermitted(f"the cloud does not accept the load's credentials: {_short(refused)}") from refused
        except keystone_errors.ConnectFailure as silent:
            if not left:
                url = found.get_auth_args()["auth_url"]
                raise Unreachable(f"the load could not log in: {url} does not answer: {why(silent)}") from silent
        except (keystone_errors.ClientException, sdk_errors.SDKException) as problem:
            if not left:
                raise Unreachable(f"the load could not log in: {_short(problem)}") from problem
        else:
            return


def _names(files: tuple[Path, ...]) -> list[str]:
    return [str(file) for file in files]


def _short(problem: Exception) -> str:
    return f"{type(problem).__name__}: {cut(' '.join(str(problem).split()), 300)}"
