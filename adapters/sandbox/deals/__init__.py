"""How each imitated platform shows an order: one file a channel, in its own wire shape."""
