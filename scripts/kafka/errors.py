"""What can go wrong with a broker of one's own."""


class KafkaUnavailableError(Exception):
    """This machine cannot run a broker of its own: the message says what is missing."""


class KafkaStartError(Exception):
    """A broker was started and did not come up: the message holds its last complaints."""
