"""A session from its first to its last measurement, and what it leaves: records and a result."""
