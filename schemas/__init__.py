"""What is on the topics, as msgspec and pydantic read, write and describe it; its JSON Schemas are in json/."""
