//! Every constant of the protocol, and the relations between them, checked when the crate is compiled.
//!
//! A number that two sub-protocols rely on is written once, so that changing it cannot break one of them silently.

/// Copies of the superblock on a disk: two pairs, written in turn, so that a torn write never touches the pair before.
pub const SUPERBLOCK_COPIES: u8 = 4;
/// Copies that one superblock is written to; all of them must be durable before it counts.
pub const SUPERBLOCK_PAIR: u8 = 2;
/// Places for checkpoints on a disk, written in turn.
pub const CHECKPOINT_PLACES: u8 = 2;

/// Members that vote, at most.
pub const REPLICAS_MAX: u8 = 7;
/// Members altogether, at most: bit sets of members are 32 bits wide.
pub const MEMBERS_MAX: u8 = 32;

/// Entries in one message, at most.
pub const TAIL_ENTRIES_MAX: usize = 10_000;
/// Bytes of one message, at most.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// Bytes of one command, at most.
pub const COMMAND_BYTES_MAX: usize = 1 << 20;

/// Slots of the log ring, unless configured.
pub const LOG_SLOTS: u32 = 256;
/// Ops from one checkpoint to the next, unless configured.
pub const CHECKPOINT_INTERVAL: u64 = 64;
/// Uncommitted entries of a primary, at most, unless configured.
pub const PIPELINE_MAX: u32 = 16;
/// Sessions in the table, at most, unless configured.
pub const SESSIONS_MAX: u32 = 32;

const MS: u64 = 1_000_000;

/// A prepare without a quorum is sent again after this long.
pub const PREPARE_TIMEOUT_NS: u64 = 100 * MS;
/// A primary tells its commit number this often.
pub const HEARTBEAT_NS: u64 = 250 * MS;
/// A backup that has heard nothing from its primary for this long suspects it.
pub const VIEW_CHANGE_TIMEOUT_NS: u64 = 1_000 * MS;
/// Looks for a word from the primary within [`VIEW_CHANGE_TIMEOUT_NS`].
pub const VIEW_CHANGE_TICKS: u32 = 4;
/// A view change that takes longer goes on to the next view.
pub const VIEW_CHANGE_WINDOW_NS: u64 = 500 * MS;
/// The window grows with each view that fails, up to this many times its length.
pub const VIEW_CHANGE_WINDOW_FACTOR_MAX: u64 = 8;
/// View-change messages are sent again this often.
pub const VIEW_CHANGE_RESEND_NS: u64 = 150 * MS;
/// A recovering replica asks again this often.
pub const RECOVERY_RETRY_NS: u64 = 500 * MS;
/// A gap in the log is older than mere reordering after this long.
pub const REPAIR_DELAY_NS: u64 = 50 * MS;
/// A repair request that is not answered for this long goes to another peer.
pub const REPAIR_TIMEOUT_NS: u64 = 200 * MS;
/// A request for a checkpoint that is not answered for this long goes to another peer.
pub const STATE_TRANSFER_TIMEOUT_NS: u64 = 200 * MS;
/// A primary that has not heard from a quorum for this long steps down: later than its backups replace it, if they miss it too.
pub const ABDICATION_TIMEOUT_NS: u64 = 2 * VIEW_CHANGE_TIMEOUT_NS;
/// A suspicious backup asks the others again this often, and a replica that does not know the time asks for clock samples.
pub const PING_NS: u64 = 250 * MS;

/// A replica that knows the time asks for clock samples this often.
pub const CLOCK_PING_NS: u64 = 1_000 * MS;
/// A right clock is at most this far from true time.
pub const CLOCK_TOLERANCE_NS: u64 = 500 * MS;
/// Samples are collected for at least this long before what they agree on replaces what is in force.
pub const CLOCK_WINDOW_MIN_NS: u64 = 3_000 * MS;
/// Samples without an agreement are given up after this long.
pub const CLOCK_WINDOW_MAX_NS: u64 = 10_000 * MS;
/// An agreement is in force for this long at most.
pub const CLOCK_EPOCH_NS: u64 = 30_000 * MS;
/// A primary that does not know the time lets another one lead after this long, if a voter knows it.
pub const CLOCK_ABDICATION_NS: u64 = 500 * MS;
/// A primary goes on without knowing the time if for this long no voter has claimed to know it.
pub const CLOCK_FALLBACK_NS: u64 = 2_000 * MS;
/// A clock that leaves what was agreed on by more than this has been set.
pub const CLOCK_SLACK_NS: u64 = 50 * MS;
/// Two clocks drift apart by at most the elapsed time divided by this: 1,000 parts per million.
pub const CLOCK_DRIFT_DIVISOR: u64 = 1_000;

