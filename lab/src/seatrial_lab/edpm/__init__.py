"""What belongs to compute nodes: the Ansible collection that configures them, and what runs on them."""
