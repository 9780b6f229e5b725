//! Arbitrary histories: every shape of column (constant, rising, jumping, sparse, null) and every dictionary value.

use crate::realistic::Random;
use vopr_schema::{Dictionary, Ended, FaultRow, History, MessageRow, OperationRow, Pair, Run, StorageRow, TransitionRow};

/// How the values of a column look; drawn once per column so that each encoding is met.
#[derive(Clone, Copy)]
enum Shape {
    Constant(u64),
    Rising,
    Small,
    Any,
    Extreme,
}

/// Draws cells.
struct Cells {
    random: Random,
    shapes: Vec<(Shape, u64)>,
    column: usize,
    row: u64,
}

impl Cells {
    fn new(random: &mut Random) -> Self {
        let shapes = (0..32)
            .map(|_| {
                let shape = match random.below(6) {
                    0 => Shape::Constant(random.next()),
                    1 => Shape::Rising,
                    2 | 3 => Shape::Small,
                    4 => Shape::Any,
                    _ => Shape::Extreme,
                };
                let nulls = [0, 1, 2, 10, 1000][random.below(5) as usize];
                (shape, nulls)
            })
            .collect();
        Self { random: random.clone(), shapes, column: 0, row: 0 }
    }

    fn start_row(&mut self) {
        self.column = 0;
        self.row += 1;
    }

    fn bits(&mut self) -> (u64, bool) {
        let (shape, nulls) = self.shapes[self.column % self.shapes.len()];
        self.column += 1;
        let value = match shape {
            Shape::Constant(value) => value,
            Shape::Rising => self.row * 3 + self.random.below(2),
            Shape::Small => self.random.below(5),
            Shape::Any => self.random.next(),
            Shape::Extreme => [0, 1, u64::MAX, u64::MAX - 1, 1 << 63, u64::from(u32::MAX), 255, 65535][self.random.below(8) as usize],
        };
        let null = nulls != 0 && (nulls == 1 || self.random.chance(nulls));
        (value, null)
    }

    fn u64(&mut self) -> u64 {
        self.bits().0
    }

    fn u32(&mut self) -> u32 {
        self.u64() as u32
    }

    fn u16(&mut self) -> u16 {
        self.u64() as u16
    }

    fn u8(&mut self) -> u8 {
        self.u64() as u8
    }

    fn some64(&mut self) -> Option<u64> {
        let (value, null) = self.bits();
        (!null && value != u64::MAX).then_some(value)
    }

    fn some32(&mut self) -> Option<u32> {
        let (value, null) = self.bits();
        (!null && value as u32 != u32::MAX).then_some(value as u32)
    }

    fn some8(&mut self) -> Option<u8> {
        let (value, null) = self.bits();
        (!null && value as u8 != u8::MAX).then_some(value as u8)
    }

    fn word<E: Dictionary>(&mut self) -> E {
        E::ALL[(self.u64() % E::ALL.len() as u64) as usize]
    }

    fn some_word<E: Dictionary>(&mut self) -> Option<E> {
        let (value, null) = self.bits();
        (!null).then(|| E::ALL[(value % E::ALL.len() as u64) as usize])
    }

    fn pairs(&mut self) -> Option<Vec<Pair>> {
        let (value, null) = self.bits();
        (!null).then(|| (0..value % 4).map(|_| Pair { key: self.u64(), value: self.some64() }).collect())
    }
}

/// A history of `runs` runs with up to `rows_max` rows of each kind; some kinds have none.
pub fn history(seed: u64, runs: usize, rows_max: u64) -> History {
    let mut random = Random(seed);
    let mut history = History::default();
    let empty: Vec<bool> = (0..5).map(|_| random.chance(5)).collect();
    for number in 0..runs {
        let rows = |random: &mut Random, kind: usize| if empty[kind] { 0 } else { random.below(rows_max + 1) };
        let counts: Vec<u64> = (0..5).map(|kind| rows(&mut random, kind)).collect();
        let mut cells = Cells::new(&mut random);
        let mut seq = 0;
        let mut next = |cells: &mut Cells| {
            cells.start_row();
            seq += 1 + cells.random.below(3);
            seq
        };
        for _ in 0..counts[0] {
            let seq = next(&mut cells);
            history.operations.push(operation(&mut cells, seq));
        }
        for _ in 0..counts[1] {
            let seq = next(&mut cells);
            history.messages.push(message(&mut cells, seq));
        }
        for _ in 0..counts[2] {
            let seq = next(&mut cells);
            history.transitions.push(transition(&mut cells, seq));
        }
        for _ in 0..counts[3] {
            let seq = next(&mut cells);
            history.storage.push(storage(&mut cells, seq));
        }
        for _ in 0..counts[4] {
            let seq = next(&mut cells);
            history.faults.push(fault(&mut cells, seq));
        }
        let run = run(&mut cells, number as u64);
        random.next();
        history.close_run(run);
    }
    history
}

