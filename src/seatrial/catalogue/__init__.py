"""The requirements as data (``requirements.yaml``), each with its source; and YAML that people write, read strictly."""
