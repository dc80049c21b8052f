//! What an org offers, what its Users have of it, and their sessions (Object Reference, "Object Map" of entitlements).
//!
//! `question` asks so that an org which lacks an object or hides a field still answers, `offered` reads the catalogue,
//! `assigned` who has what.

mod assigned;
mod offered;
mod question;
