"""Drop-ins for people who come from elsewhere: the spelling of another package, on the rules of this one."""
