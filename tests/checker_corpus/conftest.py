"""No doctests here, and some families need packages that may not be installed."""

collect_ignore_glob = ["*.py"]
