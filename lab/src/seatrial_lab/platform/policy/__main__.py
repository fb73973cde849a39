"""The program of the DaemonSet."""

from seatrial_lab.platform.policy.agent import main

main()
