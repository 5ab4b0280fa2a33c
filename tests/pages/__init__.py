"""The pages of the documentation, run as their readers would."""
