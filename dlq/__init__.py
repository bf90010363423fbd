"""What could not go on, and how it gets going again."""

from dlq.letter import DeadLetter, State, Step, fingerprint

__all__ = ["DeadLetter", "State", "Step", "fingerprint"]
