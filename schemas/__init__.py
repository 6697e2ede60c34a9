"""What is on the topics, as pydantic reads, writes and describes it; its JSON Schemas are in json/."""
