"""Suites and operations on AWX: what a job does there, and how one is described, started and followed from here."""
