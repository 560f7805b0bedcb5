//! Accounts, orders, authorizations, challenges: states, decisions, operations, and the ports
