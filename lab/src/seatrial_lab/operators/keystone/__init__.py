"""The keystone operator: the identity service and its registry (KeystoneAPI, KeystoneService, KeystoneEndpoint)."""
