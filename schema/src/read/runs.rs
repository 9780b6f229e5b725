//! The rows of kind run: who the runs are, and how many rows of each kind they have.
//!
//! There are few of them; they are read whole whatever the projection.

use super::batch::{At, BatchReader, Source};
use super::columns::{Names, Plain, Texts};
use super::error::Fault;
use super::pages::Pages;
use crate::column::Niche;
use crate::dictionary::Dictionary;
use crate::history::{Ended, Run};
use crate::pages::{Damage, Word};
use crate::provenance::SchemaVersion;
use crate::rows::Kind;
use crate::write::TEXT_BYTES_MAX;
use std::rc::Rc;

/// The run rows of a batch.
#[derive(Debug)]
pub(crate) struct RunRows {
    /// The runs.
    pub(crate) runs: Vec<Run>,
    /// Rows of each run: operation, message, transition, storage, fault.
    pub(crate) rows: [Vec<u64>; 5],
}

/// Reads row group `index`, which is of kind run.
pub(crate) fn read<S: Source>(reader: &mut BatchReader<'_, S>, index: usize) -> Result<RunRows, Fault> {
    let footer = reader.footer;
    let group = &footer.groups[index];
    let mut read = RunRows { runs: vec![Run::default(); group.rows], rows: Default::default() };
    for (number, leaf) in footer.leaves.iter().enumerate() {
        if leaf.kind.is_none_or(|kind| kind == Kind::Run) {
            Columns { reader, at: At { index, group, leaf }, number }.read(&mut read)?;
        }
    }
    let ends = (read.runs.first().map(|run| run.seed), read.runs.last().map(|run| run.seed));
    if ends != (Some(group.first_seed), Some(group.last_seed)) {
        return Err(Fault::group(index, Kind::Run, "the seeds are not those that the footer's index names"));
    }
    Ok(read)
}

struct Columns<'a, 'b, S> {
    reader: &'a mut BatchReader<'b, S>,
    at: At<'a>,
    number: usize,
}

impl<S: Source> Columns<'_, '_, S> {
    fn read(mut self, read: &mut RunRows) -> Result<(), Fault> {
        let at = self.at;
        let rows_of = |kind: Kind| usize::from(kind.code()) - 1;
        match (self.at.leaf.kind, self.at.leaf.spec.name) {
            (None, "scenario") => self.texts(read, |run, text| run.scenario = text),
            (None, "seed") => self.numbers(read, |run, value: u64| run.seed = value),
            (None, "kind") => {
                let kinds: Vec<u8> = self.codes(Kind::NAMES)?;
                if kinds.iter().any(|kind| *kind != Kind::Run.code()) {
                    return Err(at.fault(Damage::new("a row of another kind stands among the rows of kind run")));
                }
                Ok(())
            }
            (None, _) => {
                let zeros: Vec<u64> = self.column()?;
                if zeros.iter().any(|value| *value != 0) {
                    return Err(at.fault(Damage::new("a row of kind run has a position or time other than 0")));
                }
                Ok(())
            }
            (_, "replicas") => self.numbers(read, |run, value: u8| run.replicas = value),
            (_, "standbys") => self.numbers(read, |run, value: u8| run.standbys = value),
            (_, "clients") => self.numbers(read, |run, value: u32| run.clients = value),
            (_, "tenants") => self.numbers(read, |run, value: u32| run.tenants = value),
            (_, "bug") => self.optional_texts(read, |run, text| run.bug = text),
            (_, "options") => self.texts(read, |run, text| run.options = text),
            (_, "plan") => self.texts(read, |run, text| run.plan = text),
            (_, "streams_version") => self.numbers(read, |run, value: u32| run.streams_version = value),
            (_, "end_time_ns") => self.numbers(read, |run, value: u64| run.end_time_ns = value),
            (_, "heal_time_ns") => self.numbers(read, |run, value: u64| run.heal_time_ns = (value != u64::NONE).then_some(value)),
            (_, "events") => self.numbers(read, |run, value: u64| run.events = value),
            (_, "rows_operation") => self.counts(&mut read.rows[rows_of(Kind::Operation)]),
            (_, "rows_message") => self.counts(&mut read.rows[rows_of(Kind::Message)]),
            (_, "rows_transition") => self.counts(&mut read.rows[rows_of(Kind::Transition)]),
            (_, "rows_storage") => self.counts(&mut read.rows[rows_of(Kind::Storage)]),
            (_, "rows_fault") => self.counts(&mut read.rows[rows_of(Kind::Fault)]),
            (_, "operations_ok") => self.numbers(read, |run, value: u64| run.operations_ok = value),
            (_, "operations_error") => self.numbers(read, |run, value: u64| run.operations_error = value),
            (_, "operations_unknown") => self.numbers(read, |run, value: u64| run.operations_unknown = value),
            (_, "digest") => self.digests(read),
            (_, "ended") => {
                let codes = self.codes(Ended::NAMES)?;
                codes.iter().zip(&mut read.runs).for_each(|(code, run)| run.ended = Ended::from_code(*code).unwrap_or_default());
                Ok(())
            }
            (_, "ended_detail") => self.optional_texts(read, |run, text| run.ended_detail = text),
            (_, other) => unreachable!("column {other} of kind run is in the table of columns but not read: a test reads them all"),
        }
    }

