"""What is on the topics, in classes that msgspec or pydantic reads and describes; their schemas: json/."""
