"""`python -m seatrial_lab.operators.mariadb`: what the operator's pod runs."""

from seatrial_lab.operators.common.runtime import serve
from seatrial_lab.operators.mariadb import accounts, galera

if __name__ == "__main__":
    serve("mariadb", (galera.CONTROLLER, accounts.DATABASES, accounts.ACCOUNTS))
