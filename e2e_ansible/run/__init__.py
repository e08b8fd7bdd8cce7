"""The only place that starts processes and writes the run folder."""
