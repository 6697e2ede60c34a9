"""A real Apache Kafka on this machine, from the jars that Maven Central holds."""
