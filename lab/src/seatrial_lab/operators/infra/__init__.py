"""The infra operator: message broker, transport URLs and cache (RabbitMq, TransportURL, Memcached)."""
