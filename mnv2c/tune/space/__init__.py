"""What may be tried of a chain: every legal way to run it, and how often each is drawn."""
