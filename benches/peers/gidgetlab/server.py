"""A receiver of status checks on gidgetlab and aiohttp, as small as it can be: it verifies, parses, dispatches, and keeps
nothing.

gidgetlab knows X-Gitlab-Token only, so the signature is verified here. Its own `GitLabBot` waits a second and opens an
HTTP session for each event; both are left out.
"""

import asyncio
import hashlib
import hmac
import json
import os

from aiohttp import web
from gidgetlab import routing, sansio

SECRET = os.environ["SECRET"].encode()
LARGEST = 25 * 1024 * 1024

router = routing.Router()


@router.register("Merge Request Hook")
async def merge_request(event):
    return event.object_attributes["iid"], event.project_id


async def receive(request):
    body = await request.read()
    expected = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, request.headers.get("X-Gitlab-Signature", "")):
        return web.json_response({"message": "wrong signature"}, status=401)
    # A status check has no event header.
    await router.dispatch(sansio.Event(json.loads(body), event="Merge Request Hook"))
    return web.json_response({"message": "taken"}, status=202)


async def main():
    app = web.Application(client_max_size=LARGEST)
    app.router.add_post(os.environ["WEBHOOK_PATH"], receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    print(f"taking deliveries on 127.0.0.1:{port}", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
