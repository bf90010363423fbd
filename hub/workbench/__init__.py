"""What a person does with mappings over a store: versions, diffs over history, shadows, drift, mending.

The command line and the API both act through here. Functions take a connection and never commit.
"""