fn text(cells: &mut Cells) -> String {
    let length = cells.random.below(60);
    (0..length).map(|_| ['a', 'ß', '"', '\u{1f980}', '\0', ' '][cells.random.below(6) as usize]).collect()
}

fn run(cells: &mut Cells, number: u64) -> Run {
    cells.start_row();
    Run {
        scenario: ["baseline", "combined", ""][cells.random.below(3) as usize].to_owned(),
        seed: cells.random.next() << 8 | number,
        replicas: cells.u8(),
        standbys: cells.u8(),
        clients: cells.u32(),
        tenants: cells.u32(),
        bug: (!cells.random.chance(3)).then(|| text(cells)),
        options: text(cells),
        plan: text(cells),
        streams_version: cells.u32(),
        end_time_ns: cells.u64(),
        heal_time_ns: cells.some64(),
        events: cells.u64(),
        ended: Ended::ALL[cells.random.below(Ended::ALL.len() as u64) as usize],
        ended_detail: cells.random.chance(2).then(|| text(cells)),
        ..Run::default()
    }
}

fn operation(cells: &mut Cells, seq: u64) -> OperationRow {
    OperationRow {
        seq,
        time_ns: cells.u64(),
        client: cells.u32(),
        session: cells.some64(),
        request_number: cells.u64(),
        tenant: cells.u32(),
        function: cells.word(),
        key: cells.u64(),
        key_last: cells.some64(),
        value: cells.some64(),
        expected: cells.some64(),
        reads: cells.pairs(),
        writes: cells.pairs(),
        result: cells.some64(),
        results: cells.pairs(),
        outcome: cells.word(),
        error: cells.some_word(),
        return_seq: cells.some64(),
        return_time_ns: cells.some64(),
        op: cells.some64(),
        view: cells.some64(),
        replica: cells.some8(),
        attempts: cells.u32(),
    }
}

fn message(cells: &mut Cells, seq: u64) -> MessageRow {
    MessageRow {
        seq,
        time_ns: cells.u64(),
        id: cells.u64(),
        copy: cells.u16(),
        command: cells.word(),
        from: cells.u16(),
        to: cells.u16(),
        view: cells.some64(),
        last_normal_view: cells.some64(),
        op: cells.some64(),
        commit: cells.some64(),
        entry_hash: cells.some64(),
        log_first: cells.some64(),
        log_count: cells.some32(),
        size_bytes: cells.u32(),
        checksum: cells.some32(),
        tenant: cells.some32(),
        client: cells.some32(),
        session: cells.some64(),
        request_number: cells.some64(),
        epoch: cells.u32(),
        mutation: cells.some_word(),
        fate: cells.word(),
        fate_seq: cells.some64(),
        fate_time_ns: cells.some64(),
        reject_reason: cells.some_word(),
    }
}

fn transition(cells: &mut Cells, seq: u64) -> TransitionRow {
    TransitionRow {
        seq,
        time_ns: cells.u64(),
        replica: cells.u8(),
        incarnation: cells.u32(),
        event: cells.word(),
        status: cells.word(),
        view: cells.u64(),
        last_normal_view: cells.u64(),
        op: cells.some64(),
        commit: cells.u64(),
        epoch: cells.u32(),
        entry_hash: cells.some64(),
        previous_hash: cells.some64(),
        entry_view: cells.some64(),
        state_hash: cells.some64(),
        timestamp: cells.some64(),
        tenant: cells.some32(),
        client: cells.some32(),
        session: cells.some64(),
        request_number: cells.some64(),
        quorum: cells.some32(),
        cause: cells.some64(),
        detail: cells.some_word(),
        clock_low_ns: cells.some64(),
        clock_high_ns: cells.some64(),
    }
}

fn storage(cells: &mut Cells, seq: u64) -> StorageRow {
    StorageRow {
        seq,
        time_ns: cells.u64(),
        replica: cells.u8(),
        io: cells.word(),
        zone: cells.word(),
        op: cells.some64(),
        started_seq: cells.u64(),
        size_bytes: cells.u32(),
        outcome: cells.word(),
        latency_ns: cells.u64(),
    }
}

fn fault(cells: &mut Cells, seq: u64) -> FaultRow {
    FaultRow {
        seq,
        time_ns: cells.u64(),
        family: cells.word(),
        fault: cells.word(),
        target: cells.some32(),
        peer: cells.some32(),
        end_time_ns: cells.some64(),
        magnitude: (cells.u64() >> 11) as f64 / 8.0,
        plan_index: cells.some32(),
    }
}
