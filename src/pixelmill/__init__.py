"""Pixelmill: a self-hosted, asynchronous image pipeline."""

__version__ = "0.1.0"
