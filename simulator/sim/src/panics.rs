//! Panics of the system under test, caught as findings.
//!
//! An assertion of a replica that fails is a result like any other: it is told with its place and message, prints nothing,
//! and the next run starts clean. Panics on threads that simulate nothing go where they always went.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static SIMULATING: Cell<bool> = const { Cell::new(false) };
    static MESSAGE: RefCell<Option<String>> = const { RefCell::new(None) };
}

static HOOK: Once = Once::new();

/// Runs `code`; a panic becomes an error that says where and why.
///
/// # Errors
/// `code` panicked.
pub fn catch<T>(code: impl FnOnce() -> T) -> Result<T, String> {
    HOOK.call_once(install);
    SIMULATING.set(true);
    // Whoever catches a panic throws the world away that it left behind.
    let result = catch_unwind(AssertUnwindSafe(code));
    SIMULATING.set(false);
    result.map_err(|_| MESSAGE.take().unwrap_or_else(|| "a panic without a message".to_owned()))
}

fn install() {
    let before = take_hook();
    set_hook(Box::new(move |info| {
        if SIMULATING.get() {
            MESSAGE.set(Some(describe(info)));
        } else {
            before(info);
        }
    }));
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let message = info.payload_as_str().unwrap_or("a panic without a message");
    match info.location() {
        Some(place) => format!("{}:{}: {message}", place.file(), place.line()),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::catch;

    #[test]
    fn a_panic_is_told_with_its_place() {
        let told = catch(|| panic!("two primaries in view {}", 7)).expect_err("it panics");
        assert!(told.contains("panics.rs:") && told.ends_with("two primaries in view 7"), "{told}");
        assert_eq!(catch(|| 5), Ok(5));
    }
}
