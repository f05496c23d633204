"""Evidence for a feature: what it depends on, what it promotes, where it is active."""
