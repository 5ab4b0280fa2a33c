"""The rule library: importing a module of it registers its rules."""
