"""Outputs on this machine: where they may be, and how they are written."""
