"""`python -m seatrial` is the command line."""

import sys

from seatrial.entry.cli import main

sys.exit(main())
