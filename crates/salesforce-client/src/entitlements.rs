//! What an org offers, what its Users have of it, and their sessions (Object Reference, "Object Map" of entitlements).
//!
//! `question` asks so that an org which lacks an object or hides a field still answers, `offered` reads the catalogue,
//! `assigned` who has what, `sessions` ends the sessions of who is locked out.

mod assigned;
mod offered;
mod question;
mod sessions;
