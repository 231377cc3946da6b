//! A real model behind a real server (llama.cpp): small, and useless as a judge, but it speaks the protocol itself.

use super::support::{Scene, request, set};
use deskstream_schemas::{OpinionResult, Tier};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// What a script of ours says once it has fetched a model; none if it can't be had, and then it is said why.
fn fetch(script: &str) -> Option<String> {
    let path = format!("{}/../scripts/{script}", env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(path).output().unwrap();
    if output.status.success() {
        return Some(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    eprintln!("NOT TESTED against a real model: scripts/{script} can't fetch it: {why}");
    None
}

/// Whether a script of ours has fetched its model.
pub async fn fetched(script: &'static str) -> bool {
    tokio::task::spawn_blocking(move || fetch(script)).await.unwrap().is_some()
}

fn model() -> Option<PathBuf> {
    let said = fetch("llm-model.sh")?;
    Some(said.trim().strip_suffix(" is there").expect("the script tells the folder").into())
}

/// The server; ends with the test.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(folder: &std::path::Path) -> Self {
        let mut child = Command::new("python3")
            .arg(folder.join("serve.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.next().expect("the server tells its address").unwrap();
        Self { child, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_model_answers_in_the_schema_and_tells_its_tokens() {
    let Some(folder) = tokio::task::spawn_blocking(model).await.unwrap() else { return };
    let server = tokio::task::spawn_blocking(move || Server::start(&folder)).await.unwrap();
    let mut scene = Scene::new("op-real").await;
    scene.settings.extend([
        set("opinions.providers.main.url", format!("{}/v1", server.url)),
        // One thread of a busy machine reads some twenty tokens a second.
        set("opinions.providers.main.timeout", "290s"),
        set("opinions.providers.main.attempts", "#1"),
        set("opinions.deadline", "590s"),
    ]);
    let run = scene.run().await;
    run.ask(&request(1, "I was charged twice for one order and want my money back.")).await;
    let opinion = run.opinions_within(1, std::time::Duration::from_secs(590)).await.remove(0);
    assert_eq!((opinion.result, opinion.reason.as_ref()), (OpinionResult::Answered, ""), "{opinion:?}");
    let analysis = opinion.analysis.clone().unwrap();
    assert_eq!((analysis.tier, analysis.model.as_ref()), (Tier::Llm, "main/small"));
    assert!(opinion.tokens_in > 200 && opinion.tokens_out > 20, "as the server counts them");
    assert!(opinion.cost_microusd > 0);
    run.stop().await;
}
