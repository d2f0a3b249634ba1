"""Line Health: why a messaging line went AT_RISK, since when, how sure, and what to fix first.

Exports of line-health transitions and send metadata are loaded into one DuckDB file; Polars computes the signals; every
transition is explained by its drivers. The same verbs serve the command line, the app, notebooks and reports:

    import analysis as lh
    lh.load("exports/")                      # -> LoadReport
    lh.signals(line="+14155550142")          # -> Polars frame, a row a day
    lh.explain(line="+14155550142")          # -> why each change happened, oldest first; cards in a notebook
    lh.chart_why(line="+14155550142")        # -> Altair chart

Names are loaded when first used, so that importing costs little. No message content is ever read, stored or logged.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_VERBS = {
    "load": ("analysis.pipeline", "load"),
    "refresh": ("analysis.pipeline", "refresh"),
    "status": ("analysis.pipeline", "status"),
    "quarantine": ("analysis.pipeline", "quarantine"),
    "sources": ("analysis.pipeline", "sources"),
    "signals": ("analysis.pipeline", "signals"),
    "spells": ("analysis.pipeline", "spells"),
    "transitions": ("analysis.pipeline", "transitions"),
    "explain": ("analysis.pages._notebook", "explain"),
    "evidence": ("analysis.pipeline", "evidence"),
    "fingerprint": ("analysis.pipeline", "fingerprint"),
    "report": ("analysis.report", "report"),
    "lines": ("analysis.pipeline", "lines"),
    "messages": ("analysis.pipeline", "messages"),
    "openers": ("analysis.pipeline", "openers"),
    "failures": ("analysis.pipeline", "failures"),
    "forecast": ("analysis.pipeline", "forecast"),
    "gate": ("analysis.pipeline", "gate"),
    "gate_now": ("analysis.pipeline", "gate_now"),
    "forecast_record": ("analysis.pipeline", "forecast_record"),
    "alerts": ("analysis.pipeline", "alerts"),
    "mark_alerts": ("analysis.pipeline", "mark_alerts"),
    "alerted": ("analysis.pipeline", "alerted"),
    "alert_record": ("analysis.pipeline", "alert_record"),
    "plan": ("analysis.pipeline", "plan"),
    "thresholds": ("analysis.pipeline", "thresholds"),
    "lags": ("analysis.pipeline", "lags"),
    "replay": ("analysis.pipeline", "replay"),
    "actions": ("analysis.pipeline", "actions"),
    "add_action": ("analysis.pipeline", "add_action"),
    "load_actions": ("analysis.pipeline", "load_actions"),
    "remove_action": ("analysis.pipeline", "remove_action"),
    "helped": ("analysis.pipeline", "helped"),
    "spread": ("analysis.pipeline", "spread"),
    "gaps": ("analysis.pipeline", "gaps"),
    "freshness": ("analysis.pipeline", "freshness"),
    "delays": ("analysis.pipeline", "delays"),
    "blinded": ("analysis.pipeline", "blinded"),
    "deliveries": ("analysis.pipeline", "deliveries"),
    "chat_states": ("analysis.pipeline", "chat_states"),
    "chats_on": ("analysis.pipeline", "chats_on"),
    "chat_messages": ("analysis.pipeline", "chat_messages"),
    "chat_health": ("analysis.pipeline", "chat_health"),
    "streaks": ("analysis.pipeline", "streaks"),
    "what_if": ("analysis.pipeline", "what_if"),
    "progress": ("analysis.pipeline", "progress"),
    "agreement": ("analysis.pipeline", "agreement"),
    "pull": ("analysis.pipeline", "pull"),
    "audit": ("analysis.pipeline", "audit"),
    "keep_audit": ("analysis.pipeline", "keep_audit"),
    "settings": ("analysis.pipeline", "settings"),
    "set_setting": ("analysis.pipeline", "set_setting"),
    "notebook": ("analysis.pages._notebook", "notebook"),
    "chart_why": ("analysis.pages._notebook", "chart_why"),
    "demo": ("analysis.simulate", "write_demo"),
    "LineHealthError": ("analysis.errors", "LineHealthError"),
}
__all__ = sorted(_VERBS)


class _Verb:
    """A verb as an attribute of the package: its function, imported when first asked for.

    Not a property: IPython would show a property's own documentation for ``lh.explain?`` instead of the function's. ``__set__`` keeps the import
    system from covering a verb by the room of the same name.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, package: ModuleType | None, kind: type | None = None) -> Any:
        module, attribute = _VERBS[self.name]
        return getattr(import_module(module), attribute)

    def __set__(self, package: ModuleType, value: object) -> None:
        return None


class _Package(ModuleType):
    """This package as a notebook sees it: some rooms share a verb's name (signals, explain), and here the verb wins.

    ``from analysis.signals import panel`` still finds the room. What a notebook completes after ``lh.`` are the verbs.
    """

    def __dir__(self) -> list[str]:
        return [*__all__, "__doc__", "__file__", "__name__", "__path__"]


for _name in _VERBS:
    setattr(_Package, _name, _Verb(_name))
sys.modules[__name__].__class__ = _Package
