//! What is done: turns, journal, act, record; adoption.
