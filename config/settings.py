"""Settings, all from the environment; what production must not miss has no default."""

from __future__ import annotations

import json
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import environ
from celery.schedules import crontab
from django.core.exceptions import ImproperlyConfigured

from agentops.secrecy import keep_to_itself
from config.connections import connect_options
from config.redis_urls import for_celery

keep_to_itself()  # what stands below was read from the environment

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()


def check_metrics_token(token: str) -> str:
    """Return the token, if it is none or one that nobody guesses."""
    if token and len(token) < 32:
        raise ImproperlyConfigured("METRICS_TOKEN has 32 characters at least")
    return token


ENVIRONMENT = env.str("AGENTOPS_ENV", default="development")
# "prod" would be none of them, and go without its guards.
if ENVIRONMENT not in ("development", "test", "production"):
    raise ImproperlyConfigured("AGENTOPS_ENV is development, test or production")
PRODUCTION = ENVIRONMENT == "production"
DEMO = env.bool("AGENTOPS_DEMO", default=False) and not PRODUCTION
DEBUG = False  # error pages never show settings, arguments or secrets, on no machine

SECRET_KEY = env.str("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
AGENTOPS_DIGEST_KEY = env.str("AGENTOPS_DIGEST_KEY")
AGENTOPS_SEALING_KEYS = env.list("AGENTOPS_SEALING_KEYS")
ALLOWED_HOSTS = env.list(
    "ALLOWED_HOSTS", default=[] if PRODUCTION else ["localhost", "127.0.0.1", "[::1]", "testserver"]
)
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# Whom tokens name as their issuer; without it no token is issued.
PUBLIC_URL = env.str("PUBLIC_URL", default="" if PRODUCTION else "http://127.0.0.1:8000").rstrip("/")

INSTALLED_APPS = [
    "agentops.console",  # before the admin, whose templates it overrides
    "agentops.console.admin_config.AgentOpsAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "guardian",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "django_otp_webauthn",
    "axes",
    "csp",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "agentops.ledger",
    "agentops.api",
    "identities",
    "tools",
    "approvals",
    "runs",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
    "agentops.console.hidden_characters.SpellOut",
    "agentops.look_once.LookOnce",  # last: it and the view run in one thread
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

DATABASES = {"default": env.db("DATABASE_URL")}
DATABASES["default"]["ENGINE"] = "django.db.backends.postgresql"
DATABASES["default"]["CONN_MAX_AGE"] = 0
LEASE_S = env.float("LEASE_S", default=15.0)
DATABASES["default"]["OPTIONS"] = {
    **connect_options(DATABASES["default"].get("OPTIONS", {}), lease_s=LEASE_S),
    "pool": {"min_size": 0, "max_size": env.int("ORM_POOL_SIZE", default=16)},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
JOURNAL_POOL_SIZE = env.int("JOURNAL_POOL_SIZE", default=12)

REDIS_URL = env.str("REDIS_URL")
REDIS_PREFIX = env.str("REDIS_PREFIX", default="agentops")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": REDIS_PREFIX,
    }
}

AUTH_USER_MODEL = "identities.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "agentops.console.sign_on.SignOnBackend",
    "guardian.backends.ObjectPermissionBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ANONYMOUS_USER_NAME = None  # guardian: anonymous visitors have no account and no permissions
LOGIN_URL = "admin:login"
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_ENABLED = ENVIRONMENT != "test"
OTP_TOTP_ISSUER = "AgentOps"
STEP_UP_WINDOW_S = 60
# Whom keys are for, and from where, follows from PUBLIC_URL: see agentops/console/security_keys.py.
OTP_WEBAUTHN_ALLOW_PASSWORDLESS_LOGIN = False
SILENCED_SYSTEM_CHECKS = ["otp_webauthn.E010", "otp_webauthn.E011", "otp_webauthn.E030"]

# Signing on at the company's identity provider: off without an issuer. See identities/sso/configuration.py.
STAFF_SSO_ISSUER = env.str("STAFF_SSO_ISSUER", default="")
STAFF_SSO_CLIENT_ID = env.str("STAFF_SSO_CLIENT_ID", default="")
STAFF_SSO_CLIENT_SECRET = env.str("STAFF_SSO_CLIENT_SECRET", default="")
STAFF_SSO_SCOPE = env.str("STAFF_SSO_SCOPE", default="openid profile")
STAFF_SSO_ALGORITHMS = env.str("STAFF_SSO_ALGORITHMS", default="RS256,ES256").split(",")
STAFF_SSO_GROUPS_CLAIM = env.str("STAFF_SSO_GROUPS_CLAIM", default="groups")
STAFF_SSO_ROLES = json.loads(env.str("STAFF_SSO_ROLES", default="") or "{}")
STAFF_SSO_TEAMS = json.loads(env.str("STAFF_SSO_TEAMS", default="") or "{}")

SESSION_COOKIE_AGE = 8 * 3600
SESSION_IDLE_S = env.int("SESSION_IDLE_S", default=3_600)
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = False  # htmx reads it
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=PRODUCTION)
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = PRODUCTION
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", default=False) else None
)
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    }
}
PERMISSIONS_POLICY: dict[str, list[str]] = {
    "camera": [],
    "geolocation": [],
    "microphone": [],
    "payment": [],
    "usb": [],
}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
# Collected for production only; elsewhere the files are served from where they are.
STATIC_ROOT = env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles")) if PRODUCTION else None
WHITENOISE_USE_FINDERS = not PRODUCTION
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# Limits of what comes in; larger bodies are answered with 413.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
REQUEST_TEXT_LIMIT = 32_768

