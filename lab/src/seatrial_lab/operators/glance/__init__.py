"""The glance operator: images of disks (Glance), and the APIs that serve them (GlanceAPI)."""
