"""The mariadb operator: Galera clusters, and the databases and accounts in them."""
