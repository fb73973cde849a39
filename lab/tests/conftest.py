"""Settings of the lab's own tests."""

from hypothesis import HealthCheck, settings

# How fast the machine is at the moment decides no test.
settings.register_profile("house", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")
