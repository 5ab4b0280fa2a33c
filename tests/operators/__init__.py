"""The derivative operators."""
