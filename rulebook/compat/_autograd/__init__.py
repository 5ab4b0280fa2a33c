"""What `rulebook.compat.autograd` is made of."""
