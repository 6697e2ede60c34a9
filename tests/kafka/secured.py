"""A broker that lets in only whom it knows, over TLS, and allows only what a rule says."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from scripts.kafka.broker import SHORT_LIVED, KafkaBroker
from scripts.kafka.process import free_port
from tests.certificates import Authority
from tests.kafka.cluster import TIMEOUT_SECONDS
from tests.kafka.service import ServiceProcess

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
_RULE = re.compile(r"^kafka-acls\.sh (.*?(?:\\\n.*?)*)$", re.MULTILINE)
_RESOURCES = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional-id": ResourceType.TRANSACTIONAL_ID,
    "cluster": ResourceType.BROKER,
}


@dataclass(frozen=True, slots=True)
class Right:
    """One operation on one resource, as the page has it: the application is `alerts`."""

    operation: str
    kind: str
    name: str
    is_prefix: bool

    def __str__(self) -> str:
        return f"{self.operation} on {self.kind} {self.name}{'*' if self.is_prefix else ''}".strip()


def rights_of_the_page() -> list[Right]:
    """Every right that the commands of docs/security.md give."""
    found = []
    for text in _RULE.findall(PAGE.read_text()):
        words = text.replace("\\\n", " ").split()
        kind = next(word[2:] for word in words if word[2:] in _RESOURCES)
        at = words.index(f"--{kind}")
        name = "" if kind == "cluster" else words[at + 1]
        operations = [words[n + 1] for n, word in enumerate(words) if word == "--operation"]
        found += [Right(each, kind, name, "prefixed" in words) for each in operations]
    return found


class SecuredBroker:
    """`servers` is where users log in; at `plain` the super user is let in without."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        own = self.authority.sign("broker")
        store = folder / "store.pem"
        store.write_text(Path(own.key).read_text() + Path(own.certificate).read_text())
        plain, secure, controller = free_port(), free_port(), free_port()
        self.plain, self.servers = f"127.0.0.1:{plain}", f"127.0.0.1:{secure}"
        listeners = f"PLAINTEXT://{self.plain},SASL_SSL://{self.servers}"
        protocols = "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL"
        login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        properties = {
            "listener.security.protocol.map": protocols,
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"{listeners},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": listeners,
            "sasl.enabled.mechanisms": "SCRAM-SHA-256",
            "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config": login,
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(store),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": "User:ANONYMOUS",
        }
        self._broker = KafkaBroker(folder / "broker", plain, properties, performance=SHORT_LIVED)

    @contextmanager
    def running(self) -> Iterator["SecuredBroker"]:
        self._broker.start()
        try:
            yield self
        finally:
            self._broker.stop()

    def stop(self) -> None:
        self._broker.stop()

    def start(self) -> None:
        self._broker.start()

    def add_user(self, name: str, password: str) -> None:
        admin = AdminClient({"bootstrap.servers": self.plain})
        credential = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096)
        changes = [UserScramCredentialUpsertion(name, credential, password.encode())]
        for done in admin.alter_user_scram_credentials(changes).values():
            done.result(TIMEOUT_SECONDS)

    def allow(self, user: str, rights: Iterable[Right], names: Mapping[str, str]) -> None:
        """`names` are what the names of the page stand for."""
        admin = AdminClient({"bootstrap.servers": self.plain})
        made = admin.create_acls([_binding(user, right, names) for right in rights])
        for done in made.values():
            done.result(TIMEOUT_SECONDS)

    def login(self, user: str, password_file: Path) -> dict[str, str]:
        """The variables with which a service logs in."""
        return {
            "WALLAROO_BOOTSTRAP_SERVERS": self.servers,
            "WALLAROO_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
            "WALLAROO_KAFKA__SASL_MECHANISM": "SCRAM-SHA-256",
            "WALLAROO_KAFKA__SASL_USERNAME": user,
            "WALLAROO_KAFKA__SASL_PASSWORD_FILE": str(password_file),
            "WALLAROO_KAFKA__SSL_CA_LOCATION": self.authority.ca,
        }


def launch(
    broker: SecuredBroker, user: str, folder: Path, *arguments: str, **variables: str
) -> ServiceProcess:
    """A service of an application whose id is the name of its user; returns at once."""
    password_file = folder / f"{user}.password"
    if not password_file.exists():
        password_file.write_text(f"{password_of(user)}\n")
    environment = {**broker.login(user, password_file), "WALLAROO_APPLICATION_ID": user, **variables}
    return ServiceProcess(arguments, folder / f"{user}.log", environment)


def password_of(user: str) -> str:
    """One that needs care in every place it passes through."""
    return f"p\u00e4$s \"w'ord=1,2 {user[-5:]}"


def _binding(user: str, right: Right, names: Mapping[str, str]) -> AclBinding:
    return AclBinding(
        _RESOURCES[right.kind],
        names.get(right.name, right.name) or "kafka-cluster",
        ResourcePatternType.PREFIXED if right.is_prefix else ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        AclOperation[_operation(right.operation)],
        AclPermissionType.ALLOW,
    )


def _operation(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper()
