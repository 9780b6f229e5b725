//! `vopr tui` where there is no terminal: one screen as text, and what it refuses. Keys are tested with the browser itself, and in a
//! terminal by `tools/tui-test.sh`.

use e2e::sandbox::Sandbox;

#[test]
fn one_screen_of_a_campaign_is_printed() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_e2e-vopr"), env!("CARGO_BIN_EXE_e2e-vopr-check"));
    let _ = sandbox.run("vopr campaign baseline --bug lost_update --seed 1 --seeds 6 --dir c").exits(1);
    let screen = sandbox.run("vopr tui c --once --width 140 --height 20").exits(0);
    for words in ["6 runs · ", "new or expired", "baseline 1", "q: leave"] {
        assert!(screen.out.contains(words), "{words} is not in\n{}", screen.out);
    }
    assert_eq!(screen.out.lines().count(), 20);
    assert!(screen.out.lines().all(|line| line.chars().count() <= 140));
    let _ = sandbox.run("vopr tui c").exits(2).warns("needs a terminal");
    let _ = sandbox.run("vopr tui nowhere --once").exits(4).warns("nowhere");
    let _ = sandbox.run("vopr tui c --width 80").exits(2);
}
