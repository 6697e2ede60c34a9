"""What an operator types: the commands that a refusal names, run with the classes of Kafka's own tools."""

import re
import subprocess

from scripts.kafka.jars import find_jars, find_java

TOOLS = {
    "kafka-consumer-groups.sh": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
}
# Half the time of a tool is its JVM's start.
_JVM = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


def follow(words: str, way: str) -> None:
    """Do what a refusal says, by the letter: the commands behind these words."""
    found = re.search(re.escape(way) + r"[^`]*: `([^`]+)`", words)
    assert found, words
    for command in found.group(1).split(" && "):
        use_tool(*command.split())


def use_tool(tool: str, *arguments: str) -> None:
    """AssertionError with what it says if it fails."""
    command = [find_java(), *_JVM, "-cp", f"{find_jars()}/*", TOOLS[tool], *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Error" not in ran.stdout, ran.stdout
