"""Holdfast: the operations layer that keeps production AI defendable."""

__version__ = "0.1.0"
