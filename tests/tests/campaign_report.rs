//! What a campaign came to, as one page and as statistics.

use e2e::sandbox::Sandbox;

#[test]
fn the_report_is_one_file_that_asks_nobody() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_e2e-vopr"), env!("CARGO_BIN_EXE_e2e-vopr-check"));
    let _ = sandbox.run("vopr campaign baseline swizzle --seeds 10 --seed 1 --max-events 2000 --dir c").exits(0);
    let _ = sandbox.run("vopr campaign report c --html c.html").exits(0);
    let page = std::fs::read_to_string(sandbox.path("c.html")).unwrap();
    assert!(page.contains("swizzle_clogging") && page.contains("<svg ") && page.contains("view_change_completed"));
    assert!(!page.contains("http://") && !page.contains("<script") && !page.contains("href=\"/"));
}

#[test]
fn stats_understands_a_campaign() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_e2e-vopr"), env!("CARGO_BIN_EXE_e2e-vopr-check"));
    let _ = sandbox.run("vopr campaign swizzle --seeds 5 --seed 1 --max-events 800 --dir c").exits(0);
    let stats = sandbox.run("vopr stats c").exits(0).says("5 runs").says("recorded runs in it").says("situations  ");
    assert!(stats.out.contains("message.command: "), "words of the kept rows:\n{}", stats.out);
    let _ = sandbox.run("vopr stats c --json").exits(0).says("\"directory\":\"c\"").says("\"type\":\"stats\"");
    let _ = sandbox.run("vopr campaign swizzle --seeds 2 --seed 1 --max-events 300 --no-check --keep-one-in 0 --dir bare").exits(0);
    let bare = sandbox.run("vopr stats bare").exits(0).says("2 runs");
    assert!(!bare.out.contains("recorded"), "{}", bare.out);
    let file = sandbox.files("c", ".jsonl").pop().unwrap();
    let text = std::fs::read_to_string(&file).unwrap().replacen("\"outcome\":\"held\"", "\"outcome\":\"fine\"", 1);
    std::fs::write(&file, text).unwrap();
    let _ = sandbox.run("vopr stats c").exits(4).says("4 runs").says("damaged");
}
