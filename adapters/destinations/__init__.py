"""One file a receiving system or protocol."""
