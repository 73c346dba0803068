"""`python -m dualcost` is `dualcost`."""

from dualcost.cli import main

main()
