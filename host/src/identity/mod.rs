//! Who may act: principals, roles, sign-in links, sessions, personal tokens.

pub mod roles;
