"""From a way to run a chain to numbers: candidates are compiled, linked with the measuring program, and run."""
