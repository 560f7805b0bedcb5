//! The vocabulary of ACME: objects, requests, problems, identifiers (RFC 8555, 9457)
