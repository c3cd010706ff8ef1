"""The command line: it only parses and prints; ``mnv2c.api`` does the work."""
