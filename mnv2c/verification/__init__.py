"""Compares what a library computes with what the network means: tolerance, references, and every step."""
