"""A rule pack (`pipe-flow`, in `friction`) and an engine (`tape`) that rulebook finds by itself once this distribution is installed."""
