"""`python -m seatrial_lab` is the command line."""

from seatrial_lab.cli import main

main()
