"""Mappings: data files that turn platforms' records into canonical documents, and those into destinations' bodies."""
