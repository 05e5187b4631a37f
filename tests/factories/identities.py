"""Teams, accounts, agents, applications, principals."""

from __future__ import annotations

from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice
from factory.django import DjangoModelFactory

from identities.models import AgentIdentity, Application, Principal, Team, User
from tests.factories.declarations import LazyAttribute, Sequence, SubFactory

NO_PASSWORD = "!"  # hashing one costs more than everything else in most tests


class TeamFactory(DjangoModelFactory[Team]):
    class Meta:
        model = Team

    slug = Sequence(lambda n: f"team-{n}")
    name = LazyAttribute(lambda team: team.slug.title())


class PersonFactory(DjangoModelFactory[User]):
    class Meta:
        model = User

    username = Sequence(lambda n: f"person-{n}")
    password = NO_PASSWORD
    is_staff = True


class AgentAccountFactory(DjangoModelFactory[User]):
    class Meta:
        model = User

    username = Sequence(lambda n: f"agent.agent-{n}")
    password = NO_PASSWORD
    kind = "agent"


class ApplicationAccountFactory(DjangoModelFactory[User]):
    class Meta:
        model = User

    username = Sequence(lambda n: f"application.app-{n}")
    password = NO_PASSWORD
    kind = "application"


class AgentFactory(DjangoModelFactory[AgentIdentity]):
    """An active agent."""

    class Meta:
        model = AgentIdentity

    team = SubFactory(TeamFactory)
    slug = Sequence(lambda n: f"agent-{n}")
    name = LazyAttribute(lambda agent: agent.slug.title())
    purpose = "Helps in tests."
    owner = SubFactory(PersonFactory)
    service_account = SubFactory(AgentAccountFactory)
    state = "active"
    recertify_by = None
    ends_at = None
    expires_at = LazyAttribute(
        lambda agent: min((end for end in (agent.ends_at, agent.recertify_by) if end), default=None)
    )


class ApplicationFactory(DjangoModelFactory[Application]):
    class Meta:
        model = Application

    team = SubFactory(TeamFactory)
    slug = Sequence(lambda n: f"app-{n}")
    name = LazyAttribute(lambda application: application.slug.title())
    service_account = SubFactory(ApplicationAccountFactory)
    may_assert_users = True


class PrincipalFactory(DjangoModelFactory[Principal]):
    class Meta:
        model = Principal

    team = SubFactory(TeamFactory)
    issuer = "https://shop.example"
    subject = Sequence(lambda n: f"customer-{n}")


def give_second_factor(person: User) -> TOTPDevice:
    """Give a person a confirmed authenticator."""
    device: TOTPDevice = TOTPDevice.objects.create(user=person, name="authenticator", confirmed=True)
    return device


def current_code(device: TOTPDevice) -> str:
    """Return the code that the authenticator shows now."""
    return f"{totp(device.bin_key, device.step, device.t0, device.digits, device.drift):0{device.digits}d}"
