"""Models whose mechanism is known: compiled transformers, and small trained worlds with a built-in shape."""
