"""Faults drawn by a seed against real hub processes, and a checker that believes only receivers and store."""
