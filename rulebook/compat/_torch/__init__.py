"""What `rulebook.compat.torch` is made of."""
