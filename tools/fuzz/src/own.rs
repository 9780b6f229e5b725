//! The program's own files: bundles of failing runs, verdicts, scenarios, checkpoints, directories of campaigns.
//!
//! They are handed from one person to another, so that what is in them is no more trusted than a history.

use crate::reseal;
use core::str;
use std::path::Path;
use vopr::campaign_dir::Directory;
use vopr::checkpoint::Checkpoint;
use vopr::dashboard::pages::{self, Links};
use vopr::failure::bundle::{Bundle, request_of};
use vopr::failure::symptom::Symptom;
use vopr::own;
use vopr::seeds::{SeedRange, batches};
use vopr_checker::store::Store;
use vopr_schema::Run;
use vopr_sim::RunRequest;
use vopr_sim::entropy::STREAMS_VERSION;
use vopr_sim::panics;
use vopr_sim::scenario::Overrides;
use vopr_sim::workload_plan::WorkloadPlan;

/// Bundles: the file as it is and with its footer's seal made to fit. What is no Parquet file is lines instead: the options, the faults,
/// the workload and the symptom that a bundle holds as JSON, which no fuzzer finds behind a compressed page.
///
/// # Panics
/// When what is written is not read again.
pub fn bundle(data: &[u8]) {
    if !data.starts_with(b"PAR1") {
        if let Ok(text) = str::from_utf8(data) {
            bundled(text);
        }
        return;
    }
    read_bundle(data);
    let mut bytes = data.to_vec();
    if reseal(&mut bytes).is_some() && bytes != data {
        read_bundle(&bytes);
    }
}

fn read_bundle(data: &[u8]) {
    let folder = folder();
    let (path, again) = (folder.path().join("read.kmb"), folder.path().join("written.kmb"));
    put(&path, data);
    let Ok(bundle) = guarded(|| Bundle::read(&path, None)) else { return };
    let _ = bundle.size();
    bundle.write(&again).expect("what was read can be written");
    let read = Bundle::read(&again, None).expect("what was written can be read");
    assert_eq!((&read.request, &read.symptom, &read.verdicts), (&bundle.request, &bundle.symptom, &bundle.verdicts));
}

fn bundled(text: &str) {
    let mut lines = text.lines();
    let mut line = || lines.next().unwrap_or_default().to_owned();
    let run = Run { options: line(), plan: line(), streams_version: STREAMS_VERSION, ..Run::default() };
    let workload = WorkloadPlan::from_json(&line()).ok();
    if let Ok(request) = request_of(&run, workload) {
        let again = Run { options: request.options.to_json(), plan: request.plan.to_json(), ..run };
        assert_eq!(request_of(&again, request.workload.clone()).ok().as_ref(), Some(&request));
    }
    let _ = serde_json::from_str::<Symptom>(&line());
}

/// The store of verdicts: as it is, and with its seal made to fit.
///
/// # Panics
/// When what is written is not read again.
pub fn verdicts(data: &[u8]) {
    let _ = guarded(|| Store::decode(data.to_vec()));
    let mut bytes = data.to_vec();
    if reseal_store(&mut bytes).is_some()
        && let Ok(store) = guarded(|| Store::decode(bytes))
    {
        let written = store.encode().expect("what was read can be written");
        assert_eq!(Store::decode(written).expect("what was written can be read"), store);
    }
}

/// Writes the BLAKE3 in front of the footer, over all other bytes; none where there is no footer or no room.
fn reseal_store(bytes: &mut Vec<u8>) -> Option<()> {
    let tail = bytes.len().checked_sub(8)?;
    let length = u32::from_le_bytes(*bytes.get(tail..tail + 4)?.first_chunk()?);
    let end = tail.checked_sub(usize::try_from(length).ok()?)?;
    let start = end.checked_sub(36)?;
    bytes.drain(start..end);
    let seal: Vec<u8> = b"vopr".iter().copied().chain(*blake3::hash(bytes).as_bytes()).collect();
    bytes.splice(start..start, seal);
    Some(())
}

/// A user's own scenario: what is accepted is printed and read again as the same, and its options and faults can be drawn.
///
/// # Panics
/// When what is printed is not read again, or a scenario that was accepted makes no world.
pub fn scenario(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(scenario) = own::parse(text, "fuzzed") else { return };
    let printed = own::to_toml(&scenario);
    assert_eq!(own::parse(&printed, "printed").as_ref(), Ok(&scenario), "{printed}");
    for seed in [1, u64::MAX] {
        let request = RunRequest::new(&scenario, seed, &Overrides::default()).expect("what was accepted makes a world");
        let _ = request.plan.to_json();
    }
}

