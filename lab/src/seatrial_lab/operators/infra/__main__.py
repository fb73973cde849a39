"""`python -m seatrial_lab.operators.infra`: run the infra operator."""

from seatrial_lab.operators.common.runtime import serve
from seatrial_lab.operators.infra.dns import DNS_DATA_CONTROLLER, DNS_MASQ_CONTROLLER
from seatrial_lab.operators.infra.ip_set import IP_SET_CONTROLLER
from seatrial_lab.operators.infra.memcached import MEMCACHED_CONTROLLER
from seatrial_lab.operators.infra.rabbitmq import RABBITMQ_CONTROLLER
from seatrial_lab.operators.infra.transport_url import TRANSPORT_URL_CONTROLLER

if __name__ == "__main__":
    serve(
        "infra",
        (
            RABBITMQ_CONTROLLER,
            TRANSPORT_URL_CONTROLLER,
            MEMCACHED_CONTROLLER,
            IP_SET_CONTROLLER,
            DNS_DATA_CONTROLLER,
            DNS_MASQ_CONTROLLER,
        ),
    )
