"""The door: files of the outside world come in, checked facts without content or plain recipients go out.

Read in this order: ``opening`` (paths to byte streams), ``webhook`` with ``fields`` and ``rows``, and ``tables`` (bytes to raw
rows), ``facts`` with ``checks`` (raw rows to typed facts or refusals), ``reading`` (one file from end to end, spooled to disk). ``actions`` stands apart:
what people did about their lines, as they record it.
"""

from analysis.sources.actions import Refusal, action_of, read_actions, time_of
from analysis.sources.mapping import Mapping, load_mapping
from analysis.sources.opening import Found, find
from analysis.sources.pseudonym import Pseudonyms, load_key
from analysis.sources.reading import SourceFacts, read_source

__all__ = [
    "Found",
    "Mapping",
    "Pseudonyms",
    "Refusal",
    "SourceFacts",
    "action_of",
    "find",
    "load_key",
    "load_mapping",
    "read_actions",
    "read_source",
    "time_of",
]
