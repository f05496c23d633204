"""A small compiler from programs over tokens to weights of a stock GPT-2, and the truth about what it made.

Read in this order: `program` (programs are data), `interpreter` (what they mean), `named` and `random_programs`;
`directions`, `parts`, `layout`, `weights` (the compiler), `compiling` (all of it); `graph` and
`derivation` (the truth about a prompt).
"""