/// Reads that wait for a proof that their primary leads, at most.
pub const READS_MAX: usize = 64;
/// An answer's share in a peer's smoothed response time is one in so many: 0.2.
pub const RESPONSE_WEIGHT: u64 = 5;
/// One choice of so many asks the next peer in turn, not the quickest one: 10%.
pub const EXPLORATION_PERIOD: u32 = 10;
/// Entries asked for in one repair request.
pub const REPAIR_ENTRIES_MAX: u64 = 16;
/// Repair requests that a replica serves from its disk at once.
pub const REPAIR_SERVED_MAX: usize = 8;
/// Reads of the scrubber in one tick, at most.
pub const SCRUB_READS_MAX: usize = 10;
/// Repairs of one gap that stay unanswered before a checkpoint is asked for instead.
pub const REPAIR_ATTEMPTS_MAX: u32 = 15;
/// The same for a replica of which a checkpoint would bring most of what it lacks.
pub const REPAIR_ATTEMPTS_LAGGING: u32 = 2;
/// So many checkpoint intervals behind what is known to be committed, a replica lags far.
pub const LAGGING_INTERVALS: u64 = 2;

const _: () = {
    assert!(SUPERBLOCK_COPIES == 2 * SUPERBLOCK_PAIR, "two pairs are written in turn");
    assert!(CHECKPOINT_PLACES >= 2, "the old checkpoint stays until the new one is durable");
    assert!(MEMBERS_MAX as u32 <= u32::BITS, "members are counted in bit sets of 32 bits");
    assert!(ring_is_large_enough(LOG_SLOTS, CHECKPOINT_INTERVAL, PIPELINE_MAX), "the ring would fill before a checkpoint frees it");
    assert!(LOG_SLOTS as usize <= TAIL_ENTRIES_MAX, "a whole ring must fit into one message");
    assert!(HEARTBEAT_NS * 2 <= VIEW_CHANGE_TIMEOUT_NS, "one lost heartbeat must not start a view change");
    assert!(HEARTBEAT_NS * 2 <= ABDICATION_TIMEOUT_NS, "one lost answer must not end a view");
    assert!(VIEW_CHANGE_RESEND_NS * 2 <= VIEW_CHANGE_WINDOW_NS, "a lost vote must be sent again inside the window");
    assert!(PING_NS < CLOCK_ABDICATION_NS && CLOCK_PING_NS * 2 <= CLOCK_WINDOW_MIN_NS, "a window holds more than one round of samples");
    assert!(CLOCK_WINDOW_MIN_NS < CLOCK_WINDOW_MAX_NS && CLOCK_WINDOW_MAX_NS < CLOCK_EPOCH_NS, "an agreement outlives the next window");
    assert!(CLOCK_ABDICATION_NS < CLOCK_FALLBACK_NS, "who knows the time leads before somebody goes on without");
    assert!(CLOCK_EPOCH_NS / CLOCK_DRIFT_DIVISOR <= CLOCK_SLACK_NS, "a clock that drifts has not been set");
    assert!(REPAIR_ENTRIES_MAX < LOG_SLOTS as u64, "a repair must fit into the ring");
};

/// Whether a ring of `log_slots` leaves room for two checkpoint intervals and a full pipeline, so that a primary never
/// waits for a checkpoint that cannot be taken.
#[must_use]
pub const fn ring_is_large_enough(log_slots: u32, checkpoint_interval: u64, pipeline_max: u32) -> bool {
    log_slots as u64 >= 2 * checkpoint_interval + pipeline_max as u64
}
