"""The client that writes histories: what was attempted, acknowledged, refused, or lost from sight."""
