//! The replicated state machine: key-value, streams, ledger, transactions, per tenant.
