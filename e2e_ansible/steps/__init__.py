"""One module per step type, built-in and third-party alike."""
