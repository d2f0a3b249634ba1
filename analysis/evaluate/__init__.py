"""Made-up fleets with known causes in, how often reasons are right out, beside simpler methods on the same fleets: `linehealth evaluate`."""
