//! The gangway program, as it is shipped: a process that stories start and kill.

fn main() -> std::process::ExitCode {
    gangway::commands::run(std::env::args_os())
}
