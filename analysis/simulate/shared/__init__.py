"""What every fleet family shares: draws by key, people, incidents, turns, the judge that finds causes by living again, frames."""
