//! Proving control over the network: DNS, http-01, dns-01, tls-alpn-01, and the evidence of it
