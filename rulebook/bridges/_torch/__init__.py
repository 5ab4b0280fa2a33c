"""What the bridge to torch is made of; `rulebook.bridges.torch` is its door."""
