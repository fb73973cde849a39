"""Neutron's configuration, from what its operator has found."""

from __future__ import annotations

import configparser

from seatrial_lab.operators.common import ovn
from seatrial_lab.operators.common.database import Login
from seatrial_lab.operators.common.exposure import Identity
from seatrial_lab.operators.common.messaging import Transport
from seatrial_lab.operators.common.templates import render_text
from seatrial_lab.operators.neutron import api


def test_the_configuration_names_both_databases_of_ovn_and_no_agent() -> None:
    """ML2 with OVN alone: nobody is served by the message bus but other services."""
    text = render_text(
        api.TEMPLATES,
        "neutron.conf.j2",
        login=Login("neutron_1a2b", "openstack.openstack.svc", "neutron", "secret"),
        transport=Transport("rabbit://u:p$w@rabbitmq", quorum_queues=True),
        memcached=["memcached-0:11211"],
        identity=Identity("http://keystone-internal:5000", "http://192.0.2.1:5000", "regionOne"),
        user="neutron",
        password="pass$word",
        home="/opt/lab/openstack",
        northbound="tcp:172.30.0.1:6641,tcp:172.30.0.2:6641",
        southbound="tcp:172.30.0.3:6642",
    )
    conf = configparser.ConfigParser(interpolation=None)
    conf.read_string(text)
    assert conf["ovn"]["ovn_nb_connection"] == "tcp:172.30.0.1:6641,tcp:172.30.0.2:6641"
    assert conf["ml2"]["mechanism_drivers"] == "ovn"
    assert conf["DEFAULT"]["rpc_workers"] == "0"
    assert conf["DEFAULT"]["transport_url"] == "rabbit://u:p$$w@rabbitmq"
    assert {conf[partner]["endpoint_type"] for partner in ("nova", "placement")} == {"internal"}
    assert conf["nova"]["password"] == "pass$$word"


def test_compute_nodes_are_told_the_name_outside_the_cluster() -> None:
    """Where the database has a network for them; else there is but what pods know."""
    inside = "tcp:ovsdbserver-sb-0.openstack.svc.cluster.local:6642"
    outside = "tcp:ovsdbserver-sb.openstack.svc:6642"
    assert ovn.outside({"status": {"internalDbAddress": inside, "dbAddress": outside}}) == outside
    assert ovn.outside({"status": {"internalDbAddress": inside}}) == inside
