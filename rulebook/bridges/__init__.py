"""The bridges: one module per engine, named like it, each with an `engine`."""
