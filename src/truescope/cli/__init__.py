"""The command line: parse, call one pipeline function, show what it returned. No mathematics lives here."""
