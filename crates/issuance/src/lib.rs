//! Issuers and their keys, profiles, lint, signature
