"""What the user wrote: load, validate and expand suite files."""
