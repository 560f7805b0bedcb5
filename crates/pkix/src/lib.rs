//! Certificates, certificate requests and names: build and read (RFC 5280, 2986)
