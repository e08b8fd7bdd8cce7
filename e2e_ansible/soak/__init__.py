"""A suite in cycles: hours or days of it, with nobody watching."""
