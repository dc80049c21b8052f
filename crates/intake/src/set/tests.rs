//! What is believed, what is not, and how often a source is asked for its keys.
