"""What the profiles of docker-compose.yml add to the service: a producer, and a receiver of alerts."""
