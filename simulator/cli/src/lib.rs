//! The vopr program: simulate, record, check, replay.
