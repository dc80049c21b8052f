//! How far a long command has come, on a terminal.

use std::{
    cell::Cell,
    io::{self, IsTerminal, Write},
};

const WIDTH: usize = 30;

/// A bar on standard error; nothing where that is no terminal. It goes away when it is dropped.
pub(super) struct Progress {
    what: &'static str,
    all: usize,
    done: Cell<usize>,
    drawn: bool,
}

impl Progress {
    pub(super) fn new(what: &'static str, all: usize) -> Self {
        // For a few it would only flicker.
        Self { what, all, done: Cell::new(0), drawn: all > 1 && io::stderr().is_terminal() }
    }

    /// One more is done.
    pub(super) fn step(&self) {
        self.done.set(self.done.get() + 1);
        if self.drawn {
            let mut err = io::stderr().lock();
            let _ = write!(err, "\r{}", bar(self.what, self.done.get(), self.all)).and_then(|()| err.flush());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn {
            let mut err = io::stderr().lock();
            // Back to the start of the line, and the line emptied.
            let _ = write!(err, "\r\x1b[K").and_then(|()| err.flush());
        }
    }
}

fn bar(what: &str, done: usize, all: usize) -> String {
    let filled = WIDTH * done.min(all) / all.max(1);
    format!("{what} [{}{}] {done}/{all}", "#".repeat(filled), "-".repeat(WIDTH - filled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills_up() {
        assert_eq!(bar("planning", 0, 4), format!("planning [{}] 0/4", "-".repeat(30)));
        assert_eq!(bar("planning", 2, 4), format!("planning [{}{}] 2/4", "#".repeat(15), "-".repeat(15)));
        assert_eq!(bar("planning", 4, 4), format!("planning [{}] 4/4", "#".repeat(30)));
        assert_eq!(bar("planning", 0, 0), format!("planning [{}] 0/0", "-".repeat(30)));
    }
}
