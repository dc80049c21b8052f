//! What a guide tells people to type does what the guide says.

use std::{fs, path::PathBuf, process::Command};

use e2e::World;

/// The name of the gateway in guides.
const HOST: &str = "https://scim.acme.example";

/// Runs each block of a page that calls `curl`, with the world in the place of the guide's host. What stands behind `# →` has
/// to be in the output.
fn run(page: &str, gateway: &str) -> usize {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
    let text = fs::read_to_string(&file).unwrap();
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    let mut promises = 0;
    for block in blocks.filter(|block| block.contains("curl ")) {
        let ran = Command::new("sh").arg("-euc").arg(block.replace(HOST, gateway)).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(ran.status.success(), "{block}\n{said}\n{}", String::from_utf8_lossy(&ran.stderr));
        for promise in block.lines().filter_map(|line| line.strip_prefix("# → ")) {
            // The answers go on naming the host of the example's configuration.
            assert!(said.contains(promise), "{block}\npromised {promise}, said {said}");
            promises += 1;
        }
    }
    promises
}

#[tokio::test(flavor = "multi_thread")]
async fn helloid() {
    let example =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/helloid-salesforce/gangway.toml");
    let world = World::of_example(&example).await;
    let gateway = world.url();
    let promises = tokio::task::spawn_blocking(move || run("helloid.md", &gateway)).await.unwrap();
    assert_eq!(promises, 4, "every curl of the guide says what comes back");
}
