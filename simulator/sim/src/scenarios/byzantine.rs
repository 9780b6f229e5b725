//! Phase 1: links that lie.
//!
//! The links of one replica at a time forge what it sends; the replica itself stays honest. What is forged has valid checksums and
//! hashes, so that only the rules of the protocol can tell. The crash fault model ends where they cannot: a prepare with another
//! command, or the vote of a stale log that is in order, would be believed by any correct replica, and is not forged here.

use super::defaults::{DEFAULT, NETWORK, milliseconds};
use crate::attack::{Attack, RangeShape};
use crate::fault_plan::Target;
use crate::options::{Families, Rate, SECOND};
use crate::scenario::{Ambush, Assault, Base, Inject, PrimaryFate, Rates, Scenario, Swarm, Times};
use vsr::message::Command;

const BYZANTINE: Families = Families { byzantine: true, ..NETWORK };

/// Loss of a tenth, links of 1 to 10 ms, and rounds in which the primary falls silent: its backups change the view.
const VIEW_CHANGES: Base = Base {
    events: 20_000,
    clients_per_tenant: 8,
    plan_ns: 20 * SECOND,
    time_ns: 20 * SECOND,
    latency: milliseconds(1, 10),
    drop: Rates::fixed(Rate::percent(10)),
    think: milliseconds(0, 20),
    swarm: Swarm { always: BYZANTINE, ..Swarm::NONE },
    ..DEFAULT
};

/// A round with a view change in it: longer than a backup waits for its primary.
const fn round(ambushes: &'static [Ambush]) -> Assault {
    Assault { primary: PrimaryFate::Mute, round: milliseconds(1_400, 1_800), pause: milliseconds(500, 1_200), ambushes }
}

/// Rounds without a view change: the primary stays.
const fn quiet(round: Times, pause: Times, ambushes: &'static [Ambush]) -> Assault {
    Assault { primary: PrimaryFate::Stays, round, pause, ambushes }
}

/// Rounds and pauses that fill most of a run.
const OFTEN: (Times, Times) = (milliseconds(1_000, 2_000), milliseconds(100, 400));

/// Whoever leads at the beginning of a round.
const PRIMARY: Target = Target::Primary;
/// Whoever leads the next view.
const NEXT: Target = Target::Backup(0);
/// Who sends its log to that one.
const VOTER: Target = Target::Backup(1);

