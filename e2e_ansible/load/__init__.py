"""Load tools: what each one printed becomes one shape of result. Pure."""
