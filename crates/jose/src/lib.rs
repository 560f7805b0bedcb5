//! JWS, JWK and JWT: strict parse, verify, sign (RFC 7515, 7517, 7518, 7638, 8037, 8725)
