"""One file a selling platform."""
