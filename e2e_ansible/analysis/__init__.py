"""What numbers of many runs show, and what they do not. Pure: no clock, no files, no randomness."""
