"""A Django view that runs what somebody typed: the form at `/`, the view at `/run` for it and for JSON.

ENGINED_URL=unix:/run/engined-api/engined.sock python app.py runserver
"""

from __future__ import annotations

import json
import math
import os
import sys
from typing import Any

from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from engined_client import (
    BusyError,
    CallerError,
    Client,
    EnginedError,
    ExecutionResult,
    Forbidden,
    Limits,
    Retry,
    Unauthenticated,
)

if not settings.configured:
    settings.configure(
        DEBUG=False,
        SECRET_KEY=os.environ.get("DJANGO_SECRET_KEY", "only for trying it out"),
        ALLOWED_HOSTS=["localhost", "127.0.0.1", "testserver"],
        ROOT_URLCONF=__name__,
        MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
        # The view takes no more than this from anybody.
        DATA_UPLOAD_MAX_MEMORY_SIZE=256 * 1024,
    )

# One for the process, made before the server forks: each worker connects for itself, and its threads share it.
# Somebody waits at the other end of the view, so no room is waited for only briefly.
engine = Client(retry=Retry(max_wait=2.0))
LIMITS = Limits(cpu_time_ms=2000, wall_time_ms=5000, memory_bytes=512 << 20, output_bytes=64 << 10)
LANGUAGES = ("python", "c", "cpp", "java", "javascript")

PAGE = """<!doctype html><title>Run</title>
<form method="post" action="/run"><input type="hidden" name="csrfmiddlewaretoken" value="{token}">
<select name="language">{options}</select><br>
<textarea name="source" rows="12" cols="80"></textarea><br>
<textarea name="stdin" rows="3" cols="80" placeholder="input"></textarea><br><button>Run</button></form>"""


@require_GET
def form(request: HttpRequest) -> HttpResponse:
    """Show the form."""
    options = "".join(f"<option>{language}</option>" for language in LANGUAGES)
    return HttpResponse(PAGE.format(token=get_token(request), options=options))


@require_POST
def run(request: HttpRequest) -> JsonResponse:
    """Run a program. What it did is an answer, whatever it did; only what we or the caller did wrong is an error."""
    try:
        given = json.loads(request.body) if request.content_type == "application/json" else request.POST
        language, source, stdin = given["language"], given["source"], given.get("stdin", "")
        if not all(isinstance(text, str) for text in (language, source, stdin)):
            raise TypeError("language, source and stdin are strings")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return JsonResponse(
            {"error": "bad_request", "detail": f"language and source are needed: {error!r}"}, status=400
        )
    try:
        result = engine.run(
            language, source, stdin=stdin, limits=LIMITS, traceparent=request.headers.get("traceparent")
        )
    except BusyError as error:
        answer = JsonResponse({"error": error.code, "detail": "Too many programs at once. Try again soon."}, status=503)
        answer["Retry-After"] = str(math.ceil(error.retry_after or 1))
        return answer
    except (Unauthenticated, Forbidden) as error:
        # Our set-up is wrong, not the person's program.
        return unavailable(error)
    except CallerError as error:
        return JsonResponse({"error": error.code, "detail": error.detail, "field": error.field}, status=400)
    except EnginedError as error:
        return unavailable(error)
    return JsonResponse(shown(result))


def unavailable(error: EnginedError) -> JsonResponse:
    """Say that it is not the person's fault, and keep the reason for the log."""
    print(f"engined: {error}", file=sys.stderr)
    return JsonResponse({"error": "unavailable", "detail": "Programs can't be run at the moment."}, status=502)


def shown(result: ExecutionResult) -> dict[str, Any]:
    """Give what a page needs."""
    return {
        "verdict": result.verdict,
        "message": result.message,
        "stdout": result.stdout,
        "stderr": result.stderr,
        "truncated": result.run is not None and result.run.stdout.truncated,
        "compiler": result.compile.stderr.text if result.compile else "",
        "cpu_ms": result.run.usage.cpu_time_us // 1000 if result.run else 0,
    }


urlpatterns = [path("", form), path("run", run)]
application = get_wsgi_application()

if __name__ == "__main__":
    execute_from_command_line()
