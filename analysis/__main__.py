"""`python -m analysis` is `linehealth`."""

from analysis.cli import main

main()
