//! Security event tokens (RFC 8417).