    fn column<T: Word + Niche>(&mut self) -> Result<Vec<T>, Fault> {
        let mut values = Vec::new();
        self.reader.integers(self.at, self.number, &mut values)?;
        Ok(values)
    }

    fn numbers<T: Word + Niche>(&mut self, read: &mut RunRows, set: impl Fn(&mut Run, T)) -> Result<(), Fault> {
        let values = self.column()?;
        read.runs.iter_mut().zip(values).for_each(|(run, value)| set(run, value));
        Ok(())
    }

    fn counts(&mut self, out: &mut Vec<u64>) -> Result<(), Fault> {
        *out = self.column()?;
        Ok(())
    }

    fn codes(&mut self, names: &'static [&'static str]) -> Result<Vec<u8>, Fault> {
        let newer = self.reader.footer.version > SchemaVersion::CURRENT;
        let unknown = names.iter().position(|name| newer && *name == "other").and_then(|code| u8::try_from(code).ok());
        let mut codes = Vec::new();
        self.reader.required(self.at, self.number, &Names { names, unknown }, &mut codes)?;
        Ok(codes)
    }

    fn shared<P: Plain<Rc<[u8]>>>(&mut self, plain: &P) -> Result<Vec<Option<Rc<[u8]>>>, Fault> {
        let budget = self.reader.footer.chunks[self.at.index][self.number].map_or(0, |place| Pages::budget(place.length) + TEXT_BYTES_MAX);
        let mut texts = Vec::new();
        if self.at.leaf.spec.nullable {
            self.reader.nullable(self.at, self.number, &Optional(plain), None, &mut texts)?;
        } else {
            self.reader.required(self.at, self.number, &Optional(plain), &mut texts)?;
        }
        // A dictionary may name one long text many times: copies are made only when the chunk's size justifies them.
        let bytes = texts.iter().flatten().map(|text| text.len()).fold(0, usize::saturating_add);
        if bytes > budget {
            return Err(self.at.fault(Damage::new("its texts are longer than its chunk can hold")));
        }
        Ok(texts)
    }

    fn strings(&mut self) -> Result<Vec<Option<String>>, Fault> {
        let at = self.at;
        let texts = self.shared(&Texts { fixed: 0 })?;
        let utf8 = |text: Rc<[u8]>| String::from_utf8(text.to_vec()).map_err(|_| at.fault(Damage::new("a text is not UTF-8")));
        texts.into_iter().map(|text| text.map(utf8).transpose()).collect()
    }

    fn texts(&mut self, read: &mut RunRows, set: impl Fn(&mut Run, String)) -> Result<(), Fault> {
        let texts = self.strings()?;
        read.runs.iter_mut().zip(texts).for_each(|(run, text)| set(run, text.unwrap_or_default()));
        Ok(())
    }

    fn optional_texts(&mut self, read: &mut RunRows, set: impl Fn(&mut Run, Option<String>)) -> Result<(), Fault> {
        let texts = self.strings()?;
        read.runs.iter_mut().zip(texts).for_each(|(run, text)| set(run, text));
        Ok(())
    }

    fn digests(&mut self, read: &mut RunRows) -> Result<(), Fault> {
        let digests = self.shared(&Texts { fixed: 32 })?;
        for (run, digest) in read.runs.iter_mut().zip(digests.iter().flatten()) {
            run.digest.copy_from_slice(digest);
        }
        Ok(())
    }
}

/// Reads values that are there as `Some`.
struct Optional<'a, P>(&'a P);

impl<T, P: Plain<T>> Plain<Option<T>> for Optional<'_, P> {
    fn read(&self, body: &[u8], count: usize, out: &mut Vec<Option<T>>) -> Result<(), Damage> {
        let mut values = Vec::new();
        self.0.read(body, count, &mut values)?;
        out.extend(values.into_iter().map(Some));
        Ok(())
    }
}
