"""The version of this package: that of the workspace."""

__version__ = "0.1.0"
