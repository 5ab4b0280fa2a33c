"""Rule packs and engines of other distributions, installed as pip would leave them, each in a process of its own."""
