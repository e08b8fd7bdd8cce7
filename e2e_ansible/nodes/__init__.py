"""What a node is, how it is looked at, and when it must not be touched."""
