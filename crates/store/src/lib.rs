//! What is remembered: traits by noun, SQLite behind them, one conformance suite.
