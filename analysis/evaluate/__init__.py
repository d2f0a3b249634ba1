"""Made-up fleets with known causes in, how often reasons are right out, beside simpler methods on the same fleets: `linehealth evaluate`.

``fleets`` says which, ``cases`` explains them and lays the truth beside, ``simple`` and ``learned`` are the peers, ``figures``
counts, ``run`` does it on all cores, ``fit`` finds the constants of the shares again, ``text`` prints. ``forecasts`` does all of that for
what is said ahead, ``harder`` on fleets that make it hard, ``helping`` for whether actions helped.
"""

from analysis.evaluate.fit import fitted
from analysis.evaluate.fleets import FAMILIES, Fleet, fleets
from analysis.evaluate.forecasts import all_ticks, forecasts_evaluated, forecasts_text, prior_of, prior_text
from analysis.evaluate.harder import VARIANTS, all_harder_ticks, harder_evaluated, harder_text
from analysis.evaluate.helping import all_trials, helping_evaluated, helping_text
from analysis.evaluate.run import all_cases, evaluated
from analysis.evaluate.text import as_text, fit_text

__all__ = [
    "FAMILIES",
    "VARIANTS",
    "Fleet",
    "all_cases",
    "all_harder_ticks",
    "all_ticks",
    "all_trials",
    "as_text",
    "evaluated",
    "fit_text",
    "fitted",
    "fleets",
    "forecasts_evaluated",
    "forecasts_text",
    "harder_evaluated",
    "harder_text",
    "helping_evaluated",
    "helping_text",
    "prior_of",
    "prior_text",
]
