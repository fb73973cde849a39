"""`python -m seatrial` is the command line."""

from seatrial.entry.cli import program

program()
