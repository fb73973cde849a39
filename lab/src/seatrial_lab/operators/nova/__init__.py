"""The nova operator: compute with its cells (Nova, NovaCell, and one kind for each component)."""