const fn about(command: Command, from: Target, attack: Attack, percent: u32) -> Ambush {
    Ambush { from, to: None, command: Some(command), attack, chance: Rate::percent(percent) }
}

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "byzantine_view_change_merge",
        aliases: &[],
        phase: 1,
        purpose: "start_views with another entry where the receiver has committed",
        base: Base { assault: round(&[about(Command::StartView, NEXT, Attack::CommittedEntry, 60)]), ..VIEW_CHANGES },
        script: &[Inject::Assaults],
        evidence: "a start_view with another entry at a committed op arrived and was refused, and a view changed",
        holds: &["vsr_agreement", "byzantine_rejection"],
    },
    Scenario {
        name: "byzantine_commit_desync",
        aliases: &[],
        phase: 1,
        purpose: "start_views whose commit number lies beyond their log",
        base: Base { assault: round(&[about(Command::StartView, NEXT, Attack::CommitNumber { ahead: 50 }, 60)]), ..VIEW_CHANGES },
        script: &[Inject::Assaults],
        evidence: "a start_view with a commit number beyond its log arrived and was refused",
        holds: &["vsr_prefix_property", "byzantine_rejection"],
    },
    Scenario {
        name: "byzantine_inflated_commit",
        aliases: &[],
        phase: 1,
        purpose: "do_view_changes with an impossible commit number",
        base: Base {
            // Of three disks two hold whatever a vote can carry: the silent primary's and the voter's.
            replicas: &[5],
            assault: round(&[about(Command::DoViewChange, VOTER, Attack::CommitNumber { ahead: 1_000 }, 80)]),
            ..VIEW_CHANGES
        },
        script: &[Inject::Assaults],
        evidence: "a do_view_change with a commit number beyond its log arrived and was refused",
        holds: &["vsr_durability", "byzantine_rejection"],
    },
    Scenario {
        name: "byzantine_malicious_view_change",
        aliases: &[],
        phase: 1,
        purpose: "do_view_changes that claim to be the newest, with entries that connect to nothing",
        base: Base {
            assault: round(&[
                about(Command::DoViewChange, VOTER, Attack::LogFromNowhere { beyond: 2 }, 60),
                about(Command::DoViewChange, VOTER, Attack::LastNormalView, 40),
            ]),
            ..VIEW_CHANGES
        },
        script: &[Inject::Assaults],
        evidence: "a do_view_change with a log from nowhere arrived while its receiver collected votes, and was refused",
        holds: &["vsr_view_change_safety", "byzantine_rejection"],
    },
    Scenario {
        name: "byzantine_dvc_tail_length_mismatch",
        aliases: &[],
        phase: 1,
        purpose: "do_view_changes that claim more entries than they carry",
        base: Base {
            latency: milliseconds(1, 5),
            drop: Rates::NEVER,
            assault: round(&[
                about(Command::DoViewChange, VOTER, Attack::OpNumber { ahead: 5 }, 25),
                about(Command::DoViewChange, VOTER, Attack::TailLength { missing: 5 }, 75),
            ]),
            ..VIEW_CHANGES
        },
        script: &[Inject::Assaults],
        evidence: "a do_view_change that carries fewer entries than it claims arrived and was refused",
        holds: &["log_consistency", "byzantine_rejection"],
    },
    Scenario {
        name: "byzantine_dvc_identical_claims",
        aliases: &[],
        phase: 1,
        purpose: "do_view_changes with the claims of the receiver's own log, and another tail",
        base: Base {
            latency: milliseconds(1, 5),
            drop: Rates::NEVER,
            assault: round(&[about(Command::DoViewChange, VOTER, Attack::IdenticalClaim, 100)]),
            ..VIEW_CHANGES
        },
        script: &[Inject::Assaults],
        evidence: "two logs with the same last normal view and op, but different heads, were in one quorum",
        holds: &["vsr_view_change_safety"],
    },
    Scenario {
        name: "byzantine_invalid_metadata",
        aliases: &[],
        phase: 1,
        purpose: "prepares whose op, view or commit number contradicts their entry",
        base: Base {
            events: 15_000,
            latency: milliseconds(1, 5),
            drop: Rates::fixed(Rate::percent(5)),
            assault: quiet(
                OFTEN.0,
                OFTEN.1,
                &[
                    about(Command::Prepare, PRIMARY, Attack::EntryMetadata { ahead: 2 }, 5),
                    about(Command::Prepare, PRIMARY, Attack::CommitNumber { ahead: 10 }, 5),
                    about(Command::Prepare, PRIMARY, Attack::EntryPlace, 5),
                    about(Command::Prepare, PRIMARY, Attack::ViewNumber { ahead: 3 }, 2),
                    about(Command::PrepareOk, NEXT, Attack::OpNumber { ahead: 1_000 }, 2),
                ],
            ),
            ..VIEW_CHANGES
        },
        script: &[Inject::Assaults],
        evidence: "prepares with a false view, op and commit number arrived and were refused",
        holds: &["vsr_agreement", "log_consistency", "byzantine_rejection"],
    },
    Scenario {
        name: "byzantine_leader_race",
        aliases: &[],
        phase: 1,
        purpose: "the primary is heard by nobody while its successor's links tell different replicas different things",
        base: Base {
            // Of three replicas two are a quorum, and a vote that comes twice completes none that its sender does not.
            replicas: &[5],
            events: 25_000,
            latency: milliseconds(1, 15),
            drop: Rates::fixed(Rate::percent(15)),
            assault: round(&[
                about(Command::PrepareOk, VOTER, Attack::Flood { copies: 1 }, 30),
                about(Command::StartView, NEXT, Attack::CommittedEntry, 50),
                about(Command::Prepare, NEXT, Attack::EntryPlace, 10),
            ]),
            ..VIEW_CHANGES
        },
        script: &[Inject::Assaults],
        evidence: "a one-way partition overlapped a view change, and a conflicting entry was refused",
        holds: &["vsr_agreement", "quorum_commit"],
    },
    Scenario {
        name: "byzantine_oversized_start_view",
        aliases: &[],
        phase: 1,
        purpose: "start_views with more entries, or more bytes, than a message may have",
        base: Base {
            latency: milliseconds(1, 5),
            drop: Rates::NEVER,
            assault: round(&[
                about(Command::StartView, NEXT, Attack::OversizedBytes, 10),
                about(Command::StartView, NEXT, Attack::OversizedTail { entries: 50_000 }, 40),
            ]),
            ..VIEW_CHANGES
        },
        script: &[Inject::Assaults],
        evidence: "a start_view beyond the limits arrived and was refused as too large",
        holds: &["resource_limits", "byzantine_rejection"],
    },
    Scenario {
        name: "byzantine_invalid_repair_range",
        aliases: &[],
        phase: 1,
        purpose: "repair requests for ranges that are none",
        base: Base {
            latency: milliseconds(1, 5),
            think: milliseconds(0, 10),
            assault: quiet(
                OFTEN.0,
                OFTEN.1,
                &[
                    about(Command::RepairRequest, NEXT, Attack::Range { shape: RangeShape::Reversed }, 30),
                    about(Command::RepairRequest, NEXT, Attack::Range { shape: RangeShape::FromZero }, 30),
                    about(Command::RepairRequest, NEXT, Attack::Range { shape: RangeShape::TooLong }, 50),
                ],
            ),
            ..VIEW_CHANGES
        },
        script: &[Inject::Assaults],
        evidence: "a repair request for a senseless range arrived, was refused as such, and was answered with a nack",
        holds: &["repair_safety", "byzantine_rejection"],
    },
    Scenario {
        name: "byzantine_invalid_kernel_command",
        aliases: &[],
        phase: 1,
        purpose: "prepares of commands that the state machine must refuse",
        base: Base { latency: milliseconds(1, 5), drop: Rates::NEVER, invalid: Rate::percent(5), ..VIEW_CHANGES },
        script: &[],
        evidence: "an append to a stream that nobody had created was refused, and applied as such by every replica",
        holds: &["kernel_command_validation", "liveness"],
    },
    Scenario {
        name: "byzantine_replay_old_view",
        aliases: &[],
        phase: 1,
        purpose: "messages of an old view, delivered again in a newer one",
        base: Base {
            events: 15_000,
            drop: Rates::fixed(Rate::percent(5)),
            assault: round(&[
                Ambush { from: VOTER, to: None, command: None, attack: Attack::Replay, chance: Rate::percent(30) },
                Ambush { from: NEXT, to: None, command: None, attack: Attack::Replay, chance: Rate::percent(30) },
            ]),
            ..VIEW_CHANGES
        },
        script: &[Inject::Assaults],
        evidence: "a message of an older view was delivered once more and refused for it",
        holds: &["view_monotonicity"],
    },
    Scenario {
        name: "byzantine_corrupt_checksums",
        aliases: &[],
        phase: 1,
        purpose: "checksum fields that are overwritten",
        base: Base {
            events: 15_000,
            latency: milliseconds(1, 5),
            drop: Rates::NEVER,
            assault: quiet(
                OFTEN.0,
                OFTEN.1,
                &[
                    Ambush { from: PRIMARY, to: None, command: None, attack: Attack::Checksum, chance: Rate::percent(5) },
                    Ambush { from: NEXT, to: None, command: None, attack: Attack::Checksum, chance: Rate::percent(5) },
                ],
            ),
            ..VIEW_CHANGES
        },
        script: &[Inject::Assaults],
        evidence: "messages with a false checksum arrived and were all refused for it",
        holds: &["corruption_detection", "byzantine_rejection"],
    },
    Scenario {
        name: "byzantine_view_change_blocking",
        aliases: &[],
        phase: 1,
        purpose: "do_view_changes that never arrive",
        base: Base { assault: round(&[about(Command::DoViewChange, VOTER, Attack::Withhold, 100)]), ..VIEW_CHANGES },
        script: &[Inject::Assaults],
        evidence: "a do_view_change was withheld while its sender was in a view change, and a view started later",
        holds: &["liveness"],
    },
    Scenario {
        name: "byzantine_prepare_flood",
        aliases: &[],
        phase: 1,
        purpose: "prepares arrive many times over",
        base: Base {
            events: 30_000,
            latency: milliseconds(1, 5),
            drop: Rates::NEVER,
            link_messages: 256,
            assault: quiet(
                milliseconds(1_000, 1_300),
                milliseconds(1_500, 2_500),
                &[about(Command::Prepare, PRIMARY, Attack::Flood { copies: 24 }, 100)],
            ),
            ..VIEW_CHANGES
        },
        script: &[Inject::Assaults],
        evidence: "a replica got 10 times as many prepares in a second as it gets without the flood",
        holds: &["resource_limits", "liveness"],
    },
    Scenario {
        name: "byzantine_selective_silence",
        aliases: &[],
        phase: 1,
        purpose: "the primary and one of its backups do not speak to each other",
        base: Base {
            drop: Rates::NEVER,
            assault: quiet(
                milliseconds(1_500, 3_000),
                milliseconds(300, 900),
                &[
                    Ambush { from: PRIMARY, to: Some(NEXT), command: None, attack: Attack::Withhold, chance: Rate::ALWAYS },
                    Ambush { from: NEXT, to: Some(PRIMARY), command: None, attack: Attack::Withhold, chance: Rate::ALWAYS },
                ],
            ),
            ..VIEW_CHANGES
        },
        script: &[Inject::Assaults],
        evidence: "messages of a replica were withheld from a peer while it was the primary",
        holds: &["liveness"],
    },
];
