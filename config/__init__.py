"""Wiring: settings, addresses, the ASGI and Celery applications. Nobody imports from here."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
