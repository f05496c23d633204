"""Content-addressed run folders and one catalogue."""
