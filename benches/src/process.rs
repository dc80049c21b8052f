//! A server process on a core of its own, and what the kernel knows of it.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::Failure;

/// The core that servers share; the load generator has the other ones.
const SERVER_CORE: &str = "0";
/// The kernel counts CPU time in hundredths of a second on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// A running server; killed when dropped.
pub struct Process {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// From the spawn to the first accepted connection.
    pub start: Duration,
}

impl Process {
    /// Starts this program again as a server on [`SERVER_CORE`] and waits until it listens.
    pub fn start(address: SocketAddr, arguments: &[&str]) -> Result<Self, Failure> {
        let program = std::env::current_exe()?;
        let begun = Instant::now();
        let child = Command::new("taskset")
            .args(["-c", SERVER_CORE])
            .arg(program)
            .arg("serve")
            .args(arguments)
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("taskset (util-linux) is needed to give a server its core: {error}"))?;
        let mut process = Self { child, address, start: Duration::ZERO };
        while TcpStream::connect(address).is_err() {
            if let Some(status) = process.child.try_wait()? {
                return Err(format!("{arguments:?} ended: {status}").into());
            }
            if begun.elapsed() > Duration::from_mins(1) {
                return Err(format!("{arguments:?} does not listen").into());
            }
            std::thread::yield_now();
        }
        process.start = begun.elapsed();
        Ok(process)
    }

    /// CPU seconds since its start.
    pub fn cpu(&self) -> Result<f64, Failure> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // Behind the name in brackets: utime and stime are fields 14 and 15 of proc(5), 11 and 12 of what is left.
        let rest = stat.rsplit_once(')').ok_or("/proc/*/stat has no name")?.1;
        let ticks: Vec<f64> =
            rest.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
        Ok(ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
    }

    /// Resident memory in MiB.
    pub fn memory(&self) -> Result<f64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
        let kib: f64 = line.split_whitespace().nth(1).ok_or("VmRSS is empty")?.parse()?;
        Ok(kib / 1024.0)
    }
}

impl Process {
    /// Ends it, and waits until it has ended.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A port that is free now.
pub fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Leaves [`SERVER_CORE`] to the servers, where there is another one.
pub fn leave_the_server_its_core() -> Result<(), Failure> {
    let cores = std::thread::available_parallelism()?.get();
    if cores < 2 {
        eprintln!("one core only: servers and load generator share it, and the numbers with it");
        return Ok(());
    }
    let me = std::process::id().to_string();
    let others = format!("1-{}", cores - 1);
    let done =
        Command::new("taskset").args(["-a", "-p", "-c", &others, &me]).stdout(Stdio::null()).status()?;
    if done.success() { Ok(()) } else { Err("taskset could not move the load generator".into()) }
}
