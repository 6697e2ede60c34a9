"""What an operator does to an application through Kafka alone: look at it at rest, and change it."""
