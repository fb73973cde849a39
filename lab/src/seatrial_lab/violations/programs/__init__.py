"""What deviations run inside pods."""