REST_FRAMEWORK: dict[str, object] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "identities.api.authentication.ApiKeyAuthentication",
        "identities.api.authentication.ConsoleSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["agentops.api.parsers.StrictJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "agentops.api.negotiation.ContentNegotiation",
    "DEFAULT_SCHEMA_CLASS": "agentops.api.openapi.ApiSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "agentops.api.problems.handle_exception",
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS: dict[str, object] = {
    "TITLE": "AgentOps API",
    "DESCRIPTION": (
        "Start and steer runs of agents, decide about what they may do, and see what they did. "
        "`startRun` gives an agent a task; poll `getRun` or follow `listEvents` as an event stream. "
        "While a run's state is `requires_action`, `required_actions` says what people have to do: "
        "decide an approval (`stepUp`, `getApproval`, `decideApproval`), answer a question (`answerInput`), "
        "take over a conversation (`answerHandover`), or settle an outcome (`settleOutcome`). "
        "Every refusal is a problem document (RFC 9457) with a stable `code`."
    ),
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "RunState": "runs.models.RunState",
        "RunKind": "runs.models.RunKind",
        "RunMode": "runs.models.RunMode",
        "ChangeSetState": "runs.models.ChangeSet.State",
        "ApprovalState": "approvals.models.ApprovalRequest.State",
        "ApprovalVerdict": "approvals.models.ApprovalDecision.Verdict",
        "SecondLookVerdict": "approvals.models.SecondLook.Verdict",
        "DecisionVerdict": "approvals.api.serializers.VERDICTS",
        "WebhookState": "approvals.models.NoticeChannel.State",
        "DeliveryState": "approvals.models.NoticeDelivery.State",
        "BatchState": "approvals.models.ApprovalBatch.State",
        "BatchItemState": "approvals.models.BatchItem.State",
        "ConfirmationState": "approvals.models.Confirmation.State",
        "ConfirmationProof": "approvals.models.Confirmation.Proof",
        "RunProof": "runs.models.Proof",
        "ExtensionState": "runs.models.Extension.State",
        "DeadLetterState": "runs.models.DeadLetter.State",
        "EvaluationState": "runs.models.Evaluation.State",
        "ExampleVerdict": "runs.models.Example.Verdict",
        "MemoryState": "runs.models.Memory.State",
        "MemoryLabel": "runs.models.Memory.Label",
        "DeadLetterReason": "runs.models.DeadLetter.Reason",
        "HandoverOutcome": "runs.models.Handover.Outcome",
        "ClosingOutcome": "runs.answering.CLOSINGS",
        "TermsDecision": "tools.models.ToolGrant.Decision",
        "Period": "tools.caps.PERIODS",
        "ProposalState": "identities.models.ChangeProposal.State",
        "AgentState": "identities.models.AgentIdentity.State",
        "ToolState": "tools.models.Tool.State",
        "ScopeEnum": "runs.models.Stop.Scope",
        "SwitchScope": "identities.models.KillSwitch.Scope",
        "TableVersionState": "tools.models.DecisionTableVersion.State",
        "Effect": "tools.models.Effect",
        "CampaignState": "runs.models.Campaign.State",
        "ItemDecision": "runs.models.CampaignItem.Decision",
        "StatusReason": "runs.api.words.STATUS_REASONS",
        "LimitReached": "runs.api.words.LIMITS_REACHED",
        "StepState": "runs.api.words.STEP_STATES",
        "CallState": "runs.api.words.CALL_STATES",
        "UndoWord": "runs.api.undoing.WORDS",
        "Decision": "runs.api.words.DECISIONS",
        "EventKind": "runs.api.words.EVENT_KINDS",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "agentops.api.openapi.add_components",
    ],
}
# Requests of one client per window of seconds; the answers say where it stands.
RATE_LIMITS: dict[str, tuple[int, int]] = {
    "read": (env.int("RATE_LIMIT_READS", default=12_000), 60),
    "write": (env.int("RATE_LIMIT_WRITES", default=3_000), 60),
    "token": (env.int("RATE_LIMIT_TOKENS", default=1_200), 60),
    # Of all clients behind one address together, those included that prove nothing.
    "token_address": (env.int("RATE_LIMIT_TOKEN_ADDRESSES", default=6_000), 60),
    # Of all people behind one address together who give a password.
    "sign_in": (env.int("RATE_LIMIT_SIGN_INS", default=120), 60),
    # Of all people behind one address together who sign on at the identity provider; twice for each of them.
    "sign_on": (env.int("RATE_LIMIT_SIGN_ONS", default=120), 60),
}

