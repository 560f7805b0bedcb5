//! IP address identifiers (RFC 8738)
