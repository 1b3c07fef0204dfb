"""The default configuration parses, so does every example in its comments, and no example file knows a key that it does not.

Usage: check_config.py DEFAULT.toml EXAMPLE.toml…
"""

import re
import sys
import tomllib


def keys(text):
    return {(section, key) for section, table in tomllib.loads(text).items() for key in table}


default, *examples = (open(path).read() for path in sys.argv[1:])
# `# key = value` is an example of a key without default: uncommented, all of them together are a configuration too.
full = re.sub(r"^# (?=[a-z_]+ = )", "", default, flags=re.MULTILINE)
known, unknown = keys(full), keys(default) - keys(full)
for text in examples:
    unknown |= keys(text) - known
secrets = {k for k in known if k[1].endswith("_file")}
orphans = {(s, k) for s, k in secrets if (s, k.removesuffix("_file")) not in known}
if unknown or orphans:
    sys.exit(f"unknown keys: {sorted(unknown)}, files of no secret: {sorted(orphans)}")
print(f"{len(keys(default))} defaults, {len(known)} keys")
