"""Who may make how many nodes on this machine: one ledger for all runs, with turns in order."""
