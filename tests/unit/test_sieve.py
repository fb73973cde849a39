"""Nothing that looks like a secret gets through, and what only sounds like one stays readable."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.journal.sieve import clean, clean_finished, clean_json
from seatrial.model.known import REMOVED

SECRET = st.text(st.sampled_from("abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"), min_size=12, max_size=40)
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc+/=\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    "form",
    [
        "password={}",
        'password: "{}"',
        "{{'password': '{}', 'user': 'x'}}",
        '{{"adminPassword": "{}"}}',
        "MYSQL_PWD={}",
        "X-Auth-Token: {}",
        "Authorization: Bearer {}",
        "mysql+pymysql://keystone_1a2b:{}@openstack.openstack.svc/keystone",
        "rabbit://default_user:{}@rabbitmq.openstack.svc:5671/?ssl=1",
        "CREATE USER 'x'@'%' IDENTIFIED BY '{}'",
        "mysql -uroot -p{} -e 'select 1'",
        "client_secret={}",
        '{{\\"password\\": \\"{}\\"}}',
        "mysql --password {} -u root",
        "openstack --os-password '{}' token issue",
        "rabbitmqctl add_user nova {}",
        "rabbitmqctl -q change_password nova '{}'",
        "the password is {}",
        "secret: {}",
        "metadata_proxy_shared_secret = {}",
        "memcache_secret_key = {}",
        "key = {}",
        "OS_PASSWORD {}",
        "DB_PASS: {}",
        "sshpass -p {} ssh root@node-0",
        "mysqldump -uroot -p {} nova",
        "curl -u admin:{} http://keystone:5000/v3",
        "X-Subject-Token {}0",
        "fernet key {}0=",
        "rabbit://nova:x1@rabbitmq-0:5671,nova:{}@rabbitmq-1:5671/?ssl=1",
        "redis://:{}@redis:6379",
        "mysql+pymysql://nova:with/slash{}@openstack.openstack.svc/nova",
        "mysql+pymysql://nova:with@at{}@openstack.openstack.svc/nova",
        "password='two words {}'",
        "token sha256~{}{}",
    ],
)
@given(secret=SECRET)
def test_a_secret_is_removed_in_every_form_that_programs_print_it(form: str, secret: str) -> None:
    """Assignments, headers, URLs, SQL, command lines, JSON inside JSON."""
    cleaned = clean("before " + form.format(secret, secret) + " after")
    assert secret not in cleaned
    assert REMOVED in cleaned
    assert cleaned.startswith("before ")


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        KEY[:60],
        KEY.replace("\n", "\\n"),
        "gAAAAABlz" + "Ab3_-" * 20,
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJlLWhlcmU",
        "client-key-data: LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQpNSUlF",
        "aws AKIAIOSFODNN7EXAMPLE",
        "oauth sha256~Ab3_-Ab3_-Ab3_-Ab3_-Ab3_-Ab3_-",
        "root:$6$abcdefgh$qMPb2HVWMiIYlOj1bBfT4ZxOzzWkQlnyKK1",
        "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19",
    ],
)
def test_a_secret_is_known_by_its_shape_alone(text: str) -> None:
    """Keys, also cut off or on one line; Keystone's and Kubernetes' tokens. The same holds on finished files."""
    for cleaned in (clean(text), clean_finished(text)):
        assert REMOVED in cleaned
        assert "MIIEow" not in cleaned
        assert "eyJpc3Mi" not in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "Access denied for user 'keystone'@'10.128.0.7' (using password: YES)",
        "GET /v3/users without a token answers 401",
        "with_token: false",
        "secret: osp-secret",
        "rootDatabaseSecret: openstack-mariadb-root-db-secret",
        "http://keystone-public.openstack.svc:5000/v3",
        "certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUM",
        "3f2b8a9e-5b1f-4f0e-9d5e-0c6d6a3f1b2c",
        "http://keystone-public.openstack.svc:5000/v3/users?email=a@b.example",
        "quay.io/podified/a,quay.io/podified/b:tag@sha256:0123abcd",
        "the password must contain a digit; the password is wrong; token expired",
        "basic authentication failed, bearer token missing",
        "tls: secretName cert-keystone-internal-svc, bundle secret: combined-ca-secret",
        "token: /var/run/secrets/kubernetes.io/serviceaccount/token",
        "label key=app",
        """kubectl patch configmap -n openstack mariadb --type=merge -p '{"data":{"seatrial-canary-0a1b2c3d":null}}'""",
        "kubectl exec -n openstack rabbitmq-server-0 -- rabbitmqctl delete_user seatrial_0a1b2c3d",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    ],
)
def test_what_only_speaks_of_secrets_stays(text: str) -> None:
    """Evidence must stay readable: names of Secrets, ids, ordinary errors."""
    assert clean(text) == text


@given(st.text())
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    """The sieve is applied at several places; that must not eat what an earlier one left."""
    assert clean(clean(text)) == clean(text)


def test_in_json_the_key_decides() -> None:
    """A short or plain password is no shape at all; its key gives it away. Truth values and names are no secrets."""
    value = clean_json({"password": "a", "with_token": True, "deep": [{"api_key": "k"}], "secretName": "osp-secret"})
    assert value == {
        "password": REMOVED,
        "with_token": True,
        "deep": [{"api_key": REMOVED}],
        "secretName": "osp-secret",
    }


@pytest.mark.parametrize(
    "key", ["secret", "tlsSecret", "rootDatabaseSecret", "ansibleSSHPrivateKeySecret", "secretName"]
)
def test_names_of_secrets_stay(key: str) -> None:
    """A key of a custom resource that refers to a Secret has its name as value: no secret, and needed as evidence."""
    assert clean_json({key: "osp-secret"}) == {key: "osp-secret"}
    assert clean_json({key: ["a", "b"]}) == {key: ["a", "b"]}


@pytest.mark.parametrize("key", ["client_secret", "clientSecret", "metadata_proxy_shared_secret", "memcacheSecretKey"])
def test_values_that_are_called_secret_go(key: str) -> None:
    """Where services and not Kubernetes name it, a secret is the value itself, also one that could be a name."""
    assert clean_json({key: "osp-secret"}) == {key: REMOVED}


def test_what_is_no_name_of_an_object_goes() -> None:
    """A value that no Secret can be called is no name of one."""
    assert clean_json({"secret": "Tr0ub4dor&3"}) == {"secret": REMOVED}


def test_a_manifest_tells_what_it_holds() -> None:
    """The data of a Secret, and the value of an environment variable that names one, wherever such an object stands."""
    secret = {"kind": "Secret", "metadata": {"name": "osp-secret"}, "data": {"x": "eA=="}, "stringData": {"y": "z"}}
    variables = [{"name": "DB_PASSWORD", "value": "x"}, {"name": "DB_HOST", "value": "openstack"}]
    assert clean_json({"object": secret, "env": variables}) == {
        "object": {
            "kind": "Secret",
            "metadata": {"name": "osp-secret"},
            "data": {"x": REMOVED},
            "stringData": {"y": REMOVED},
        },
        "env": [{"name": "DB_PASSWORD", "value": REMOVED}, {"name": "DB_HOST", "value": "openstack"}],
    }


def test_a_finished_file_stays_well_formed() -> None:
    """A key that was cut off ends where its letters end: what stands after it in HTML or JSON is not eaten."""
    assert (
        clean_finished('{"a": "' + KEY[:60].replace("\n", "\\n") + '", "b": 1}') == '{"a": "' + REMOVED + '", "b": 1}'
    )


def test_a_key_for_a_url_leaves_host_and_user() -> None:
    """Who connects to where is evidence."""
    cleaned = clean("rabbit://nova:Tr0ub4dor@rabbitmq-0:5671,nova:Tr0ub4dor@rabbitmq-1:5671/?ssl=1")
    assert cleaned == f"rabbit://nova:{REMOVED}@rabbitmq-0:5671,nova:{REMOVED}@rabbitmq-1:5671/?ssl=1"


def test_what_a_run_records_of_a_deployment_passes_as_it_is() -> None:
    """Names of Secrets, labels, ids, images, addresses: nothing of a whole recorded trial is taken for a secret."""
    sample = Path(__file__).parents[2] / "reports" / "sample"
    documents = [json.loads(path.read_text()) for path in sample.rglob("*.json")]
    documents += [json.loads(line)["data"] for line in (sample / "journal.jsonl").read_text().splitlines()]
    assert len(documents) > 100
    for document in documents:
        assert clean_json(document) == document