/// Checkpoints of `vopr run`: what is accepted says what is left to do, and is written and read again as the same.
///
/// # Panics
/// When what is written is not read again.
pub fn checkpoint(data: &[u8]) {
    let folder = folder();
    let path = folder.path().join("state.json");
    put(&path, data);
    let Ok(Some(mut checkpoint)) = Checkpoint::read(&path) else { return };
    checkpoint.write(&path).expect("a place for temporary files");
    assert_eq!(Checkpoint::read(&path).expect("what was written can be read").as_ref(), Some(&checkpoint));
    let whole = SeedRange { first: checkpoint.seed, count: 1_000.min(u64::MAX - checkpoint.seed) };
    let _ = checkpoint.belongs_to(&Checkpoint::new("", 1, vec!["a\nb".to_owned()], None, Vec::new()), &path);
    let _ = checkpoint.forget_missing_files();
    for scenario in &mut checkpoint.scenarios {
        let _ = (scenario.tally().is_exercised(), scenario.tally().events_per_second(), scenario.situations());
        let left = batches(&scenario.left(whole), whole.first, scenario.batch.max(1));
        if let (Some(next), Some(record)) = (left.first(), scenario.done.first()) {
            scenario.finish(vopr::checkpoint::Record { first: next.first, count: next.count, file: None, ..record.clone() });
        }
    }
}

/// The directory of a campaign. Lines `@plan`, `@runs`, `@rerun` and `@known` begin a file each; checksums of lines are filled in. What
/// is accepted is added up and shown.
///
/// # Panics
/// When the directory cannot be read at all.
pub fn campaign(data: &[u8]) {
    let folder = folder();
    let mut file: Option<(String, Vec<u8>)> = None;
    let mut files = 0;
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        let begins = match line.trim_ascii() {
            b"@plan" => Some("plan-p.json"),
            b"@runs" => Some("runs-p-N.jsonl"),
            b"@rerun" => Some("rerun-p-N.jsonl"),
            b"@known" => Some("known-N.toml"),
            _ => None,
        };
        if let Some(name) = begins {
            keep(folder.path(), file.take());
            files += 1;
            file = Some((name.replace('N', &files.to_string()), Vec::new()));
        } else if let Some((name, bytes)) = &mut file {
            let sealed = line.strip_suffix(b"}\n").filter(|_| name.ends_with("jsonl"));
            match sealed {
                Some(object) => {
                    bytes.extend(object);
                    bytes.extend(format!(",\"crc\":\"{:08x}\"}}\n", crc32fast::hash(object)).into_bytes());
                }
                None => bytes.extend(line),
            }
        }
    }
    keep(folder.path(), file);
    let mut directory = Directory::open(folder.path()).expect("it is there");
    directory.refresh().expect("it is there");
    show(&directory);
}

fn show(directory: &Directory) {
    let _ = pages::campaign(directory, "fuzzed", Links::Below("/campaign"));
    for plan in directory.plans.values() {
        let (left, spent) = (directory.left(plan), directory.spent_ms(&plan.id));
        assert!(left.is_some() || plan.seeds.is_none(), "{spent}");
        let _ = (plan.seed_at(u64::MAX), plan.seed_at(7), plan.index_of(plan.seed));
    }
    let groups = directory.groups();
    for (place, (group, _)) in groups.iter().enumerate() {
        let _ = pages::whole_group(directory, &groups, place, "/campaign");
        let _ = (group.first(), group.easiest(), group.commits(), group.scenarios());
    }
    for (name, scenario) in &directory.scenarios {
        let _ = pages::scenario(directory, name, scenario, "/campaign");
    }
    let _ = (directory.total().is_exercised(), directory.total().events_per_second(), directory.slow().count());
}

fn keep(folder: &Path, file: Option<(String, Vec<u8>)>) {
    if let Some((name, bytes)) = file {
        put(&folder.join(name), &bytes);
    }
}

/// What a reader says that turns panics of the Parquet library into errors: the fuzzer would end at the panic itself. One that leaves the
/// reader ends here.
fn guarded<T>(read: impl FnOnce() -> T) -> T {
    panics::catch(read).expect("no panic leaves the reader")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a place for temporary files")
}

fn put(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).expect("a place for temporary files");
}
