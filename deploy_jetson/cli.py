"""The command line of this room: `personvit-deploy`."""

from __future__ import annotations

from ..core.command import CommandGroup
from .acceptance import AcceptanceOptions, acceptance
from .collect import CollectOptions, collect
from .deepstream import DeepStreamOptions, deepstream
from .device_report import ReportOptions, report
from .install import InstallOptions, install
from .keygen import KeygenOptions, keygen
from .push import PushOptions, push
from .receive import ReceiveOptions, receive
from .remote_status import AnyStatusOptions, any_status
from .rollback import RollbackOptions, rollback
from .serve import ServeOptions, serve
from .serve_health import HealthOptions, health
from .service import ServiceOptions, service
from .sign import SignOptions, sign
from .trust import TrustOptions, trust
from .wheelhouse import WheelhouseOptions, wheelhouse

main = CommandGroup("personvit-deploy", "Put a bundle on a device, prove it there, and serve it.")
main.command("install", InstallOptions)(install)
main.command("rollback", RollbackOptions)(rollback)
main.command("status", AnyStatusOptions)(any_status)
main.command("serve", ServeOptions)(serve)
main.command("health", HealthOptions)(health)
main.command("service", ServiceOptions)(service)
main.command("keygen", KeygenOptions)(keygen)
main.command("sign", SignOptions)(sign)
main.command("trust", TrustOptions)(trust)
main.command("push", PushOptions)(push)
main.command("receive", ReceiveOptions)(receive)
main.command("report", ReportOptions)(report)
main.command("collect", CollectOptions)(collect)
main.command("deepstream", DeepStreamOptions)(deepstream)
main.command("wheelhouse", WheelhouseOptions)(wheelhouse)
main.command("acceptance", AcceptanceOptions)(acceptance)
