"""What the drop-ins for JAX are made of."""
