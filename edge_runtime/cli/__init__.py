"""The device's commands: parse, one call, print."""
