//! The vopr-check program: judge recorded histories.
