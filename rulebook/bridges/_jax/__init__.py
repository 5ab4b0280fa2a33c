"""What the bridge to jax is made of; `rulebook.bridges.jax` is its door."""
