//! The program itself, killed with SIGKILL and stopped with SIGTERM, on both databases.
//!
//! A template holds one published profile whose first run is due. Each trial copies it, starts `seatwise serve` on the copy and ends that
//! process somewhere in the run; the next process must finish it.

mod program;
mod reclaim;
mod sync;
