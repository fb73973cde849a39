"""What the sentences of the features mean: one module per noun, each step one call of the library."""
