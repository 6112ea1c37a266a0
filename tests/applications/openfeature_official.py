"""The official OpenFeature provider against a core: run by its own interpreter, prints what it got as JSON."""

from __future__ import annotations

import json
import os
import sys

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

key = os.environ["CLIENT_KEY"]
api.set_provider(
    OFREPProvider(os.environ["CLIENT_URL"], headers_factory=lambda: {"Authorization": f"Bearer {key}"})
)
client = api.get_client()
found = []
for person in json.loads(sys.argv[1]):
    context = EvaluationContext(targeting_key=person) if person else None
    whole = client.get_object_details("chat", {}, context)
    name = client.get_string_details("chat:release", "none", context)
    code = name.error_code.value if name.error_code else None
    found.append([whole.value, whole.variant, str(whole.reason), name.value, code])
gone = client.get_object_details("no-such-route", {"mine": True})
print(json.dumps({"found": found, "gone": [gone.value, gone.error_code.value]}))
