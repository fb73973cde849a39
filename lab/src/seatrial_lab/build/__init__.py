"""What must exist before a boot: packages, binaries, environments, the image."""
