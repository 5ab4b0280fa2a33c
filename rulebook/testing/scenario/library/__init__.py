"""The scenarios that come with rulebook: every module here has a function `scenarios`, which is found by itself."""
