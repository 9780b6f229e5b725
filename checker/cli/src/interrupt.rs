//! Ctrl-C, SIGTERM and SIGHUP: the first one asks the program to come to a clean end, the second one ends it at once.
//!
//! A signal arrives at the process, so this flag is the one piece of state that belongs to the process.

use crate::exit::Exit;
use crate::terminal::note;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Once};

static REQUESTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
static HANDLER: Once = Once::new();

/// Starts listening. `promise` is what the first Ctrl-C prints: what the program still does before it ends.
pub fn listen(promise: &'static str) {
    HANDLER.call_once(|| {
        let installed = ctrlc::set_handler(move || {
            if REQUESTED.swap(true, Ordering::SeqCst) {
                std::process::exit(i32::from(Exit::Interrupted.code()));
            }
            note(&format!("\ninterrupted: {promise}; once more Ctrl-C ends at once"));
        });
        if let Err(error) = installed {
            note(&format!("warning: Ctrl-C will end the program at once ({error})"));
        }
    });
}

/// The flag, for those who look at it in their loops.
#[must_use]
pub fn flag() -> Arc<AtomicBool> {
    REQUESTED.clone()
}

/// Whether the user wants an end.
#[must_use]
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}
