//! The fuzz target `checkpoint` of the library.
//!
//! A program of its own, because a fuzzer wants one.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vopr_fuzz::checkpoint(data));
