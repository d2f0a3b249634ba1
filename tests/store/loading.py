"""What tests of loading share: a load whose report adds up."""

from analysis import pipeline


def adds_up(report):
    """Every row read is in one of the report's counts."""
    for part in (*[vars(s) for s in report.sources], report.totals):
        assert part["read"] == sum(part[c] for c in ("inserted", "merged", "duplicates", "ignored", "quarantined"))


def loaded(store, *paths, **options):
    """Load, and hold that nothing failed or is missing from the report."""
    report = pipeline.load(list(paths), store=store, **options)
    assert not report.failed
    adds_up(report)
    return report


def facts(store, *paths, **options):
    """Load without what is derived: for what messages, counts and refusals tell."""
    return loaded(store, *paths, refreshed=False, **options)
