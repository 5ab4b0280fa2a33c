"""What the bridge to autograd is made of; `rulebook.bridges.autograd` is its door."""
