"""What settings PostgreSQL has, as real servers said it; see `record`."""
