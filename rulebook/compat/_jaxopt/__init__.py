"""What `rulebook.compat.jaxopt` is made of."""
