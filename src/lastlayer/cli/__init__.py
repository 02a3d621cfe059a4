"""The command `lastlayer`: parse, call, print. One file per command."""

from lastlayer.cli.app import app, main

__all__ = ["app", "main"]
