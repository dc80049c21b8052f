//! Stories over HTTP: gangway and a simulated org on loopback.
