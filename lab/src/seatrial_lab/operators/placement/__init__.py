"""The placement operator: who has how much of what, and who uses it (PlacementAPI)."""
