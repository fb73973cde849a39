"""Nothing that looks like a secret gets on paper, and what only sounds like one stays readable."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.reporting.redaction import REMOVED, clean, clean_json, clean_shapes

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
    ],
)
@given(secret=SECRET)
def test_a_secret_is_removed_in_every_form_that_programs_print_it(form: str, secret: str) -> None:
    """Assignments, headers, URLs, SQL, command lines, JSON inside JSON."""
    cleaned = clean("before " + form.format(secret) + " after")
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
    ],
)
def test_a_secret_is_known_by_its_shape_alone(text: str) -> None:
    """Keys, also cut off or on one line; Keystone's and Kubernetes' tokens. The same holds on finished files."""
    for cleaned in (clean(text), clean_shapes(text)):
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
