"""Messages in, signals per line and day (or hour) and the health timeline out: pure Polars, no input or output, no clock.

``panel`` puts the signals together; one file a noun beside it; ``health`` makes the timeline. Definitions: METHOD.md.
"""
