//! Seatwise.
