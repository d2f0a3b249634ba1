"""Nothing in; the weights that a fleet without changes of its own starts from, out.

Source: fitted on fleets of six hidden scorers of two families (60 lines x 70 days each, seeds 9001 to 9003) by
``linehealth evaluate --forecast --fit --seed 9001 --seeds 3 --days 70``. Made-up fleets: a starting point, not the vendor's
scoring; what a fleet's own changes teach soon weighs more (``model.PRECISION``).
"""

from __future__ import annotations

PRIOR: dict[int, dict[str, float]] = {
    24: {
        "intercept": -3.59, "few_replies_2d": 0.02, "few_replies_7d": 0.00, "silent_today": 0.36, "late_follow_ups": 0.36,
        "ill_chats": -0.01, "ill_chats_rise": 0.35, "failures": 0.20, "openers": 0.19, "openers_hour": 0.23, "openers_silent": 0.33,
        "recipients": -0.07, "volume": 0.13, "volume_silent": 0.09, "pace": 0.06, "after_opt_out": 0.19, "opted_out_rise": 0.39,
        "flagged": 4.42, "at_risk": -0.10, "spell_lately": 0.22, "spells": 0.24, "young": -0.35,
    },
    72: {
        "intercept": -2.29, "few_replies_2d": 0.03, "few_replies_7d": 0.00, "silent_today": 0.29, "late_follow_ups": 0.24,
        "ill_chats": -0.04, "ill_chats_rise": 0.31, "failures": 0.11, "openers": 0.03, "openers_hour": 0.19, "openers_silent": 0.32,
        "recipients": -0.09, "volume": 0.01, "volume_silent": 0.07, "pace": 0.04, "after_opt_out": 0.14, "opted_out_rise": 0.31,
        "flagged": 2.53, "at_risk": 0.08, "spell_lately": 0.13, "spells": 0.20, "young": -0.21,
    },
}  # fmt: skip
"""By horizon in hours: log odds a unit of each feature adds."""
