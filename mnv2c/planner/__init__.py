"""The planner: every way to run every chain is laid out and priced, and the best sequence of chains is taken."""
