"""START HERE: the whole flow. Exports -> facts -> store -> signals, health, explanations -> frames for app, notebook and report.

``writing`` loads and brings up to date, ``steps`` says how far a load is, ``derive`` computes, ``reading`` gives frames, ``detail`` those of days, chats
and deliveries, ``quality`` says how complete they are, ``ahead`` what is likely next, ``alerts`` what is to be told of it, ``history`` what the past shows, ``alternatives`` what if and what since, ``replay`` what if on altered history,
``evidence`` one change as a file for the vendor's support,
``actions`` what people did and ``helped`` whether it helped, ``folding`` moves what the receiver got into the store, ``audits`` holds
the vendor's own (``asking`` asks for them), ``pulling`` brings the store up to date from the API (``spool``: what it read so far), ``text`` gives words. Every verb opens the
store, does one thing and closes it; the command line, the app, the notebooks and the reports call these and hold no logic of their own.
"""

from analysis.pipeline.actions import ActionsReport, actions, add_action, load_actions, remove_action
from analysis.pipeline.ahead import KeptGate, forecast, forecast_record, gate, gate_now, kept_gate, plan
from analysis.pipeline.alerts import alert_record, alerted, alerts, mark_alerts
from analysis.pipeline.alternatives import changed_signals, progress, what_if
from analysis.pipeline.asking import AuditOutcome, ask_after_transition, audit
from analysis.pipeline.audits import agreement, keep_audit
from analysis.pipeline.detail import (
    chat_health,
    chat_messages,
    chat_states,
    chats_on,
    deliveries,
    opened,
    openers_within,
    streaks,
)
from analysis.pipeline.evidence import evidence, hours_around
from analysis.pipeline.folding import RECEIVER, FoldReport, fold, forget, rotate_key, spool_of, to_current_key, watch
from analysis.pipeline.helped import Told, helped, helped_frame, spread
from analysis.pipeline.history import lag_sentences, lags, thresholds
from analysis.pipeline.live import gaps
from analysis.pipeline.moments import When, iso
from analysis.pipeline.moments import now as clock
from analysis.pipeline.opened import Where, default_store
from analysis.pipeline.pull_report import Pulling, PullReport
from analysis.pipeline.pulling import pull
from analysis.pipeline.quality import blinded, delays, freshness
from analysis.pipeline.reading import (
    explanations,
    failures,
    fingerprint,
    lines,
    messages,
    openers,
    quarantine,
    settings,
    settings_or_default,
    signals,
    snapshot,
    sources,
    spells,
    status,
    transitions,
)
from analysis.pipeline.rebuilding import RebuildReport, rebuild
from analysis.pipeline.replay import Replay, replay
from analysis.pipeline.small import few, is_small
from analysis.pipeline.steps import Progress, Step
from analysis.pipeline.text import as_csv, as_text, records, safe_cells
from analysis.pipeline.writing import LoadReport, load, refresh, set_setting

__all__ = [
    "RECEIVER",
    "ActionsReport",
    "AuditOutcome",
    "FoldReport",
    "KeptGate",
    "LoadReport",
    "Progress",
    "PullReport",
    "Pulling",
    "RebuildReport",
    "Replay",
    "Step",
    "Told",
    "When",
    "Where",
    "actions",
    "add_action",
    "agreement",
    "alert_record",
    "alerted",
    "alerts",
    "as_csv",
    "as_text",
    "ask_after_transition",
    "audit",
    "blinded",
    "changed_signals",
    "chat_health",
    "chat_messages",
    "chat_states",
    "chats_on",
    "clock",
    "default_store",
    "delays",
    "deliveries",
    "evidence",
    "explanations",
    "failures",
    "few",
    "fingerprint",
    "fold",
    "forecast",
    "forecast_record",
    "forget",
    "freshness",
    "gaps",
    "gate",
    "gate_now",
    "helped",
    "helped_frame",
    "hours_around",
    "is_small",
    "iso",
    "keep_audit",
    "kept_gate",
    "lag_sentences",
    "lags",
    "lines",
    "load",
    "load_actions",
    "mark_alerts",
    "messages",
    "opened",
    "openers",
    "openers_within",
    "plan",
    "progress",
    "pull",
    "quarantine",
    "rebuild",
    "records",
    "refresh",
    "remove_action",
    "replay",
    "rotate_key",
    "safe_cells",
    "set_setting",
    "settings",
    "settings_or_default",
    "signals",
    "snapshot",
    "sources",
    "spells",
    "spool_of",
    "spread",
    "status",
    "streaks",
    "thresholds",
    "to_current_key",
    "transitions",
    "watch",
    "what_if",
]
