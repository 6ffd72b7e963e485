"""Prints what cloud-init's own code makes of user data, as JSON.

The directory has files of user data and instance-data.json, the values for
templates. For each file the merged cloud-config is printed, and the types of
the parts that no handler took.
"""
import base64
import json
import logging
import os
import sys

from cloudinit import handlers, helpers, user_data
from cloudinit.handlers.boot_hook import BootHookPartHandler
from cloudinit.handlers.cloud_config import CloudConfigPartHandler
from cloudinit.handlers.jinja_template import JinjaTemplatePartHandler
from cloudinit.handlers.shell_script import ShellScriptPartHandler

corpus, work = sys.argv[1:3]
logging.disable(logging.CRITICAL)


class Scripts(handlers.Handler):
    """Takes what cloud-init would run, and runs nothing."""

    prefixes = ["#!", "#cloud-boothook", "#part-handler"]

    def __init__(self):
        super().__init__("always", version=3)

    def handle_part(self, *args, **kwargs):
        pass


class Config(CloudConfigPartHandler):
    """Keeps what it has merged."""

    merged = None

    def _write_cloud_config(self):
        Config.merged = self.cloud_buf


paths = helpers.Paths({"cloud_dir": work, "run_dir": work, "templates_dir": work})
sensitive = paths.get_runpath("instance_data_sensitive")
os.makedirs(os.path.dirname(sensitive), exist_ok=True)
with open(os.path.join(corpus, "instance-data.json")) as source, open(sensitive, "w") as target:
    target.write(source.read())


def merge(raw):
    Config.merged, unhandled = None, []
    config = Config(paths)
    scripts = Scripts()
    jinja = JinjaTemplatePartHandler(paths, sub_handlers=[config, scripts])
    table = {kind: h for h in (config, scripts, jinja) for kind in h.list_types()}
    message = user_data.UserDataProcessor(paths).process(raw)
    config.handle_part(None, handlers.CONTENT_START, None, None, None, None)

    def handle(_data, filename, payload, headers):
        kind = headers["Content-Type"]
        if kind in table:
            try:
                table[kind].handle_part(None, kind, filename, payload, "always", headers)
            except Exception:  # as handlers.run_part does
                pass
        else:
            unhandled.append(kind)

    handlers.walk(message, handle, None)
    config.handle_part(None, handlers.CONTENT_END, None, None, None, None)
    return {"merged": Config.merged, "unhandled": unhandled}


results = {}
for name in sorted(os.listdir(corpus)):
    if name.endswith(".json"):
        continue
    with open(os.path.join(corpus, name), "rb") as source:
        raw = source.read()
    if name.startswith("base64-"):  # as the datasource Ec2 does
        raw = base64.b64decode(raw, validate=True)
    try:
        results[name] = merge(raw)
    except Exception as e:
        results[name] = {"failed": type(e).__name__}
json.dump(results, sys.stdout, indent=1, sort_keys=True, default=str)
