"""`python -m kuberian`."""

from kuberian.cli import main

main()
