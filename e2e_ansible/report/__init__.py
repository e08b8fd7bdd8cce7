"""Results for people and machines: terminal, plain lines, JSON, JUnit, HTML."""