# After so many drives in a row that came to nothing through faults of ours a run is parked as a dead letter.
DRIVE_TRIES = env.int("DRIVE_TRIES", default=8)

LEDGER_CHECKPOINT_EVERY_S = env.float("LEDGER_CHECKPOINT_EVERY_S", default=300.0)

CELERY_BROKER_URL = for_celery(env.str("BROKER_URL", default=REDIS_URL))
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_DEFAULT_QUEUE = "normal"
CELERY_TASK_ROUTES = {"runs.sweep": {"queue": "critical"}}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 8.0
# By how much a worker gives way to the machine's other processes, as `nice` has it.
WORKER_NICE = env.int("WORKER_NICE", default=0)
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A task runs for one time slice; a message is redelivered long after that at the earliest.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "ack_emulation": False,  # why: config/broker.py
    "queue_order_strategy": "priority",  # in the order of the worker's -Q; kombu's own default takes from all in turn
    "global_keyprefix": f"{REDIS_PREFIX}:",
    "socket_timeout": None,
    "socket_connect_timeout": 2,
}
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_max": 0.1}
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "runs.sweep", "schedule": 2.0, "options": {"expires": 10}},
    "start-due": {"task": "runs.start_due", "schedule": 2.0, "options": {"expires": 10}},
    "tell-held-back": {"task": "runs.tell_held_back", "schedule": 10.0, "options": {"expires": 20}},
    "expire-extensions": {"task": "runs.expire_extensions", "schedule": 5.0, "options": {"expires": 10}},
    "expire-approvals": {"task": "approvals.expire", "schedule": 5.0, "options": {"expires": 10}},
    "sweep-notices": {"task": "approvals.sweep_notices", "schedule": 2.0, "options": {"expires": 5}},
    "drop-notices": {"task": "approvals.drop_notices", "schedule": crontab(hour="3", minute="37")},
    "tell-refused-sign-ins": {
        "task": "identities.tell_refusals",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "tell-refused-token-requests": {
        "task": "identities.tell_refused_token_requests",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "suspend-unlooked-at-agents": {
        "task": "identities.suspend_unlooked_at",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "count": {"task": "runs.count", "schedule": 5.0, "options": {"expires": 5}},
    "judge": {"task": "runs.judge", "schedule": 5.0, "options": {"expires": 5}},
    "make-vectors": {"task": "runs.make_vectors", "schedule": 30.0, "options": {"expires": 30}},
    "evaluate": {"task": "runs.evaluate", "schedule": 5.0, "options": {"expires": 5}},
    "look-at-versions": {"task": "runs.look_at_versions", "schedule": 60.0, "options": {"expires": 60}},
    "export-spans": {"task": "runs.export_spans", "schedule": 5.0, "options": {"expires": 5}},
    "close-campaigns": {"task": "runs.close_campaigns", "schedule": 60.0, "options": {"expires": 60}},
    "expire-proposals": {
        "task": "identities.expire_proposals",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
    "drop-used-identifiers": {"task": "identities.drop_used_identifiers", "schedule": 600.0},
    "reconcile-breakers": {"task": "tools.reconcile_breakers", "schedule": 15.0, "options": {"expires": 15}},
    "recheck-servers": {"task": "tools.recheck_servers", "schedule": 900.0, "options": {"expires": 900}},
    "recheck-functions": {"task": "tools.recheck_functions", "schedule": 900.0, "options": {"expires": 900}},
    "end-leases": {"task": "tools.end_leases", "schedule": 10.0, "options": {"expires": 10}},
    # At a time of day: an interval of a day starts anew with every restart, and may never come to its end.
    "ledger-partitions": {"task": "ledger.ensure_partitions", "schedule": crontab(hour="3", minute="7")},
    "ledger-checkpoints": {
        "task": "ledger.take_checkpoints",
        "schedule": LEDGER_CHECKPOINT_EVERY_S,
        "options": {"expires": 300},
    },
    "trim-rows": {"task": "runs.trim", "schedule": crontab(hour="3", minute="17")},
    "drop-idempotent-answers": {"task": "api.drop_old_answers", "schedule": 3_600.0},
}

# Notices: by e-mail where there is a sender; at most one letter to a person in so many seconds; kept for so many days.
MAIL_FROM = env.str("MAIL_FROM", default="")
vars().update(environ.Env.email_url_config(env.str("EMAIL_URL", default="") or "smtp://127.0.0.1:25"))
EMAIL_TIMEOUT = 15
NOTICES_MAIL_WINDOW_S = env.int("NOTICES_MAIL_WINDOW_S", default=300)
NOTICES_KEPT_DAYS = env.int("NOTICES_KEPT_DAYS", default=30)

# The driver; LEASE_S is above, for it bounds transactions too.
TIME_SLICE_S = env.float("TIME_SLICE_S", default=30.0)
DRIVER_SLOTS = env.int("DRIVER_SLOTS", default=2)
# New runs are put off while the run that waits longest for a worker waits longer: of low priority at a third of it.
START_TARGET_S = env.float("START_TARGET_S", default=60.0)
SWEEP_BATCH = env.int("SWEEP_BATCH", default=200)
# Children of one run that are going at a time, and all runs that come of one, itself included.
DELEGATION_FAN_OUT = env.int("DELEGATION_FAN_OUT", default=8)
DELEGATION_TREE = env.int("DELEGATION_TREE", default=32)

# The gateway: a conversation without a call for so long is complete, and so long an answer is waited for.
GATEWAY_IDLE_S = env.int("GATEWAY_IDLE_S", default=900)
GATEWAY_WAIT_S = env.float("GATEWAY_WAIT_S", default=25.0)

# The model provider; the key never leaves this process's memory.
OPENAI_BASE_URL = env.str("OPENAI_BASE_URL", default="")
OPENAI_API_KEY = env.str("OPENAI_API_KEY", default="")
MODEL_TIMEOUT_S = env.float("MODEL_TIMEOUT_S", default=60.0)
# Further providers, by name, and their keys: a model ``backup/large`` is the one that ``backup`` calls ``large``.
MODEL_PROVIDERS: dict[str, str] = json.loads(env.str("MODEL_PROVIDERS", default="") or "{}")
MODEL_PROVIDER_KEYS: dict[str, str] = json.loads(env.str("MODEL_PROVIDER_KEYS", default="") or "{}")
# The model by which notes are found by their meaning too; empty: by their words alone. Named as prices name it.
EMBEDDINGS_MODEL = env.str("EMBEDDINGS_MODEL", default="")
EMBEDDINGS_TIMEOUT_S = env.float("EMBEDDINGS_TIMEOUT_S", default=3.0)

# Where tools, credential providers and issuers may be besides the public internet, if they say that they are private.
OUTGOING_PRIVATE_NETWORKS = [
    ip_network(network)
    for network in env.list(
        "OUTGOING_PRIVATE_NETWORKS", default=[] if PRODUCTION else ["127.0.0.0/8", "::1/128"]
    )
]

TOOLS_PYTHON_MODULES = env.list("TOOLS_PYTHON_MODULES", default=[])
TOOL_ADAPTERS: dict[str, str] = {}
# Servers of tools that may be started on our hosts, and what they may reach: see tools/commands.py.
MCP_COMMANDS: dict[str, Any] = env.json("MCP_COMMANDS", default={})  # Any: JSON

# Where spans of runs go, by OTLP over HTTP: see runs/telemetry. Empty: nowhere, and nothing is kept for it.
OTEL_EXPORTER_OTLP_ENDPOINT = env.str("OTEL_EXPORTER_OTLP_ENDPOINT", default="").rstrip("/")
OTEL_EXPORTER_OTLP_HEADERS = env.str("OTEL_EXPORTER_OTLP_HEADERS", default="")
OTEL_SERVICE_NAME = env.str("OTEL_SERVICE_NAME", default="agentops")
OTEL_CAPTURE_CONTENT = env.bool("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", default=False)

# What whoever asks for /metrics has to show. Empty: nothing is counted, and nothing is there.
METRICS_TOKEN = check_metrics_token(env.str("METRICS_TOKEN", default=""))

LOG_LEVEL = env.str("LOG_LEVEL", default="WARNING")
LOG_FORMAT = env.str("LOG_FORMAT", default="json" if PRODUCTION else "plain")
if LOG_FORMAT not in ("plain", "json"):
    raise ImproperlyConfigured("LOG_FORMAT is plain or json")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"trace": {"()": "agentops.logs.TraceFilter"}},
    "formatters": {
        "plain": {"format": "%(asctime)s %(levelname)s %(name)s [%(trace_id)s] %(message)s"},
        "json": {"()": "agentops.logs.JsonFormatter"},
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["trace"]}
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    # At DEBUG they tell what goes over the wire: credentials that a target sends back, and people's words.
    "loggers": {
        name: {"level": "INFO" if LOG_LEVEL == "DEBUG" else LOG_LEVEL}
        for name in ("httpcore2", "httpx2", "openai")
    }
    # It quotes what it cannot read, and a server may send back what it was let in by. The outcome is ours to record.
    | {"mcp": {"level": "CRITICAL"}},
}

# The null planner of the benchmarks.
NULL_PLANNER_LATENCY_S = env.float("NULL_PLANNER_LATENCY_S", default=0.0)
NULL_PLANNER_STEPS = env.int("NULL_PLANNER_STEPS", default=10)
