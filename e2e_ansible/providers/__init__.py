"""Where nodes come from: capabilities as data, and one driver per provider."""
