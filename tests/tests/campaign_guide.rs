//! The commands of the guide to campaigns, in its order: each ends as the guide says.

use e2e::sandbox::Sandbox;

/// Commands of the blocks marked `sh`, each with its exit code.
fn commands(text: &str) -> Vec<(String, i32)> {
    let mut commands = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            command if inside => {
                let (command, code) = command.split_once("# exit ").unwrap_or((command, "0"));
                commands.push((command.trim().to_owned(), code.parse().expect("an exit code")));
            }
            _ => {}
        }
    }
    commands
}

#[test]
fn commands_of_the_guide_end_as_it_says() {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide/campaigns.md");
    let commands = commands(&std::fs::read_to_string(guide).unwrap());
    assert!(commands.len() >= 10, "{commands:?}");
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_e2e-vopr"), env!("CARGO_BIN_EXE_e2e-vopr-check"));
    for (command, code) in &commands {
        let _ = sandbox.run(command).exits(*code);
    }
    // The page is one file that asks nobody, and says what the report says.
    let page = std::fs::read_to_string(sandbox.path("runs/first.html")).unwrap();
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
