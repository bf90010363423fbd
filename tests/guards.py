"""Limits that only keep a test from hanging. None of them may judge how fast this machine is."""

HANGS = 200.0
"""Seconds after which whoever is waited for will never come: many times what a machine needs that is busy with other
things, and less than the 300 of pytest's own limit, so that a test that hangs ends with words of its own."""
