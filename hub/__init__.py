"""Wires channels, mappings, store and destinations into one flow."""
