//! Starts Andon as a user does: the binary, a plant file, a data folder.

use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

/// How long anything may take before a test gives up on it; generous, because test machines are slow and shared.
const PATIENCE: Duration = Duration::from_secs(60);

/// One running binary.
pub struct Andon {
    child: Child,
    output: Arc<Mutex<Vec<String>>>,
    client: reqwest::Client,
    /// Where it serves.
    pub url: String,
}

/// A plant file and a data folder that outlive a run.
pub struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    /// A site with this plant file.
    pub fn new(plant: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("plant.yaml"), plant).unwrap();
        Self { folder }
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The plant file.
    pub fn plant(&self) -> PathBuf {
        self.folder.path().join("plant.yaml")
    }

    /// Runs it, until it is ready. The first time somebody arms it.
    pub async fn run(&self) -> Andon {
        let first = !self.data().exists();
        let andon = self.run_on(&self.data()).await;
        if first {
            andon.arm().await;
        }
        andon
    }

    /// Runs it on another data folder, until it is ready.
    pub async fn run_on(&self, data: &Path) -> Andon {
        let plant = self.folder.path().join("plant.yaml");
        Andon::start(&["run", text(&plant), "--data", text(data), "--listen", "127.0.0.1:0"], "").await
    }

    /// Runs it with more arguments, until it is ready.
    pub async fn run_with(&self, arguments: &[&str]) -> Andon {
        let (plant, data) = (self.folder.path().join("plant.yaml"), self.data());
        let known = ["run", text(&plant), "--data", text(&data), "--listen", "127.0.0.1:0"];
        Andon::start(&[&known, arguments].concat(), "").await
    }

    /// Runs it for the first time, so that it stands still at a moment in the life of a command; armed.
    pub async fn run_until(&self, moment: &str) -> Andon {
        let (plant, data) = (self.folder.path().join("plant.yaml"), self.data());
        let andon = Andon::start(&["run", text(&plant), "--data", text(&data), "--listen", "127.0.0.1:0"], moment).await;
        andon.arm().await;
        andon
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

impl Andon {
    async fn start(arguments: &[&str], moment: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_andon"))
            .args(arguments)
            .env("ANDON_STAND_STILL", moment)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = Arc::new(Mutex::new(Vec::new()));
        let (lines, stderr) = (output.clone(), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        let mut andon = Self { child, output, client: reqwest::Client::new(), url: String::new() };
        andon.url = wait_for("the address", async || andon.printed_url()).await;
        wait_for("readiness", async || {
            let answer = andon.client.get(format!("{}/readyz", andon.url)).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        andon
    }

    fn printed_url(&self) -> Option<String> {
        let output = self.output.lock().unwrap();
        let line = output.iter().find_map(|line| line.split_once("http://"))?;
        let address: String = line.1.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
        Some(format!("http://{address}"))
    }

    /// What it has printed, for a message.
    pub fn output(&self) -> String {
        self.output.lock().unwrap().join("\n")
    }

    /// Allows writes to machines.
    pub async fn arm(&self) {
        let request = self.client.post(format!("{}/api/arm", self.url)).json(&serde_json::json!({ "armed": true }));
        let status = request.send().await.unwrap().status();
        assert!(status.is_success(), "{status}");
    }

    /// Asks it to do something: the status and the body of its answer.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.client.post(format!("{}{path}", self.url)).json(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// A page as JSON.
    pub async fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path).await).unwrap()
    }

    /// A page as text.
    pub async fn get(&self, path: &str) -> String {
        let answer = self.client.get(format!("{}{path}", self.url)).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.text().await.unwrap()
    }

    /// Rows of a statement; none while it cannot be answered.
    pub async fn try_sql(&self, sql: &str) -> Option<Vec<Vec<Value>>> {
        let request = self.client.post(format!("{}/api/sql", self.url)).json(&serde_json::json!({ "sql": sql }));
        let answer: Value = request.send().await.ok()?.json().await.ok()?;
        assert!(answer.get("error").is_none(), "{sql}: {answer}");
        serde_json::from_value(answer["rows"].clone()).ok()
    }

    /// Rows of a statement.
    pub async fn sql(&self, sql: &str) -> Vec<Vec<Value>> {
        self.try_sql(sql).await.unwrap_or_else(|| panic!("no answer to {sql}\n{}", self.output()))
    }

    /// Waits until a statement's first column, row by row, is what is expected.
    pub async fn wait_for_column(&self, sql: &str, expected: &[&str]) {
        let column = async || {
            let rows = self.try_sql(sql).await?;
            Some(rows.into_iter().map(|row| shown(&row[0])).collect::<Vec<_>>())
        };
        let mut last = None;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < deadline {
            last = column().await;
            if last.as_deref().is_some_and(|last| last == expected) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{sql}\n  expected {expected:?}\n  got {last:?}\n{}", self.output());
    }

    /// Waits until all that queries show by now is on disk: they show a record before it is there, and the log keeps the order.
    pub async fn durable(&self) {
        let written = self.client.post(format!("{}/api/write", self.url)).body("test durable=1\n").send().await.unwrap();
        assert!(written.status().is_success(), "{}", written.status());
    }

    /// Ends it without a chance to tidy up.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Andon {
    fn drop(&mut self) {
        // It may be dead already; either way it is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A cell as text, texts without quotes.
pub fn shown(cell: &Value) -> String {
    cell.as_str().map_or_else(|| cell.to_string(), str::to_owned)
}

/// Waits until something is there.
pub async fn wait_for<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "{what} did not come within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
