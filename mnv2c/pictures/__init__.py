"""Pictures of people: read from files, fitted to a network, run through it, and drawn on."""
