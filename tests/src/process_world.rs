//! The gateway as a process of its own, to be killed at any moment and started again on the same store.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::{
    Gate, Org, Scene, Tool,
    world::{TOKEN, default_config, place},
};

/// A gateway process with an org that outlives it.
pub struct Process {
    program: PathBuf,
    child: Option<Child>,
    url: String,
    sim: salesforce_sim::Sim,
    gate: Gate,
    log: Arc<Mutex<String>>,
    directory: TempDir,
}

impl Process {
    /// Starts `program` with the default configuration.
    pub async fn start(program: &Path, sim: salesforce_sim::SimConfig) -> Self {
        Self::of_scene(program, &Scene::default(), sim).await
    }

    /// Starts `program` with the default configuration and a scene of its own.
    pub async fn of_scene(program: &Path, scene: &Scene, sim: salesforce_sim::SimConfig) -> Self {
        Self::with(program, scene, sim, |_| ()).await
    }

    /// The same with something changed in the configuration.
    pub async fn with(
        program: &Path,
        scene: &Scene,
        sim: salesforce_sim::SimConfig,
        change: impl FnOnce(&mut toml::Table),
    ) -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let sim = scene.org(directory.path(), sim).await;
        let gate = Gate::start(sim.addr).await;
        let mut config = default_config();
        change(&mut config);
        place(&mut config, directory.path(), &gate.url());
        scene.place_files(directory.path());
        scene.place_mapping(&mut config, directory.path(), &Org::new(&sim.url())).await;
        fs::write(directory.path().join("gangway.toml"), config.to_string())
            .expect("the file can be written");
        let mut process = Self {
            program: program.to_owned(),
            child: None,
            url: String::new(),
            sim,
            gate,
            log: Arc::default(),
            directory,
        };
        process.restart().await;
        process
    }

    /// SIGKILL: nothing is flushed, nobody is told.
    pub async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().await.expect("the process can be killed");
        }
    }

    /// Starts the process again on the same store; ends when it listens.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn restart(&mut self) {
        self.kill().await;
        let mut child = Command::new(&self.program)
            .args(["--output", "json", "serve", "--config"])
            .arg(self.directory.path().join("gangway.toml"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .env("NO_COLOR", "1")
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let stdout = child.stdout.take().expect("it is piped");
        let stderr = child.stderr.take().expect("it is piped");
        let log = Arc::clone(&self.log);
        tokio::spawn(async move {
            let mut lines = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                eprintln!("{line}");
                let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut lines = BufReader::new(stdout).lines();
        let mut said = Vec::new();
        self.url = loop {
            let Some(line) = lines.next_line().await.expect("its output can be read") else {
                panic!("the gateway ended: {said:#?}");
            };
            if let Some(at) = line.find("http://127.0.0.1:") {
                let rest = &line[at + "http://".len()..];
                let end =
                    rest.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':')).unwrap_or(rest.len());
                break format!("http://{}", &rest[..end]);
            }
            said.push(line);
        };
        // Whatever else it says is read and dropped, so that it never waits for a reader.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        self.child = Some(child);
    }

    /// Where the configuration is.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.directory.path().join("gangway.toml")
    }

    /// The gateway's address, such as `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the gateway has written to its log.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.as_ref().and_then(Child::id).expect("it runs")
    }

    /// What stands between the gateway and the org.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// An identity tool.
    #[must_use]
    pub fn tool(&self) -> Tool {
        Tool::new(&format!("{}/scim/v2", self.url), TOKEN)
    }

    /// The org from outside.
    #[must_use]
    pub fn org(&self) -> Org {
        Org::new(&self.sim.url())
    }
}
