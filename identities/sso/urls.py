from __future__ import annotations

from django.urls import path

from identities.sso import views

urlpatterns = [
    path("sso/begin", views.begin_sign_on, name="sign-on"),
    path("sso/callback", views.finish_sign_on, name="sign-on-callback"),
]
