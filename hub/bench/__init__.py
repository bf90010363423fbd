"""Benchmarks: each answers one question, beside a baseline that runs in the same rounds."""
