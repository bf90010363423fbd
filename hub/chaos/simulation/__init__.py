"""The whole hub in one thread under virtual time: every choice comes from a seed, so that each run can be had again."""
