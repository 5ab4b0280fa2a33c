"""What the bridge to dual is made of; `rulebook.bridges.dual` is its door."""
