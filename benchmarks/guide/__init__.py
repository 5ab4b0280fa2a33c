"""The figures of the guide, one module a page."""
