"""The version of dualcost."""

__version__ = "0.1.0"
